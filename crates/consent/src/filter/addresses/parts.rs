//! What stands around a street in an address: doors, postcodes, towns, states and countries.

use super::super::lexicon::{is_place, is_small};
use super::super::tokens::Piece;
use super::super::words::{Manner, Shape};
use super::is_named;

/// Lines after a street that may belong to it.
const LINES: usize = 5;

/// Where an address begins whose street begins here: before a door in the same line (`Flat 3, 12 Oak Lane`).
pub(super) fn before(piece: &Piece, from: usize) -> usize {
    let comma = usize::from(from > 0 && piece.is(from - 1, ','));
    (2..=3)
        .filter_map(|back| from.checked_sub(back + comma))
        .find(|start| door_end(piece, *start).is_some_and(|end| end + comma == from))
        .unwrap_or(from)
}

/// Where an address ends whose street ends here.
pub(super) fn after(piece: &Piece, mut end: usize) -> usize {
    let mut lines = 0;
    loop {
        let mut next = end;
        if let Some(door) = door_end(piece, next).or_else(|| code_end(piece, next).filter(|_| piece.word(next).apart)) {
            end = door;
            continue;
        }
        // A house may follow its door.
        if (2..=3).any(|back| end >= back && door_end(piece, end - back) == Some(end))
            && let Some(house) = super::others::house_end(piece, next)
        {
            end = house;
            continue;
        }
        // The town may follow the street, a door or a postcode without a sign.
        if let Some(town) = town_end(piece, next).filter(|town| closes(piece, *town)) {
            end = town;
            continue;
        }
        let (mut signs, mut crossed) = (0, 0);
        while next < end + 12 {
            if piece.shape(next) == Shape::Line {
                let (past, lines) = piece.past_lines(next);
                (next, crossed) = (past, crossed + lines);
            } else if matches!(piece.str(next), "," | ";" | "-" | "–" | "/" | "|" | "·")
                || (piece.is(next, '.') && piece.is(next + 1, ','))
            {
                (next, signs) = (next + 1, signs + 1);
            } else {
                break;
            }
        }
        if next == end || signs > 2 || crossed > 2 {
            return end;
        }
        let more = if crossed > 0 {
            lines += crossed;
            line_end(piece, next).filter(|_| lines <= LINES)
        } else {
            in_line(piece, next)
        };
        match more {
            Some(more) if more > end => end = more,
            _ => return end,
        }
    }
}

/// After a part that follows a comma.
fn in_line(piece: &Piece, at: usize) -> Option<usize> {
    door_end(piece, at)
        .or_else(|| code_end(piece, at))
        .or_else(|| town_end(piece, at).filter(|town| closes(piece, *town)))
}

/// Whether what comes after the name of a town lets it be one: the end, a sign, a postcode.
pub(super) fn closes(piece: &Piece, at: usize) -> bool {
    piece.shape(at) == Shape::Line
        || matches!(piece.str(at), "." | "," | ";" | ")" | "?" | "!" | "\"" | "|" | "/" | "-" | "(" | ":")
        || code_end(piece, at).is_some()
        || matches!(
            piece.str(at),
            "for" | "in" | "and" | "last" | "please" | "by" | "on" | "is" | "as" | "und" | "e" | "et"
        ) && piece.word(at - 1).shape != Shape::Lower
}

/// After a whole line of parts of an address; nothing where it has anything else.
pub(super) fn line_end(piece: &Piece, at: usize) -> Option<usize> {
    let mut next = at;
    let mut towns = 0;
    // After the last postcode, which says enough even where the line goes on.
    let mut coded = None;
    while piece.shape(next) != Shape::Line {
        if next > at + 12 {
            return coded.filter(|_| towns < 4);
        }
        next = if let Some(end) = code_end(piece, next) {
            coded = Some(end);
            end
        } else if let Some(end) = door_end(piece, next) {
            end
        } else if piece.word(next).is_word() && piece.word(next).letters <= 3 && code_end(piece, next + 1).is_some() {
            next + 1
        } else if let Some(end) = town_end(piece, next) {
            towns += 1;
            // A country or a town of the list before a comma, too.
            let known = is_place(piece.word(end - 1).facts) || piece.word(next).place;
            if known && end <= next + 3 && matches!(piece.str(end), "," | "." | "?") {
                coded = Some(end);
            }
            end
        } else if (piece.shape(next) == Shape::Number
            && piece.str(next).len() <= 3
            && code_end(piece, next + 1).is_some())
            || matches!(piece.str(next), "," | "-" | "." | "/" | "(" | ")" | ">")
        {
            next + 1
        } else {
            return coded.filter(|_| towns < 4 && !is_greeting(piece, at));
        };
    }
    // A greeting or a word of its own is no town.
    (towns < 4 && next > at && !is_greeting(piece, at)).then_some(next)
}

fn is_greeting(piece: &Piece, at: usize) -> bool {
    let word = piece.str(at).to_lowercase();
    let says = [
        "dear", "hi", "hello", "phone", "tel", "email", "mobile", "fax", "date", "name", "best", "kind", "regards",
        "thanks", "liebe", "lieber", "sehr", "caro", "cara", "hola", "subject", "re",
    ];
    says.contains(&word.as_str()) || piece.is(at + 1, ':')
}

/// After the name of a town, a state or a country of at most five words.
fn town_end(piece: &Piece, at: usize) -> Option<usize> {
    let first = piece.word(at);
    if !(is_named(piece, at) || (first.place && first.manner == Manner::Small))
        || (piece.word(at).letters == 1 && !piece.is(at + 1, '-'))
    {
        return None;
    }
    let small_line = piece.word(at).manner == Manner::Small;
    let (mut next, mut end) = (at, at);
    while next < at + 7 {
        let word = piece.word(next);
        if is_named(piece, next) {
            end = next + 1;
        } else if !(word.shape == Shape::Lower && is_small(word.facts) && word.letters <= 4
            || (matches!(piece.str(next), "-" | "'" | "’" | "." | "/") && !piece.word(next + 1).apart)
            || (piece.is(next, '.') && word_is_short(piece, next)))
        {
            break;
        }
        next += 1;
    }
    // Small letters alone are a town only where the list knows it or the part ends.
    let known = is_place(piece.word(at).facts) || piece.word(at).place;
    (!small_line || known || closes(piece, end)).then_some(end)
}

fn word_is_short(piece: &Piece, stop: usize) -> bool {
    stop > 0 && piece.word(stop - 1).letters <= 3 && is_named(piece, stop + 1)
}

/// After a door: `Apt. 4`, `Suite 992`, `2nd floor`, `3º Dto`, `#12`.
pub(super) fn door_end(piece: &Piece, at: usize) -> Option<usize> {
    let word = piece.word(at);
    if piece.is(at, '#') || (word.shape == Shape::Machine && piece.str(at).starts_with('#')) {
        let text = &piece.str(at)[1..];
        return (text.len() <= 5 && text.starts_with(|c: char| c.is_ascii_digit())).then_some(at + 1);
    }
    let is_short = |at: usize| {
        let text = piece.str(at);
        text.len() <= 6 && (piece.shape(at) == Shape::Number || (piece.shape(at) == Shape::Initial && text != "I"))
    };
    if word.shape == Shape::Number {
        let ordinal = piece.str(at).trim_start_matches(|c: char| c.is_ascii_digit());
        let next = at + 1 + usize::from(matches!(piece.str(at + 1), "º" | "ª" | "°" | "."));
        let side = matches!(
            piece.str(next).to_lowercase().as_str(),
            "dto" | "esq" | "dtº" | "frente" | "izq" | "dcha" | "etage" | "stock" | "og" | "piso" | "andar"
        );
        let floor = matches!(ordinal, "st" | "nd" | "rd" | "th")
            && matches!(piece.str(next).to_lowercase().as_str(), "floor" | "fl");
        return (floor || (side && matches!(ordinal, "" | "º" | "ª" | "o" | "a"))).then_some(next + 1);
    }
    if !word.is_word() || word.letters > 9 || word.letters < 2 {
        return None;
    }
    // A door has a number after it.
    let follows =
        (at + 1..at + 4).any(|next| matches!(piece.shape(next), Shape::Number | Shape::Initial | Shape::Machine));
    if !follows {
        return None;
    }
    let kind = piece.str(at).to_lowercase();
    let is_door = matches!(
        kind.as_str(),
        "apt"
            | "apartment"
            | "apto"
            | "suite"
            | "ste"
            | "flat"
            | "appt"
            | "appartement"
            | "wohnung"
            | "lgh"
            | "apartamento"
            | "bldg"
            | "building"
            | "unit"
            | "room"
            | "rm"
            | "floor"
            | "piso"
            | "puerta"
            | "andar"
            | "etage"
            | "bus"
            | "interno"
    );
    let weak = matches!(kind.as_str(), "unit" | "room" | "rm" | "floor" | "building" | "bus" | "etage" | "andar");
    if !is_door || (weak && at > 0 && piece.word(at - 1).shape == Shape::Lower) {
        return None;
    }
    let next = at + 1 + usize::from(piece.is(at + 1, '.'));
    let next = next + usize::from(piece.is(next, '#') || matches!(piece.str(next), "no" | "nr" | "nº"));
    if piece.shape(next) == Shape::Machine && piece.str(next).starts_with('#') {
        return Some(next + 1);
    }
    is_short(next).then_some(next + 1)
}

/// After a postcode: of four to six digits, or with letters in the ways of several countries.
pub(super) fn code_end(piece: &Piece, at: usize) -> Option<usize> {
    let text = piece.str(at);
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let glued = |at: usize| !piece.word(at).apart;
    let is_upper = |at: usize, letters: u8| {
        let word = piece.word(at);
        matches!(word.shape, Shape::Upper | Shape::Lower) && word.letters == letters
    };
    if piece.shape(at) == Shape::Number && all_digits(text) {
        let next = piece.str(at + 2);
        let tail = piece.is(at + 1, '-') && glued(at + 1) && glued(at + 2) && all_digits(next);
        return match text.len() {
            // 12345-6789, 1100-053, 01310-100.
            4 | 5 if tail && (3..=4).contains(&next.len()) => Some(at + 3),
            // 1016 DW.
            4 if is_upper(at + 1, 2) && piece.word(at + 1).shape == Shape::Upper => Some(at + 2),
            4..=6 => Some(at + 1),
            // 111 51.
            3 if piece.str(at + 1).len() == 2
                && all_digits(piece.str(at + 1))
                && piece.shape(at + 1) == Shape::Number =>
            {
                Some(at + 2)
            }
            _ => None,
        };
    }
    // D-10115, SE-111 51.
    if matches!(text, "D" | "A" | "CH" | "L" | "B" | "F" | "SE" | "FI" | "DK" | "NL" | "PL" | "I" | "E")
        && piece.is(at + 1, '-')
        && glued(at + 2)
        && piece.shape(at + 2) == Shape::Number
    {
        return code_end(piece, at + 2);
    }
    // A state before a number: CA 90210.
    let is_state =
        piece.shape(at) == Shape::Initial || ((is_upper(at, 2) || is_upper(at, 3)) && piece.shape(at) == Shape::Upper);
    if is_state && piece.shape(at + 1) == Shape::Number && piece.str(at + 1).len() == 5 {
        return code_end(piece, at + 1);
    }
    // NW1 6XE, K1A 0B1.
    let outward = piece.shape(at) == Shape::Number
        && (2..=4).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic());
    let inward = piece.str(at + 1);
    let fits = piece.shape(at + 1) == Shape::Number
        && inward.len() == 3
        && inward.starts_with(|c: char| c.is_ascii_digit())
        && piece.word(at + 1).apart;
    (outward && fits).then_some(at + 2)
}
