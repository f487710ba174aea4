//! Texts that are searched for what is personal, and what the owner types to find something.

use super::{Room, pieces};
use hinet_consent::{KINDS, spot, withhold};
use hinet_index::{Asked, Query};
use hinet_protocol::Filter;
use jiff::tz::TimeZone;

/// When the question is asked.
const NOW: i64 = 1_700_000_000_000;
/// Bytes that a placeholder may be longer than what it stands for.
const PLACEHOLDER: usize = 40;

/// A text that is about to leave, or a search line.
pub fn words(room: &Room, input: &[u8]) {
    let (form, rest) = pieces::form(input, 2);
    let text = String::from_utf8_lossy(rest);
    if form == 0 { leaving(&text) } else { asked(room, &text) }
}

/// The detectors, and what is taken out by them.
fn leaving(text: &str) {
    let spotted = spot(text);
    assert!(spotted == spot(text), "looked at twice, it is not the same");
    let mut end = 0;
    for found in &spotted {
        assert!(KINDS.contains(&found.kind) && end <= found.span.start && found.span.start <= found.span.end);
        assert!(text.get(found.span.clone()).is_some(), "{found:?} is not on the boundaries of characters");
        end = found.span.end;
    }
    let all = Filter { withhold: vec!["*".to_owned()], placeholders: true };
    let left = withhold(text, &all);
    assert_eq!(left.withheld, spotted.len() as u64);
    assert!(left.text.len() <= text.len() + PLACEHOLDER * spotted.len(), "{} bytes of {}", left.text.len(), text.len());
    let dropped = withhold(text, &Filter { placeholders: false, ..all });
    assert!(dropped.text.len() <= text.len());
}

/// A search line, read, and a search for it in an empty memory, which looks for the time that it asks about.
fn asked(room: &Room, line: &str) {
    let text = match Asked::read(line, &TimeZone::UTC) {
        Ok(asked) => {
            assert!(asked == Asked::read(line, &TimeZone::UTC).expect("the same"), "read twice, it is not the same");
            let filter = &asked.filter;
            let parts = filter.from.iter().chain(&filter.places).chain(&filter.kinds).chain(&filter.labels);
            let kept: usize = parts.chain(&asked.phrases).map(String::len).sum();
            // A letter in lower case may be three times as long.
            assert!(kept + asked.words.len() <= 3 * line.len(), "{asked:?}");
            asked.text()
        }
        Err(why) => {
            assert!(!why.to_string().is_empty());
            line.to_owned()
        }
    };
    let memory = room.memory();
    let query = Query { text, k: 8, now: NOW, ..Query::default() };
    let found = memory.index.search(&memory.vault, &query).expect("a search");
    assert!(found.is_empty());
}
