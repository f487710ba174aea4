//! Markdown as lines: what is shown for what, that a text which arrives in parts ends up the same, and that nothing
//! hostile is wider than asked, unclean or slow enough to matter.

#![allow(clippy::unwrap_used, reason = "a test stops where its own world breaks")]

use hinet_tui::markdown::{Document, Row, Wish, code_blocks, code_text};
use hinet_tui::text::is_unsafe;
use proptest::prelude::*;

fn wish(columns: usize) -> Wish {
    Wish { columns, breaks: true, mark: (0, 0) }
}

fn whole(text: &str, columns: usize) -> Document {
    let mut document = Document::default();
    document.set(text, wish(columns), true);
    document
}

fn shown(text: &str, columns: usize) -> String {
    let lines: Vec<String> = whole(text, columns).rows().iter().map(|row| row.words().trim_end().to_owned()).collect();
    lines.join("\n")
}

#[track_caller]
fn check(text: &str, columns: usize, expected: &[&str]) {
    assert_eq!(shown(text, columns), expected.join("\n"));
}

#[test]
fn paragraphs_headings_and_rules() {
    check("# Title\nwords *and* **more** `code`", 40, &["Title", "words and more code"]);
    check("one\ntwo\n\n\nthree\n***\n", 10, &["one", "two", "", "three", "──────────"]);
    check("a  \nb\\\nc", 10, &["a", "b", "c"]);
    check("the quick brown fox", 9, &["the quick", "brown fox"]);
    check(
        "<b>raw</b> &amp; html\n\n<div>\n  block\n</div>",
        40,
        &["<b>raw</b> & html", "", "<div>", "  block", "</div>"],
    );
}

#[test]
fn lists_hang_and_nest() {
    check(
        "- one that goes on to more\n  - two\n    1. three that goes on to more\n- [x] done\n- [ ] open\n",
        20,
        &[
            "• one that goes on",
            "  to more",
            "  • two",
            "    1. three that",
            "       goes on to",
            "       more",
            "• [x] done",
            "• [ ] open",
        ],
    );
    check("9. nine\n10. ten\n\n    more of ten\n", 30, &["9. nine", "10. ten", "", "    more of ten"]);
    check("- a\n\n- b\n- c", 30, &["• a", "", "• b", "• c"]);
    check("-\n- b", 30, &["•", "• b"]);
}

#[test]
fn quotations_have_bars() {
    check("> one two three\n>\n> > inner\n", 14, &["▏ one two", "▏ three", "▏", "▏ ▏ inner"]);
    check("> > > a deep one", 12, &["▏ a deep one"]);
}

#[test]
fn code_is_framed_and_never_rewrapped() {
    check(
        "see\n```rust\nlet x = 1;\n\n  let long_name = 22;\n```\nend",
        16,
        &["see", "── rust ────────", "let x = 1;", "", "  let long_name", "↪ = 22;", "────────────────", "end"],
    );
    check("- a\n  ```\n  x\n  ```\n- b", 14, &["• a", "  ────────────", "  x", "  ────────────", "• b"]);
    check("    indented\n\ttab", 12, &["────────────", "indented", "tab", "────────────"]);
    check("```py\nunfinished", 10, &["── py ────", "unfinished"]);
}

#[test]
fn tables_fit_or_become_records() {
    let table = "| Name | Price |\n|:-----|------:|\n| tea | 3 |\n| 東京 | 1,200 |\n";
    check(table, 40, &["Name │ Price", "─────┼──────", "tea  │     3", "東京 │ 1,200"]);
    let wide = "| Name | What it does |\n|---|---|\n| one | it says a long sentence |\n";
    check(wide, 22, &["Name │ What it does", "─────┼────────────────", "one  │ it says a long", "     │ sentence"]);
    check(
        "| Name | Purpose | Price |\n|-|-|-|\n| alpha | serving | 12 |\n| beta | | 9 |",
        14,
        &["Name: alpha", "Purpose:", "serving", "Price: 12", "────────", "Name: beta", "Price: 9"],
    );
}

#[test]
fn links_show_their_address() {
    check("[home](https://a.example/x)", 60, &["home (https://a.example/x)"]);
    check("<https://a.example/x> ![a cat](c.png)", 60, &["https://a.example/x [image: a cat]"]);
    let long = "https://a.example/with/a/path/that/is/rather/long";
    check(&format!("see [this]({long}) now"), 60, &["see this ↗1 now", &format!("↗1 {long}")]);
    check("a [ref][r]\n\n[r]: https://b.example/\n", 60, &["a [ref][r]", "", "[r]: https://b.example/"]);
}

#[test]
fn marks_that_cite_stay_marks() {
    check(
        "It leaves at 14:39.[1][2]\n\n[1]: https://b.example/",
        60,
        &["It leaves at 14:39.[1][2]", "", "[1]: https://b.example/"],
    );
}

#[test]
fn rows_know_their_source() {
    let text = "# Head\n\nfirst second third\n\n- item **bold**\n\n```rs\nlet a;\nlet b;\n```\n";
    let document = whole(text, 12);
    let of = |row: &Row| text.get(row.source.clone()).unwrap().to_owned();
    let sources: Vec<String> = document.rows().iter().map(of).collect();
    assert!(sources.contains(&"first second".to_owned()), "{sources:?}");
    assert!(sources.contains(&"let b;".to_owned()), "{sources:?}");
    let item = document.row_of(text.find("bold").unwrap());
    assert!(document.rows()[item].words().contains("bold"));
}

#[test]
fn code_blocks_are_found_where_the_rows_say() {
    let text = "a\n```rust\nfn a() {}\n```\n- b\n\n  ```sh\n  ls\n  ```\n\n    four\n\n```\nopen\nend";
    let found: Vec<(String, &str)> = code_blocks(text).into_iter().map(|(l, r)| (l, &text[r])).collect();
    let of = |l: &str, code| (l.to_owned(), code);
    assert_eq!(found[0], of("rust", "fn a() {}\n"));
    assert_eq!(found[1], of("sh", "ls\n"));
    assert_eq!(found.last().unwrap(), &of("", "open\nend"));
    assert_eq!(found.len(), whole(text, 40).codes().len());
    let nested = "- a\n\n  ```sh\n  ls\n    -l\n\n  pwd\n  ```\n\n> ```\n> x\n>  y\n> ```\n";
    let texts: Vec<String> = code_blocks(nested).iter().map(|(_, range)| code_text(nested, range)).collect();
    assert_eq!(texts, ["ls\n  -l\n\npwd\n", "x\n y\n"]);
}

/// Markdown by chance: pieces that matter, in any order.
fn markdown() -> impl Strategy<Value = String> {
    let bits = prop_oneof![
        Just("\n"),
        Just("\n\n"),
        Just("# "),
        Just("- "),
        Just("1. "),
        Just("  "),
        Just("    "),
        Just("> "),
        Just("```"),
        Just("```rust\n"),
        Just("~~~\n"),
        Just("**"),
        Just("*"),
        Just("`"),
        Just("~~"),
        Just("[1]"),
        Just("[a](b)"),
        Just("![i](u)"),
        Just("<b>"),
        Just("| a | b |\n"),
        Just("|---|:-:|\n"),
        Just("| 東 | c |\n"),
        Just("---\n"),
        Just("===\n"),
        Just("word "),
        Just("longer-words and spaces "),
        Just("世界"),
        Just("é\u{301}"),
        Just("\t"),
        Just("\r\n"),
        Just("[r]: x\n"),
        Just("[ ] "),
        Just("\\"),
        Just("👩‍💻"),
        Just("<!-- "),
        Just("&amp;"),
        Just("|"),
    ];
    prop::collection::vec(bits, 0..60).prop_map(|bits| bits.concat())
}

fn sane(rows: &[Row], columns: usize) {
    for row in rows {
        assert!(row.columns() <= columns, "{columns}: {:?}", row.words());
        assert!(!row.words().chars().any(is_unsafe), "{:?}", row.words());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_end_up_as_the_whole(text in markdown(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        ends.sort_unstable();
        let mut grown = Document::default();
        for end in ends.into_iter().filter(|end| text.is_char_boundary(*end)) {
            grown.set(&text[..end], wish(30), false);
            let mut alone = Document::default();
            alone.set(&text[..end], wish(30), false);
            prop_assert_eq!(grown.rows(), alone.rows());
        }
        grown.set(&text, wish(30), true);
        let whole = whole(&text, 30);
        prop_assert_eq!(grown.rows(), whole.rows());
        prop_assert_eq!(grown.codes(), whole.codes());
        prop_assert_eq!(code_blocks(&text).len(), whole.codes().len());
    }

    #[test]
    fn no_line_is_too_wide_or_unclean(text in markdown(), columns in 2_usize..50) {
        sane(whole(&text, columns).rows(), columns);
        let mut plain = Document::default();
        plain.set_plain(&text, wish(columns));
        sane(plain.rows(), columns);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), columns in 1_usize..80) {
        let text = String::from_utf8_lossy(&bytes);
        let rows = whole(&text, columns);
        sane(rows.rows(), columns);
        for row in rows.rows() {
            prop_assert!(row.source.end <= text.len());
        }
    }
}

#[test]
fn what_is_finished_never_moves() {
    let text = "# A\n\nfirst **bold** words\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```rust\nlet x = 1;\n```\n\n- one\n- two\n\n  more\n\nlast *words\n-";
    let mut document = Document::default();
    let mut before: Vec<Row> = Vec::new();
    for (end, _) in text.char_indices() {
        document.set(&text[..end], wish(20), false);
        // All but the open piece: up to the last row that is blank or a rule of code.
        let settled = text[..end].rfind("\n\n").map_or(0, |at| at + 2);
        let rows: Vec<Row> =
            document.rows().iter().filter(|row| !row.source.is_empty() && row.source.end < settled).cloned().collect();
        for (old, new) in before.iter().zip(&rows) {
            assert_eq!(old.words(), new.words(), "after {:?}", &text[..end]);
        }
        before = rows;
    }
    assert!(!before.is_empty());
}

#[test]
fn hostile_texts_are_harmless() {
    let texts = [
        "> ".repeat(10_000) + "deep",
        "> ".repeat(10_000) + "deep\n" + &"> ".repeat(5_000) + "deeper\n",
        "- ".repeat(5_000) + "deep",
        "x".repeat(1_000_000),
        "```\n".to_owned() + &"x".repeat(1_000_000),
        format!("|{}\n|{}\n|{}\n", " a |".repeat(1000), "---|".repeat(1000), " b |".repeat(1000)),
        "\x1b[31mred\x1b]0;title\x07\u{202e}evil\u{202c} [\u{202e}x](\x1b]8;;http://e\x07)\n```\x1b[2J\n\x1b[2J\n```"
            .repeat(200),
        "[".repeat(20_000),
        "*a ".repeat(10_000),
        "**a_".repeat(5_000),
        "`a``".repeat(5_000),
        "<".repeat(20_000),
        "\u{301}".repeat(50_000),
        "- a\n".repeat(50_000),
        "1. a\n\n".repeat(20_000),
        "[a]: b\n".repeat(5_000),
        "\n".repeat(100_000),
        "\r".repeat(30_000),
        "a\u{2028}".repeat(10_000),
    ];
    for text in &texts {
        for columns in [1, 7, 76] {
            let document = whole(text, columns);
            sane(document.rows(), columns);
        }
    }
}
