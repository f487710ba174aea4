//! Street addresses: a street with its number in the forms of several countries, and what follows it: the door, the
//! postcode, the town, the country, in the same line or the next ones.
//!
//! The streets are found in `addresses/streets.rs` and `addresses/others.rs`, by the words of `addresses/kinds.rs`; what may follow in `addresses/parts.rs`. A street without a number
//! is found where its own word says that it is one (Wall Street, Hauptstraße); a town alone is not an address.

mod kinds;
mod others;
mod parts;
mod streets;

use super::tokens::Piece;
use super::words::{Shape, Word};
use std::ops::Range;

/// Where the addresses of a piece lie.
pub(super) fn addresses(text: &str, words: &[Word]) -> Vec<Range<usize>> {
    let piece = Piece { text, words };
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    // Everything before this word belongs to an address that was found.
    let mut taken = 0;
    while at < words.len() {
        let Some((from, end)) = streets::street(&piece, at).filter(|(_, end)| *end > at) else {
            at += 1;
            continue;
        };
        let from = parts::before(&piece, from.max(taken)).max(taken);
        let end = parts::after(&piece, end);
        let span = piece.span(from, end);
        if !span.is_empty() {
            match found.last_mut() {
                // What only white space and commas part is one address.
                Some(last) if text[last.end..span.start].chars().all(|c| c.is_whitespace() || c == ',') => {
                    last.end = span.end;
                }
                _ => found.push(span),
            }
        }
        taken = end;
        at = end.max(at + 1);
    }
    found
}

/// Whether a word can stand in the name of a street or a town: with a capital, or any where its line has none.
fn is_named(piece: &Piece, at: usize) -> bool {
    let word = piece.word(at);
    match word.shape {
        Shape::Capital | Shape::Upper | Shape::Mixed | Shape::Initial | Shape::Caseless => true,
        Shape::Lower => word.manner == super::words::Manner::Small && !super::lexicon::is_small(word.facts),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::Recent;
    use super::super::words::words;
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        addresses(text, &words(text, &mut Recent::new())).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn addresses_of_several_countries() {
        let yes = [
            "742 Evergreen Terrace, Springfield, IL 62704",
            "1600 Pennsylvania Avenue NW, Washington, DC 20500",
            "221B Baker Street, London NW1 6XE",
            "Hauptstraße 12, 10115 Berlin",
            "Am Alten Markt 3, 50667 Köln",
            "12 rue de la Paix, 75002 Paris",
            "Rua Augusta 120, 1100-053 Lisboa",
            "Av. da Liberdade, 110, 3º Dto, 1250-146 Lisboa",
            "Calle de Alcalá 45, 28014 Madrid",
            "Keizersgracht 174, 1016 DW Amsterdam",
            "Via Garibaldi 7, 20121 Milano",
            "Drottninggatan 5, 111 51 Stockholm",
            "P.O. Box 1234, Denver, CO 80201",
            "350 Fifth Avenue, Suite 3300, New York, NY 10118",
        ];
        let told = |address: &&&str| texts(&format!("Please write to {address}.")) != [**address];
        let missed: Vec<(&&str, String)> =
            yes.iter().filter(told).map(|address| (address, texts(address).join(" | "))).collect();
        assert!(missed.is_empty(), "{missed:#?}");
        assert_eq!(
            texts("Ana Duarte\n12 Oak Lane\nApt. 4\nPortland, OR 97201\nUSA\n\nDear Ana"),
            ["12 Oak Lane\nApt. 4\nPortland, OR 97201\nUSA"]
        );
        assert_eq!(texts("i live at 23 wressle road suite 771, leeds"), ["23 wressle road suite 771, leeds"]);
        assert_eq!(texts("My zip code is 90210."), ["90210"]);
        let no = [
            "There were 12 people on the road to Berlin.",
            "In 2019 Anna moved to Leeds.",
            "Chapter 4, page 12",
            "Version 2 of the place",
            "We have 3 ways to court a client",
            "On 12 May 2021 the drive failed.",
            "He lives in Paris, France.",
            "load(50, Ordering)",
            "Software Engineering 5",
        ];
        let said: Vec<&str> = no.iter().flat_map(|text| texts(text)).collect();
        assert!(said.is_empty(), "{said:?}");
    }
}
