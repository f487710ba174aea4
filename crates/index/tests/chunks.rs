//! What chunking promises for any text, and how it reads the usual kinds.

use hinet_index::chunk;
use proptest::prelude::*;

const KINDS: [&str; 4] = ["markdown", "text", "code", "chat"];

fn check_promises(text: &str, kind: &str) {
    let chunks = chunk(text, kind);
    let mut covered = 0;
    for c in &chunks {
        let (start, end) = (c.span.start, c.span.end);
        assert!(start >= covered && start < end && end <= text.len(), "order and bounds of {:?} in {kind}", c.span);
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
        assert!(text[covered..start].trim().is_empty(), "nothing visible is left out in {kind}");
        let inside = &text[start..end];
        assert_eq!(inside.trim(), inside, "no white space at the ends");
        assert!(inside.split_whitespace().count() <= 240, "a chunk stays a passage");
        assert!(inside.len() <= 8 * 1024, "a chunk stays small in bytes too");
        covered = end;
    }
    assert!(text[covered..].trim().is_empty(), "nothing visible is left out at the end in {kind}");
}

fn fragments() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("# Heading\n".to_owned()),
        Just("## 見出し\r\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("```rust\n".to_owned()),
        Just("```\n".to_owned()),
        Just("~~~\n".to_owned()),
        Just("- item ".to_owned()),
        Just("1. one\n".to_owned()),
        Just("===\n".to_owned()),
        Just("---\n".to_owned()),
        Just("fn f() {\n    x\n}\n".to_owned()),
        Just("\u{feff}\u{200b}\u{85}\u{2028}".to_owned()),
        Just("e\u{301}👩‍👩‍👧‍👦".to_owned()),
        Just("x".repeat(3000)),
        Just("長".repeat(900)),
        Just("word ".repeat(300)),
        Just("A sentence. ".repeat(60)),
        Just("Ann: hi there\n".repeat(40)),
        Just("From: Ann, Bo\n\n".to_owned()),
        Just("[09:00] Ann: hi there\n[10:00] Bo: and how are you today\n".repeat(20)),
        "\\PC{0,40}",
        ".{0,20}",
    ];
    proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_visible_character_is_in_exactly_one_chunk(text in fragments()) {
        KINDS.iter().for_each(|kind| check_promises(&text, kind));
    }

    #[test]
    fn any_string_at_all(text in any::<String>()) {
        KINDS.iter().for_each(|kind| check_promises(&text, kind));
    }
}

#[test]
fn a_short_text_is_one_chunk() {
    for (text, kind) in
        [("Just a line.", "text"), ("# A\n\nb\n\n## C\n\nd\n", "markdown"), ("fn a() {}\n\nfn b() {}\n", "code")]
    {
        let chunks = chunk(text, kind);
        assert_eq!(chunks.len(), 1, "{kind}");
        assert_eq!(&text[chunks[0].span.start..chunks[0].span.end], text.trim());
    }
    assert!(chunk(" \n\t\u{2003}", "text").is_empty());
}

#[test]
fn headings_travel_with_their_sections() {
    let section = |n: usize| format!("{}\n\n", format!("Sentence number {n} says something plain. ").repeat(12));
    let text = format!(
        "# Guide\n\n{}## Setup\n\n{}### Keys\n\n{}Usage\n-----\n\n{}",
        section(1),
        section(2),
        section(3),
        section(4)
    );
    let headings: Vec<String> = chunk(&text, "markdown").into_iter().map(|c| c.heading).collect();
    assert_eq!(headings, ["Guide", "Guide › Setup", "Guide › Setup › Keys", "Guide › Usage"]);
    let starts: Vec<bool> =
        chunk(&text, "markdown").iter().map(|c| text[c.span.start..].starts_with(['#', 'U'])).collect();
    assert_eq!(starts, [true; 4], "a heading opens the chunk of its section");
}

#[test]
fn a_fence_that_fits_is_not_cut_and_hides_headings() {
    let fence = format!("```python\n{}```\n", "# not a heading\nvalue = compute(1)\n\n".repeat(8));
    let text = format!("# Title\n\n{}\n{fence}\n{}", "Some words here. ".repeat(35), "More words there. ".repeat(35));
    let chunks = chunk(&text, "markdown");
    assert!(chunks.len() > 1);
    assert!(chunks.iter().any(|c| text[c.span.start..c.span.end].contains(fence.trim())));
    assert!(chunks.iter().all(|c| c.heading == "Title"));
}

#[test]
fn code_is_cut_between_definitions_and_named_by_them() {
    let function =
        |name: &str| format!("def {name}(a, b):\n{}\n\n", "    total = total + compute(a, b)\n\n".repeat(10));
    let text = format!("import os\n\n{}{}{}", function("first"), function("second"), function("third"));
    let chunks = chunk(&text, "code");
    assert!(chunks.len() >= 3, "{chunks:?}");
    for name in ["first", "second", "third"] {
        assert!(chunks.iter().any(|c| c.heading.contains(name)), "{name} in {chunks:?}");
    }
}

#[test]
fn prose_is_cut_at_sentences() {
    let text = "This sentence has exactly seven words inside. ".repeat(90);
    let chunks = chunk(&text, "text");
    assert!(chunks.len() >= 4);
    for c in chunks {
        let words = text[c.span.start..c.span.end].split_whitespace().count();
        assert!((90..=180).contains(&words), "{words} words");
        assert!(text[c.span.start..c.span.end].ends_with("inside."));
    }
}

#[test]
fn ten_megabytes_take_ten_times_one_megabyte() {
    // Work is counted as chunks made, not as time: a quadratic reading would not end within any patience at 10 MB.
    for (kind, part) in [
        ("text", "One more sentence of a very long book. "),
        ("markdown", "## H\n\n- item with words\n"),
        ("code", "let value = other;\n"),
        ("code", "x=1;y=2;"),
    ] {
        let one = chunk(&part.repeat(1_000_000 / part.len()), kind).len();
        let ten = chunk(&part.repeat(10_000_000 / part.len()), kind).len();
        assert!(one > 100 && ten.abs_diff(10 * one) <= one / 5, "{kind}: {one} and {ten}");
    }
}
