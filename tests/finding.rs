//! Finding one's way in the face: the palette, the timeline of the memory, and names after `@`. Driven as a person would,
//! through the built `icore` in a pseudo-terminal.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod support;

use std::fs::File;
use std::time::{Duration, SystemTime};

use support::Person;
use support::screen::{EMPTY, Screen, key};

/// A person with three papers of three years, two of which answer the same question.
fn with_papers() -> Person {
    let person = Person::settled();
    // About noon in UTC, so that the day is the same nearly everywhere.
    for (name, text, at) in [
        ("porto.md", "# Trip to Porto\n\nThe train leaves at 14:39 from Oriente, coach 21.\n", 1_699_964_000),
        ("lisbon.md", "# Trip to Lisbon\n\nThe train leaves at 08:15 from Campanha, coach 4.\n", 1_600_000_000),
        ("boiler.md", "# Boiler\n\nThe boiler was serviced by Joaquim Teles.\n", 1_500_036_000),
    ] {
        let path = person.file(name, text);
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    }
    person.icore(["sources".as_ref(), "add".as_ref(), person.files().as_os_str()]);
    person
}

#[test]
fn the_palette_does_what_some_of_its_letters_say() {
    let person = with_papers();
    let mut screen = Screen::open(&person);
    screen.press("what I am typing");
    screen.wait_for("▏ what I am typing");
    screen.press(key::CTRL_K);
    screen.wait_for("what to do · Enter does it");
    // The beginning of its name, whatever else has the word in it; the key that would have done it stands beside it.
    screen.press("mem");
    screen.wait_for("▸ memory");
    assert!(screen.shown().lines().any(|line| line.contains("▸ memory") && line.contains("F3")), "{}", screen.shown());
    screen.press(key::ENTER);
    screen.wait_for("memory · search");
    screen.wait_gone("what to do");
    // What was chosen comes first the next time; what is called nothing does nothing.
    screen.press(key::CTRL_K);
    screen.wait_for("▸ memory");
    screen.press("qqzzxx");
    screen.wait_for("Nothing here is called that");
    screen.press(key::ENTER);
    screen.press(key::ESC);
    screen.wait_gone("what to do");
    assert!(screen.shows("memory · search"), "nothing was done: {}", screen.shown());
    // Another one, moved to with the arrows: the help, over the pane.
    screen.press(key::CTRL_K);
    screen.wait_for("▸ memory");
    for _ in 0..20 {
        if screen.shows("▸ help") {
            break;
        }
        let before = chosen(&screen.shown());
        screen.press(key::DOWN);
        screen.wait_until("the next line", |shown| chosen(shown).is_some_and(|now| Some(now) != before));
    }
    screen.wait_for("▸ help");
    screen.press(key::ENTER);
    screen.wait_for("the keys · type to search");
    screen.press(key::ESC);
    screen.wait_gone("the keys · type to search");
    // A command with more to say begins in the input, before what was typed there.
    screen.press(key::F2);
    screen.wait_for("▏ what I am typing");
    screen.press(key::CTRL_K);
    screen.wait_for("what to do · Enter does it");
    screen.press("/title");
    screen.wait_for("▸ /title TITLE");
    screen.press(key::ENTER);
    screen.wait_for("▏ /title what I am typing");
    screen.leave();
}

/// The selected line of a list.
fn chosen(shown: &str) -> Option<String> {
    shown.lines().find(|line| line.contains('▸')).map(str::to_owned)
}

#[test]
fn the_timeline_lists_what_is_remembered_and_opens_it() {
    let person = with_papers();
    let mut screen = Screen::open(&person);
    screen.press(key::F3);
    screen.wait_for("3 items in ");
    // Newest first, under their days.
    let days = ["Tuesday, 14 November 2023", "Sunday, 13 September 2020", "Friday, 14 July 2017"];
    let order = |shown: &str, names: &[&str]| {
        let at: Option<Vec<usize>> = names.iter().map(|name| shown.find(name)).collect();
        at.is_some_and(|at| at.is_sorted())
    };
    screen.wait_until("the days", |shown| order(shown, &days));
    assert!(order(&screen.shown(), &["porto.md", "lisbon.md", "boiler.md"]), "{}", screen.shown());
    // Down from the search, to the second one, and into it.
    screen.press(key::DOWN);
    screen.press(key::DOWN);
    screen.press(key::ENTER);
    screen.wait_for("item · ");
    screen.wait_for("The train leaves at 08:15");
    // On to the next of the list and back, without leaving the item.
    screen.press("]");
    screen.wait_for("Joaquim Teles");
    screen.press("[");
    screen.wait_for("The train leaves at 08:15");
    screen.press(key::ESC);
    screen.wait_gone("item · ");
    // Pinned, it stands before everything, and stays chosen.
    screen.press("p");
    screen.wait_until("the pin", |shown| order(shown, &["pinned", "lisbon.md", days[0], "porto.md", "boiler.md"]));
    screen.press(key::ENTER);
    screen.wait_for("The train leaves at 08:15");
    screen.press(key::ESC);
    screen.wait_gone("item · ");
    // Operators alone confine it; Esc brings everything back.
    screen.press(key::UP);
    screen.say("before:2018-01-01");
    screen.wait_until("one item", |shown| shown.contains("boiler.md") && !shown.contains("porto.md"));
    screen.press(key::ESC);
    screen.wait_until("all of them", |shown| order(shown, &["pinned", "porto.md", "boiler.md"]));
    screen.leave();
    let pinned = person.json(["memory", "timeline", "is:pinned"]);
    let names: Vec<_> = pinned["items"].as_array().unwrap().iter().filter_map(|item| item["source"].as_str()).collect();
    assert!(names.len() == 1 && names[0].ends_with("lisbon.md"), "{names:?}");
}

#[test]
fn a_name_after_an_at_confines_the_question_to_it() {
    let person = with_papers();
    let mut screen = Screen::open(&person);
    for (typed, taken_by, name, answer, other) in [
        ("@lisb", key::TAB, "Trip to Lisbon", "08:15", "14:39"),
        ("@port", key::ENTER, "Trip to Porto", "14:39", "08:15"),
    ] {
        screen.press(key::CTRL_N);
        screen.wait_for(EMPTY);
        screen.press(typed);
        screen.wait_for("point at");
        screen.wait_until("the file first", |shown| {
            shown
                .lines()
                .skip_while(|line| !line.contains("point at"))
                .nth(1)
                .is_some_and(|line| line.contains(&format!("@{name}")) && line.contains("file · "))
        });
        screen.press(taken_by);
        screen.wait_for(&format!("from {name} only"));
        screen.wait_gone("point at");
        screen.press("when does the train leave?");
        screen.wait_for(&format!("▏ @{name} when does the train leave?"));
        screen.press(key::ENTER);
        screen.wait_until("the end of the answer", |shown| shown.contains(EMPTY) && !shown.contains("(Esc stops)"));
        screen.wait_for(answer);
        screen.wait_for("[1]");
        assert!(!screen.shows(other), "only what was pointed at is read: {}", screen.shown());
        // The citation is of that file.
        screen.press(key::ALT_1);
        screen.wait_for("item · ");
        screen.wait_until("the file", |shown| shown.contains(name) && shown.contains("coach"));
        screen.press(key::ESC);
        screen.wait_gone("item · ");
    }
    // A name that is nobody's is a word like any other.
    screen.press(key::CTRL_N);
    screen.wait_for(EMPTY);
    screen.press("@qqzzxx");
    screen.wait_for("▏ @qqzzxx");
    assert!(!screen.shows("point at") && !screen.shows(" only · "), "{}", screen.shown());
    screen.leave();
}
