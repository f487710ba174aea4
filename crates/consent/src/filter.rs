//! What is taken out before bytes leave: personal data.
//!
//! By their shape and their sums: mail addresses, telephone numbers, payment cards, IBANs, numbers by which a state knows
//! a person, addresses of machines (IP, URL, domain) and secrets (keys, tokens, passwords that are named as such). By the
//! words around them: dates of birth, street addresses, identifiers that are named as such, and names of people. No
//! language model is asked: names come from lists and a small linear model. What is said in words alone (that somebody
//! is ill, where somebody works) is not recognised. Measured in `tests/filter.rs` and `tests/personal.rs`.

mod addresses;
mod births;
mod checks;
mod ids;
mod lexicon;
mod names;
mod numbers;
mod phones;
mod secrets;
mod shapes;
mod tokens;
mod words;

use hinet_protocol::Filter;
use std::collections::HashMap;
use std::ops::Range;

/// The kinds that are recognised, as a [`Filter`] names them.
pub const KINDS: &[&str] = &["secret", "email", "iban", "card", "host", "id", "phone", "birth", "address", "name"];

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

/// Bytes looked at together for what depends on words, so that a long text needs little memory.
const PIECE: usize = 16 * 1024;

/// Everything that is recognised in a text, in its order, none overlapping. Where two kinds claim the same bytes the
/// earlier of [`KINDS`] has them; of an address or a name the rest stays.
#[must_use]
pub fn spot(text: &str) -> Vec<Spotted> {
    let (mut births, mut addresses, mut names, mut named) = (Vec::new(), Vec::new(), Vec::new(), ids::shaped(text));
    let (mut at, mut recent) = (0, lexicon::Recent::new());
    while at < text.len() {
        let end = piece_end(text, at);
        let piece = &text[at..end];
        let words = words::words(piece, &mut recent);
        let moved = |spans: Vec<Range<usize>>| spans.into_iter().map(move |span| at + span.start..at + span.end);
        named.extend(moved(ids::named(piece, &words)));
        births.extend(moved(births::births(piece, &words)));
        addresses.extend(moved(addresses::addresses(piece, &words)));
        names.extend(moved(names::names(piece, &words)));
        at = end;
    }
    let found = [
        secrets::secrets(text),
        shapes::emails(text),
        numbers::ibans(text),
        numbers::cards(text),
        shapes::hosts(text),
        named,
        phones::phones(text),
        births,
        addresses,
        names,
    ];
    let mut all: Vec<(usize, Range<usize>)> = Vec::new();
    for (rank, spans) in found.into_iter().enumerate() {
        let more = beside(text, &all, spans, rank > 7);
        all.extend(more.into_iter().map(|span| (rank, span)));
        all.sort_by_key(|(_, span)| span.start);
    }
    all.into_iter().map(|(rank, span)| Spotted { kind: KINDS[rank], span }).collect()
}

/// The spans, in order, that do not overlap what is known; where the rest of one is of use, what is left of it.
fn beside(text: &str, known: &[(usize, Range<usize>)], mut spans: Vec<Range<usize>>, keep: bool) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| span.start);
    let (mut out, mut at, mut end) = (Vec::with_capacity(spans.len()), 0, 0);
    for span in spans {
        let mut start = span.start.max(end);
        while known.get(at).is_some_and(|(_, other)| other.end <= start) {
            at += 1;
        }
        let mut next = at;
        let mut parts = Vec::new();
        while let Some((_, other)) = known.get(next).filter(|(_, other)| other.start < span.end) {
            parts.push(start..other.start.max(start));
            start = other.end.max(start);
            next += 1;
        }
        if next == at && start < span.end {
            out.push(start..span.end);
        } else if keep {
            parts.push(start.min(span.end)..span.end);
            let of_use = |part: &Range<usize>| text[part.clone()].split_whitespace().count() > 1;
            let rest = parts.into_iter().filter(of_use).map(|part| trimmed(text, part));
            // Of signs alone nothing is left, and an empty span at the beginning of another one would come after it.
            out.extend(rest.filter(|part| !part.is_empty()));
        }
        end = end.max(span.end);
    }
    out
}

/// A span without the signs and the white space at its ends.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let inner = &text[span.clone()];
    let is_out = |c: char| !c.is_alphanumeric();
    let start = span.start + inner.len() - inner.trim_start_matches(is_out).len();
    start..(span.start + inner.trim_end_matches(is_out).len()).max(start)
}

/// Where a piece that begins at `at` ends: after an empty line, else after a line, else after a word, else anywhere.
fn piece_end(text: &str, at: usize) -> usize {
    if text.len() - at <= PIECE {
        return text.len();
    }
    let most = text.floor_char_boundary(at + PIECE);
    let piece = &text[at..most];
    let half = piece.ceil_char_boundary(PIECE / 2);
    let end = piece[half..].rfind("\n\n").map(|end| end + 1).or_else(|| piece[half..].rfind('\n'));
    end.or_else(|| piece[half..].rfind(' ')).map_or(most, |end| at + half + end + 1)
}

/// Takes out of a text what the filter withholds: each span becomes a placeholder such as `⟦EMAIL-1⟧`, the same text
/// always the same one, or the sentence around it goes.
#[must_use]
pub fn withhold(text: &str, filter: &Filter) -> Filtered {
    let is = |named: &str, kind: &str| {
        named.eq_ignore_ascii_case(kind) || (kind == "name" && named.eq_ignore_ascii_case("person"))
    };
    let withheld = |kind: &str| filter.withhold.iter().any(|named| named == "*" || is(named, kind));
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
        let people = Filter { withhold: vec!["person".into()], placeholders: true };
        assert_eq!(
            withhold("Senhor Duarte waters the ferns.", &Filter::default()).text,
            "Senhor Duarte waters the ferns."
        );
        assert_eq!(withhold("Senhor Duarte waters the ferns.", &people).text, "Senhor ⟦NAME-1⟧ waters the ferns.");
        let nothing = Filter { withhold: Vec::new(), placeholders: true };
        assert_eq!(withhold(text, &nothing), Filtered { text: text.to_owned(), withheld: 0 });
    }

    #[test]
    fn signs_between_two_spans_are_no_span() {
        let known = [(0, 0..3), (0, 8..11)];
        let found = |text: &str| beside(text, &known, std::iter::once(0..11).collect(), true);
        assert!(found("abc , - def").is_empty());
        assert_eq!(found("abc a b def"), std::iter::once(4..7).collect::<Vec<_>>());
    }

    #[test]
    fn the_usual_kinds_are_all_but_names() {
        let mut usual = Filter::USUAL.to_vec();
        usual.push("name");
        assert_eq!(usual, KINDS);
    }

    #[test]
    fn sentences_are_the_whole_text() {
        for text in ["", "a", "One. Two!  Three?\n\nfour 3.5 five.", "é… à\n", " . ", "a.b. c"] {
            assert_eq!(sentences(text).into_iter().map(|range| &text[range]).collect::<String>(), text);
        }
        assert_eq!(sentences("One. Two!\nfour 3.5 five.").len(), 3);
    }
}
