//! What is taken out before bytes leave: personal data that has a shape.
//!
//! Recognised are mail addresses, telephone numbers, payment card numbers and IBANs (by their checksums), social security
//! numbers as they are written in the United States, addresses of machines (IP, URL, domain) and secrets (keys, tokens, passwords that are named as such). Names of people, places and
//! street addresses are not recognised, nor is anything said in words: no model is asked. A filter that names another
//! kind withholds nothing for it. Measured in `tests/filter.rs`.

mod numbers;
mod secrets;
mod shapes;

use hinet_protocol::Filter;
use std::collections::HashMap;
use std::ops::Range;

/// The kinds that are recognised, as a [`Filter`] names them.
pub const KINDS: &[&str] = &["secret", "email", "iban", "card", "host", "id", "phone"];

/// Something that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spotted {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// Where it lies, in bytes.
    pub span: Range<usize>,
}

/// A text after its filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filtered {
    /// What is left.
    pub text: String,
    /// Spans that were taken out.
    pub withheld: u64,
}

/// Everything that is recognised in a text, in its order, none overlapping. Where two kinds claim the same bytes the
/// earlier of [`KINDS`] has them.
#[must_use]
pub fn spot(text: &str) -> Vec<Spotted> {
    let mut all: Vec<(usize, Range<usize>)> = Vec::new();
    let found = [
        secrets::secrets(text),
        shapes::emails(text),
        numbers::ibans(text),
        numbers::cards(text),
        shapes::hosts(text),
        numbers::ids(text),
        numbers::phones(text),
    ];
    for (rank, spans) in found.into_iter().enumerate() {
        for span in spans {
            if all.iter().all(|(_, known)| span.end <= known.start || known.end <= span.start) {
                all.push((rank, span));
            }
        }
    }
    all.sort_by_key(|(_, span)| span.start);
    all.into_iter().map(|(rank, span)| Spotted { kind: KINDS[rank], span }).collect()
}

/// Takes out of a text what the filter withholds: each span becomes a placeholder such as `⟦EMAIL-1⟧`, the same text
/// always the same one, or the sentence around it goes.
#[must_use]
pub fn withhold(text: &str, filter: &Filter) -> Filtered {
    let withheld = |kind: &str| filter.withhold.iter().any(|named| named == "*" || named.eq_ignore_ascii_case(kind));
    let spotted: Vec<Spotted> = spot(text).into_iter().filter(|found| withheld(found.kind)).collect();
    let count = spotted.len() as u64;
    let left = if filter.placeholders { replaced(text, &spotted) } else { without_sentences(text, &spotted) };
    Filtered { text: left, withheld: count }
}

fn replaced(text: &str, spotted: &[Spotted]) -> String {
    let mut numbers: HashMap<(&str, &str), usize> = HashMap::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for found in spotted {
        let number = *numbers.entry((found.kind, &text[found.span.clone()])).or_insert_with(|| {
            let count = counts.entry(found.kind).or_default();
            *count += 1;
            *count
        });
        out.push_str(&text[at..found.span.start]);
        out.push_str(&format!("⟦{}-{number}⟧", found.kind.to_uppercase()));
        at = found.span.end;
    }
    out.push_str(&text[at..]);
    out
}

fn without_sentences(text: &str, spotted: &[Spotted]) -> String {
    let mut out = String::with_capacity(text.len());
    for sentence in sentences(text) {
        if spotted.iter().all(|found| found.span.end <= sentence.start || sentence.end <= found.span.start) {
            out.push_str(&text[sentence]);
        }
    }
    out.trim().to_owned()
}

/// The sentences of a text with the white space after them; together they are the text.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let (mut all, mut start, mut ended) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if ended && !c.is_whitespace() {
            all.push(start..at);
            (start, ended) = (at, false);
        }
        let stop = matches!(c, '.' | '!' | '?' | '…')
            && text[at + c.len_utf8()..].chars().next().is_none_or(char::is_whitespace);
        ended |= stop || c == '\n';
    }
    if start < text.len() {
        all.push(start..text.len());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_become_placeholders_or_their_sentences_go() {
        let text = "Write to ana@x.pt or bo@x.org. Call +351 912 345 678!\nThe train leaves at 14:39. Not ana@x.pt.";
        let all = withhold(text, &Filter::default());
        assert_eq!(
            all.text,
            "Write to ⟦EMAIL-1⟧ or ⟦EMAIL-2⟧. Call ⟦PHONE-1⟧!\nThe train leaves at 14:39. Not ⟦EMAIL-1⟧."
        );
        assert_eq!(all.withheld, 4);
        let drop = Filter { withhold: vec!["*".into()], placeholders: false };
        assert_eq!(withhold(text, &drop).text, "The train leaves at 14:39.");
        let phones = Filter { withhold: vec!["Phone".into(), "person".into()], placeholders: true };
        assert!(withhold(text, &phones).text.starts_with("Write to ana@x.pt or bo@x.org. Call ⟦PHONE-1⟧!"));
        let nothing = Filter { withhold: Vec::new(), placeholders: true };
        assert_eq!(withhold(text, &nothing), Filtered { text: text.to_owned(), withheld: 0 });
    }

    #[test]
    fn sentences_are_the_whole_text() {
        for text in ["", "a", "One. Two!  Three?\n\nfour 3.5 five.", "é… à\n", " . ", "a.b. c"] {
            assert_eq!(sentences(text).into_iter().map(|range| &text[range]).collect::<String>(), text);
        }
        assert_eq!(sentences("One. Two!\nfour 3.5 five.").len(), 3);
    }
}
