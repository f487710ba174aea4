//! Every journey through the face, driven as a person would: the built `icore` in a pseudo-terminal with the real model.
//! Onboarding, asking, opening a citation, searching, forgetting, revoking, the kill switch, another size in the middle of
//! an answer, attaching, detaching, the node dying under it, a draft that outlives a restart, and what is written to a file.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use rustix::process::Signal;
use support::screen::{EMPTY, Opener, Screen, key};
use support::{PASSPHRASE, Person, process};

/// A question that makes the model write for seconds.
const STORY: &str = "Write a very long story about a river and a mill";

/// A person with three papers that were read.
fn with_papers() -> Person {
    let person = Person::settled();
    person.file(
        "porto.md",
        "# Trip to Porto\n\nThe train leaves at 14:39 from Oriente, coach 21, seat 54.\n\nLeave home at 13:50.\n",
    );
    person.file(
        "boiler.md",
        "# Boiler\n\nThe boiler was serviced by Joaquim Teles on 3 November; he charged 85 euros.\n",
    );
    person.file("garden.md", "# Garden\n\nSenhor Duarte waters the ferns while I am away; he has the spare key.\n");
    person.icore(["sources".as_ref(), "add".as_ref(), person.files().as_os_str()]);
    person
}

#[test]
fn onboarding_ends_in_a_chat_that_answers() {
    // Another person has fetched the models before.
    drop(Person::settled());
    let person = Person::new();
    person.file("porto.md", "# Trip to Porto\n\nThe train leaves at 14:39 from Oriente, coach 21, seat 54.\n");
    let mut screen = Opener::of(&person).without("ICORE_PASSPHRASE_FILE").open();
    screen.wait_for("make a new iCore");
    screen.press(key::ENTER);
    screen.wait_for("What shall it call you");
    screen.say("Maya");
    screen.wait_for("3 of 9");
    screen.press(key::ENTER);
    screen.wait_for("4 of 9");
    for _ in 0..2 {
        screen.press(PASSPHRASE);
        screen.press(key::ENTER);
    }
    screen.wait_for("5 of 9");
    screen.wait_gone("Making them");
    let words = recovery_words(&screen.shown());
    screen.press(key::ENTER);
    for _ in 0..4 {
        screen.wait_until("a word to type back", |shown| asked_word(shown).is_some());
        let n = asked_word(&screen.shown()).unwrap();
        screen.press(&words[n - 1]);
        screen.wait_for(&words[n - 1]);
        screen.press(key::ENTER);
        screen.wait_until("the next word", |shown| asked_word(shown) != Some(n));
    }
    screen.wait_for("7 of 9");
    let folder = person.files().to_str().unwrap().to_owned();
    screen.press(&folder);
    screen.wait_for("files");
    screen.press(key::ENTER);
    screen.wait_for("✓");
    screen.press(key::ENTER);
    screen.wait_for("8 of 9");
    // Until the models are looked at, Enter means nothing here.
    screen.wait_for("hash checked");
    screen.press(key::ENTER);
    screen.wait_for("9 of 9");
    screen.press(key::ENTER);
    screen.wait_for("doors open");
    screen.press(key::F4);
    screen.wait_for("watched");
    screen.press(key::F2);
    screen.ask("When does my train to Porto leave?");
    screen.wait_for("14:39");
    screen.leave();
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

/// The 24 words of the screen, in their order.
fn recovery_words(shown: &str) -> Vec<String> {
    let mut words = vec![String::new(); 24];
    for line in shown.lines() {
        let parts: Vec<&str> = line.split_whitespace().collect();
        for pair in parts.windows(2) {
            if let Ok(n @ 1..=24) = pair[0].parse::<usize>()
                && pair[1].len() >= 3
                && pair[1].chars().all(|c| c.is_ascii_lowercase())
            {
                words[n - 1] = pair[1].to_owned();
            }
        }
    }
    assert!(words.iter().all(|word| !word.is_empty()), "all words were read off: {shown}");
    words
}

/// Which word the cursor stands at.
fn asked_word(shown: &str) -> Option<usize> {
    let line = shown.lines().find(|line| line.contains("word") && line.contains('▏'))?;
    line.split("word").nth(1)?.split_whitespace().next()?.parse().ok()
}

#[test]
fn asking_citing_searching_forgetting() {
    let person = with_papers();
    let mut screen = Screen::open(&person);
    screen.ask("When does my train to Porto leave?");
    screen.wait_for("14:39");
    screen.wait_for("[1]");
    // The citation opens at the very words.
    screen.press(key::ALT_1);
    screen.wait_for("item · ");
    screen.wait_for("coach 21, seat 54");
    let styled = screen.styled();
    assert!(styled.contains("{"), "the cited words stand out: {styled}");
    screen.press(key::ESC);
    screen.wait_gone("item · ");
    // What is not there is not made up.
    screen.ask("What is the name of my dentist?");
    screen.wait_for("not in your memory");
    // Searching, and forgetting what was found, with a preview first.
    screen.press(key::F3);
    screen.wait_for("memory");
    screen.say("boiler serviced");
    screen.wait_for("boiler.md");
    screen.press(key::ENTER);
    screen.wait_for("Joaquim Teles");
    screen.press("f");
    screen.wait_for("forget");
    screen.wait_until("the preview", |shown| shown.contains("1 item"));
    screen.press("y");
    screen.wait_for("Gone: 1 item");
    // An escape that is followed at once by another key is that key with Alt, so each is waited for.
    screen.press(key::ESC);
    screen.wait_gone("Gone: 1 item");
    screen.leave();
    let left = person.json(["memory", "search", "boiler serviced"]);
    assert!(!left.to_string().contains("Joaquim"), "{left}");
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

#[test]
fn revoking_and_the_kill_switch() {
    let person = with_papers();
    let mut screen = Screen::open(&person);
    screen.press(key::F5);
    screen.wait_for("Your own iCore may read and remember");
    screen.press("r");
    screen.wait_for("take it back");
    // Enter is the safe answer.
    screen.press(key::ENTER);
    screen.wait_gone("y  take it back");
    assert!(!screen.shows("taken back"), "nothing was taken back");
    screen.press("r");
    screen.wait_for("take it back");
    screen.press("y");
    screen.wait_for("taken back");
    // The kill switch is one key from here, and from everywhere.
    screen.press(key::F8);
    screen.wait_for("stop everything");
    screen.press("y");
    screen.wait_for("doors SHUT");
    screen.press(key::F2);
    screen.wait_for("lift the kill switch");
    screen.press(key::F8);
    screen.wait_for("passphrase");
    screen.press("not the passphrase");
    screen.press(key::ENTER);
    screen.wait_for("The passphrase is wrong");
    assert!(screen.shows("doors SHUT"), "a wrong passphrase lifts nothing");
    screen.press(PASSPHRASE);
    screen.press(key::ENTER);
    screen.wait_for("doors open");
    screen.leave();
    let log = person.json(["audit", "log", "-n", "50"]).to_string();
    for kind in ["revoke", "kill", "lift"] {
        assert!(log.contains(kind), "{kind} is in the ledger");
    }
}

#[test]
fn another_size_in_the_middle_of_an_answer() {
    let person = with_papers();
    let mut screen = Screen::open(&person);
    screen.say(STORY);
    screen.wait_for("answering");
    for (cols, rows) in [(80, 24), (200, 60), (45, 12), (20, 5), (120, 40), (100, 30)] {
        screen.resize(cols, rows);
    }
    screen.wait_for("(Esc stops)");
    // Typed while it answers, and sent next when it has.
    screen.press("and the mill");
    screen.wait_for("and the mill");
    // Stopped, the part that came is kept, and so is what was typed.
    screen.press(key::ESC);
    screen.wait_gone("(Esc stops)");
    screen.wait_for("and the mill");
    screen.wait_for("stopped");
    screen.leave();
    let found = person.json(["memory", "stats"]);
    assert_eq!(found["messages"], 2, "the question and the partial answer are stored: {found}");
}

#[test]
fn attaching_detaching_and_the_node_dying_under_it() {
    let person = with_papers();
    let mut node = person.node();
    let mut screen = Screen::open(&person);
    screen.wait_for("attached");
    screen.ask("Who waters the ferns?");
    screen.wait_for("Duarte");
    // Leaving leaves the node as it is.
    screen.leave();
    assert!(node.child.try_wait().unwrap().is_none(), "the node goes on without the face");
    // Another face finds the conversation again.
    let mut screen = Screen::open(&person);
    screen.wait_for("attached");
    screen.press(key::CTRL_O);
    screen.wait_for("Who waters the ferns?");
    screen.press(key::DOWN);
    screen.press(key::ENTER);
    screen.wait_for("Duarte");
    // The node dies in the middle of an answer: what was typed stays, and unlocking starts another.
    screen.say(STORY);
    screen.wait_for("answering");
    screen.press("kept while it is gone");
    screen.wait_for("kept while it is gone");
    process::signal(&node.child, Signal::KILL);
    process::ended(&mut node.child);
    screen.wait_for("The node went away");
    screen.unlock();
    screen.wait_for("doors open");
    screen.wait_for("kept while it is gone");
    assert!(!screen.shows("attached"), "it is its own node now");
    screen.leave();
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

#[test]
fn editing_a_question_loses_no_branch_and_a_fork_goes_its_own_way() {
    let person = with_papers();
    let mut screen = Screen::open(&person);
    screen.ask("When does my train to Porto leave?");
    screen.wait_for("14:39");
    // The question comes back into the input; another one is asked in its place.
    screen.press("\x1be");
    screen.wait_for("▏ When does my train");
    screen.press("\x15");
    screen.wait_gone("▏ When does my train");
    screen.press("Who waters the ferns?");
    screen.wait_for("▏ Who waters the ferns?");
    screen.press(key::ENTER);
    screen.wait_for("Duarte");
    screen.wait_for("‹ 2 of 2 ›");
    screen.wait_gone("(Esc stops)");
    assert!(!screen.shows("14:39 from Oriente, coach 21, seat 54.”"), "the first answer is on the other branch");
    // A fork has what was said so far and is a conversation of its own.
    screen.press("/fork");
    screen.wait_for("take this conversation along");
    screen.press(key::ENTER);
    screen.wait_until("the forked conversation", |shown| shown.contains("Duarte") && !shown.contains("2 of 2"));
    screen.press(key::CTRL_O);
    screen.wait_for("conversations");
    screen
        .wait_until("two conversations", |shown| shown.matches(" 2 · ").count() + shown.matches(" 4 · ").count() >= 2);
    screen.press(key::ESC);
    screen.wait_gone("Enter open");
    screen.leave();
    let stats = person.json(["memory", "stats"]);
    assert_eq!(stats["sessions"], 2, "{stats}");
    assert_eq!(stats["messages"], 6, "both branches and the fork are kept: {stats}");
}

/// Opens the chat, which begins where it was left, and goes to the conversation before.
fn back_to_the_ferns(person: &Person) -> Screen {
    let mut screen = Screen::open(person);
    screen.wait_for("▏ a thought of its own");
    screen.press(key::CTRL_O);
    screen.wait_for("Who waters the ferns?");
    screen.press(key::DOWN);
    screen.press(key::ENTER);
    screen
}

#[test]
fn a_draft_outlives_a_restart() {
    let person = with_papers();
    let mut screen = Screen::open(&person);
    screen.ask("Who waters the ferns?");
    screen.wait_for("Duarte");
    screen.press("half a thought about the ferns");
    screen.wait_for("half a thought about the ferns");
    // Another conversation has another draft, and neither is lost by going back and forth.
    screen.press(key::CTRL_N);
    screen.wait_for(EMPTY);
    screen.press("a thought of its own");
    screen.wait_for("▏ a thought of its own");
    screen.leave();
    let mut screen = back_to_the_ferns(&person);
    screen.wait_for("▏ half a thought about the ferns");
    // Sent, it is a draft no more.
    screen.press("\x15");
    screen.ask("Who has the spare key?");
    screen.leave();
    let screen = back_to_the_ferns(&person);
    screen.wait_for("Who has the spare key?");
    screen.wait_for(EMPTY);
    screen.leave();
}

#[test]
fn a_question_sent_on_the_way_out_is_kept() {
    let person = with_papers();
    let mut screen = Screen::open(&person);
    screen.say("Who waters the ferns?");
    screen.leave();
    let asked = person.json(["memory", "stats"])["messages"].as_u64();
    assert!(asked >= Some(1), "the question was stored before icore ended");
}

#[test]
fn a_file_is_attached_and_the_conversation_is_written_to_another() {
    let person = with_papers();
    let letter = person.path("letter.txt");
    std::fs::write(&letter, "Dear Maya, the plumber comes on the ninth of March at eleven.\n").unwrap();
    let mut screen = Screen::open(&person);
    // A file that no folder of the memory has: the next question is answered from it alone.
    screen.say(&format!("/attach {}", letter.display()));
    screen.wait_for("from letter.txt only");
    screen.ask("When does the plumber come?");
    screen.wait_for("ninth of March");
    // Written down only after a yes.
    let written = person.path("talk.md");
    screen.say(&format!("/export {}", written.display()));
    screen.wait_for("y  write it");
    screen.press(key::ENTER);
    screen.wait_gone("y  write it");
    assert!(!written.exists(), "Enter is the safe answer");
    screen.say(&format!("/export {}", written.display()));
    screen.wait_for("y  write it");
    screen.press("y");
    screen.wait_for("written to ");
    screen.leave();
    let talk = std::fs::read_to_string(&written).unwrap();
    for said in ["When does the plumber come?", "ninth of March", "letter.txt"] {
        assert!(talk.contains(said), "{said:?} is missing: {talk}");
    }
    let log = person.json(["audit", "log", "-n", "50"]).to_string();
    let let_out = format!("{} bytes were saved to a file where the owner put them", talk.len());
    assert_eq!(log.matches(&let_out).count(), 1, "the ledger says how much was let out: {log}");
    assert!(!log.contains("plumber") && !log.contains("talk.md"), "and not what, or where: {log}");
}
