//! Somebody asks for something of the owner's while the face is open: the owner sees the very bytes and answers, and the
//! program that asked receives those bytes or none. Driven from both ends, through the built `icore`.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]
#![allow(clippy::disallowed_types, reason = "the test is the program that asks")]

mod support;

use std::process::{Child, Output, Stdio};

use rustix::process::Signal;
use support::screen::{Screen, key};
use support::{PASSPHRASE, Person, process, text};

/// What the planner asks about.
const ABOUT: &str = "who waters the ferns";

/// A person with a note that names a mail address, and the face open on it.
fn at_the_face() -> (Person, Screen) {
    let person = Person::settled();
    person.file(
        "garden.md",
        "# Garden\n\nSenhor Duarte waters the ferns on Tuesdays; write to duarte@ferns.example before.\n",
    );
    person.file("boiler.md", "# Boiler\n\nThe boiler was serviced by Joaquim Teles on 3 November.\n");
    person.icore(["sources".as_ref(), "add".as_ref(), person.files().as_os_str()]);
    let screen = Screen::open(&person);
    (person, screen)
}

/// Another program asks.
fn planner(person: &Person) -> Child {
    let mut command = person.command();
    command.args(["disclose", "--asker", "app:planner", ABOUT]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What came of it.
fn heard(mut asking: Child) -> Output {
    process::ended(&mut asking);
    asking.wait_with_output().unwrap()
}

/// It was refused: no byte, and no reason that would tell it anything.
fn is_refused(output: &Output) {
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "", "a refusal comes with no byte");
    let said = text(&output.stderr);
    assert!(said.contains("Nothing was disclosed."), "{said}");
    assert!(!said.contains("Duarte") && !said.contains("kill switch"), "the reason stays here: {said}");
}

/// The seconds that are left to answer in.
fn seconds_left(shown: &str) -> Option<u32> {
    shown.split_once("by itself in ")?.1.split_whitespace().next()?.parse().ok()
}

/// The question is on the screen, and has been for long enough that its keys hold: two of its seconds went by.
fn question(screen: &Screen) -> String {
    screen.wait_until("the question", |shown| seconds_left(shown).is_some());
    let first = seconds_left(&screen.shown()).unwrap();
    screen.wait_until("two seconds of it", |shown| seconds_left(shown).is_some_and(|left| left + 2 <= first));
    screen.shown()
}

/// The bytes in the question: what stands inside its box, between the line that leads to them and the one below them.
fn bytes_shown(shown: &str) -> String {
    let before = shown.lines().find_map(|line| line.split_once("┌ planner asks")).unwrap().0.chars().count();
    let inside = shown.lines().map(|line| line.chars().skip(before + 1).take_while(|c| *c != '│').collect::<String>());
    let lines = inside.skip_while(|line| !line.contains("It would receive exactly:")).skip(1);
    let lines = lines.take_while(|line| !line.contains("withheld · from"));
    lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Says yes with `key`, with a wrong passphrase and then with the right one.
fn allow(screen: &mut Screen, key: &str) {
    screen.press(key);
    screen.wait_for("prove that it is you");
    screen.press("not the passphrase");
    screen.press(key::ENTER);
    screen.wait_for("The passphrase is wrong");
    screen.press(PASSPHRASE);
    screen.press(key::ENTER);
    screen.wait_gone("prove that it is you");
}

/// Entries of a kind whose sentence names the planner.
fn entries(person: &Person, kind: &str) -> Vec<String> {
    let log = person.json(["audit", "log", "-n", "200"]);
    let lines = log["entries"].as_array().unwrap().iter();
    let of_kind = lines.filter(|line| line["kind"] == kind).filter_map(|line| line["text"].as_str());
    of_kind.filter(|said| said.contains("planner")).map(str::to_owned).collect()
}

/// How many requests wait.
fn waiting(person: &Person) -> usize {
    person.json(["consent", "pending"])["asking"].as_array().unwrap().len()
}

#[test]
fn the_bytes_that_leave_are_the_bytes_that_were_shown_or_none() {
    let (person, mut screen) = at_the_face();
    // Once: the question has the very bytes, the address taken out, and says who, from where, and what it learns.
    let asking = planner(&person);
    let shown = question(&screen);
    let bytes = bytes_shown(&shown);
    assert!(bytes.contains("Senhor Duarte waters the ferns on Tuesdays"), "{shown}");
    assert!(!shown.contains("duarte@ferns.example"), "an address is withheld unasked: {shown}");
    for said in ["app:planner, never heard of before", ABOUT, "1 span withheld", "garden.md", "After this it knows"] {
        assert!(shown.contains(said), "{said:?} is missing: {shown}");
    }
    let pending = person.json(["consent", "pending"]);
    assert_eq!(pending["asking"][0]["text"], bytes.as_str(), "a second place shows the same bytes");
    allow(&mut screen, "y");
    let output = heard(asking);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), format!("{bytes}\n"), "it received what was shown and nothing else");
    assert_eq!(entries(&person, "disclose").len(), 1);
    // The consent pane has it under what left.
    screen.press(key::F5);
    screen.wait_for("consent · ");
    for _ in 0..2 {
        screen.press(key::TAB);
    }
    screen.wait_for("what left, was released or refused");
    screen.wait_until("the entry", |shown| shown.contains("disclose") && shown.contains("planner"));

    // Once was once: the same again is asked again. Enter is the safe answer.
    let asking = planner(&person);
    let shown = question(&screen);
    assert_eq!(bytes_shown(&shown), bytes);
    assert!(shown.contains("1 answer so far"), "{shown}");
    screen.press(key::ENTER);
    is_refused(&heard(asking));
    screen.wait_until("the refusal in the pane", |shown| shown.contains("the owner said no"));
    // So is n.
    let asking = planner(&person);
    question(&screen);
    screen.press("n");
    is_refused(&heard(asking));
    screen.wait_gone("It would receive exactly:");
    // And so is Esc, from a yes that was not proven back to the question, and from there.
    let asking = planner(&person);
    question(&screen);
    screen.press("h");
    screen.wait_for("prove that it is you");
    screen.press(key::ESC);
    screen.wait_gone("prove that it is you");
    question(&screen);
    screen.press(key::ESC);
    is_refused(&heard(asking));
    screen.wait_gone("It would receive exactly:");
    screen.leave();
    assert_eq!(entries(&person, "disclose").len(), 1, "nothing left but the once");
    let refused = entries(&person, "refused");
    assert_eq!(refused.len(), 3, "each no is written down: {refused:?}");
    assert!(refused.iter().all(|said| said.contains("the owner said no")), "{refused:?}");
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

#[test]
fn a_standing_yes_is_not_asked_again_until_it_is_taken_back() {
    let (person, mut screen) = at_the_face();
    let asking = planner(&person);
    let bytes = bytes_shown(&question(&screen));
    allow(&mut screen, "g");
    assert_eq!(text(&heard(asking).stdout), format!("{bytes}\n"));
    // Nobody has to look: the grant answers, with the same taken out.
    let output = heard(planner(&person));
    assert_eq!(text(&output.stdout), format!("{bytes}\n"), "{}", text(&output.stderr));
    // Taken back in the consent pane, where it is the newest.
    screen.press(key::F5);
    screen.wait_for("The program planner on this machine may receive excerpts of");
    screen.press("r");
    screen.wait_for("y  take it back");
    screen.press("y");
    screen.wait_for("taken back");
    is_refused(&heard(planner(&person)));
    screen.leave();
    assert_eq!(entries(&person, "disclose").len(), 2);
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

#[test]
fn a_request_waits_under_what_is_open_and_ends_with_its_asker_and_with_the_kill_switch() {
    let (person, mut screen) = at_the_face();
    // What is open is not covered by the question; it comes up once that is closed.
    screen.press(key::F1);
    screen.wait_for("the keys · type to search");
    let mut asking = planner(&person);
    process::eventually("the request to wait", || waiting(&person) == 1);
    assert!(screen.shows("the keys · type to search") && !screen.shows("It would receive exactly:"));
    screen.press(key::ESC);
    question(&screen);
    // Whoever asked is gone: so is the question, and nothing left.
    process::signal(&asking, Signal::KILL);
    process::ended(&mut asking);
    screen.wait_gone("It would receive exactly:");
    screen.wait_for("planner no longer waits");
    assert_eq!(waiting(&person), 0);
    process::eventually("the refusal", || entries(&person, "refused").iter().any(|said| said.contains("went away")));

    // The kill switch, pressed over the question.
    let asking = planner(&person);
    question(&screen);
    screen.press(key::F8);
    screen.wait_for("y  stop everything");
    screen.press("y");
    screen.wait_for("doors SHUT");
    is_refused(&heard(asking));
    screen.wait_gone("It would receive exactly:");
    // Nobody is asked while it is on.
    let output = heard(planner(&person));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), String::new()));
    assert_eq!(waiting(&person), 0);
    screen.leave();
    assert_eq!(entries(&person, "disclose"), Vec::<String>::new(), "nothing ever left");
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}
