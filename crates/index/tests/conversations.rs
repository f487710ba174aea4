//! Searching conversations: who says it, what it answers, when it was, and what a second search adds.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod testkit;

use hinet_index::{Index, Query, Stages, chunk};
use hinet_protocol::{Hit, ItemId};
use testkit::{Kit, NOW};

const DAY: i64 = 24 * 3600 * 1000;

fn put(kit: &Kit, name: &str, modified: i64, said: &str) {
    let text = format!("Chat: {name} (WhatsApp)\nFrom: Ana, Bo\nDate: some day\n\n{said}");
    let mut row = kit.row(ItemId::new(), name, &text);
    (row.kind, row.modified) = ("chat".into(), modified);
    let drafts = chunk(&row.text, &row.kind);
    kit.vault.write(|tx| tx.put_item(&row, &drafts)).unwrap();
}

fn asked(index: &Index, kit: &Kit, text: &str, stages: Stages) -> Vec<Hit> {
    let query = Query { text: text.into(), k: 5, now: NOW, stages, ..Query::default() };
    index.search(&kit.vault, &query).unwrap()
}

fn first(index: &Index, kit: &Kit, text: &str, stages: Stages) -> String {
    asked(index, kit, text, stages).first().map(|hit| hit.text.clone()).unwrap_or_default()
}

#[test]
fn who_is_asked_about_is_who_says_it() {
    let kit = Kit::new();
    put(
        &kit,
        "Talk",
        NOW,
        "[09:00] Ana: Ana here, good morning to everybody in the house.\n\
         [09:01] Bo: Ana, the garden pond, Ana, our garden pond is frozen again this winter.\n\
         [09:02] Ana: My own garden pond has a heater, it never freezes over.\n\
         [09:03] Bo: I see, that is what one needs up there.\n",
    );
    let (index, _) = kit.open();
    let hit = first(&index, &kit, "What about Ana's garden pond?", Stages::default());
    assert!(hit.contains("heater"), "{hit}");
    let without = Stages { speaker: false, ..Stages::default() };
    assert!(first(&index, &kit, "What about Ana's garden pond?", without).contains("again this winter"));
}

#[test]
fn an_answer_is_found_by_what_it_answers() {
    let kit = Kit::new();
    put(
        &kit,
        "Talk",
        NOW,
        "[09:00] Ana: It rains, so we all stay at home today.\n\
         [09:01] Ana: By the way, which colour did you paint the rowing boat in the end?\n\
         [09:02] Bo: Bright green with a thin white stripe, it dried overnight.\n\
         [09:03] Ana: Somebody called about the rent, they will call again.\n",
    );
    let (index, _) = kit.open();
    let found = asked(&index, &kit, "paint of the rowing boat", Stages::default());
    assert!(found.iter().any(|hit| hit.text.contains("Bright green")), "{found:?}");
    let bare = Stages { before: false, second: false, ..Stages::default() };
    assert!(!asked(&index, &kit, "paint of the rowing boat", bare).iter().any(|hit| hit.text.contains("Bright green")));
}

#[test]
fn the_time_asked_about_is_the_time_of_what_is_told() {
    let kit = Kit::new();
    let said = |what: &str| format!("[09:00] Ana: We met at the harbour and talked about {what} for an hour.\n");
    put(&kit, "First", NOW - 40 * DAY, &said("sails and ropes"));
    put(&kit, "Second", NOW - 5 * DAY, &said("the harbour, the harbour fee and money"));
    let (index, _) = kit.open();
    let question = "What did we talk about at the harbour on 22 November 2025?";
    assert!(first(&index, &kit, question, Stages::default()).contains("sails"));
    assert!(first(&index, &kit, question, Stages { time: false, ..Stages::default() }).contains("fee"));
}

#[test]
fn a_second_search_finds_what_the_first_hits_lead_to() {
    let kit = Kit::new();
    kit.put("one.md", "The expedition boat is called Kittiwake, says the port.");
    kit.put("two.md", "Kittiwake was repaired by Lindqvist, who also built her keel.");
    kit.put("three.md", "Nothing here is about any of it.");
    let (index, _) = kit.open();
    let found = asked(&index, &kit, "expedition boat", Stages::default());
    assert!(found.iter().any(|hit| hit.text.contains("Lindqvist")), "{found:?}");
    let once = asked(&index, &kit, "expedition boat", Stages { second: false, ..Stages::default() });
    assert!(!once.iter().any(|hit| hit.text.contains("Lindqvist")));
    // Words are left out, and with them the second search; without a vector nothing is left.
    assert!(asked(&index, &kit, "expedition boat", Stages { words: false, ..Stages::default() }).is_empty());
}

#[test]
fn past_forms_are_found_by_their_verbs() {
    let kit = Kit::new();
    kit.put("one.md", "We bought the lantern in Porto.");
    let (index, _) = kit.open();
    assert_eq!(asked(&index, &kit, "when did we buy it", Stages::default()).len(), 1);
}
