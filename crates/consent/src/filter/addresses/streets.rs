//! Streets with their numbers.

use super::super::lexicon::{common, is_small};
use super::super::tokens::Piece;
use super::super::words::{Manner, Shape};
use super::kinds::{AFTER, AFTER_TOO, ALONE, AT, BEFORE, INSIDE, NEVER, bits, has_ending};
use super::others::{code, corner, door, generic, generic_named, post_box};
use super::{is_named, parts};

/// The street, the post box or the door that is found at a word: from which word to before which.
pub(super) fn street(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    let (from, end) = one(piece, at)?;
    // The corner of two: the other stands before an `and`.
    let other =
        from.checked_sub(2).filter(|other| matches!(piece.str(from - 1), "and" | "&") && is_named(piece, *other));
    let placed = other.filter(|other| {
        *other > 0 && (bits(piece, other - 1) & AT != 0 || piece.begins_line(*other) || piece.str(other - 1) == "of")
    });
    Some((placed.unwrap_or(from), end))
}

fn one(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    let word = piece.word(at);
    match word.shape {
        Shape::Number => number_first(piece, at).or_else(|| generic(piece, at)),
        Shape::Lower if word.manner != Manner::Small => {
            door(piece, at).or_else(|| corner(piece, at)).or_else(|| named_first(piece, at)).or_else(|| code(piece, at))
        }
        _ if word.is_word() => post_box(piece, at)
            .or_else(|| corner(piece, at))
            .or_else(|| code(piece, at))
            .or_else(|| door(piece, at))
            .or_else(|| type_first(piece, at))
            .or_else(|| named_first(piece, at))
            .or_else(|| alone(piece, at))
            .or_else(|| generic_named(piece, at)),
        _ => None,
    }
}

/// Whether a word is the number of a house: `12`, `12b`, `221B`.
pub(super) fn is_house(piece: &Piece, at: usize) -> bool {
    let text = piece.str(at);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    piece.shape(at) == Shape::Number && (1..=5).contains(&digits) && text.len() <= digits + 1
}

/// After the number of a house: `12-14`, `12/3`, `12 b`, `nº 12`.
pub(super) fn past_house(piece: &Piece, at: usize) -> usize {
    let mut end = at + 1;
    while matches!(piece.str(end), "-" | "/" | "–")
        && !piece.word(end).apart
        && is_house(piece, end + 1)
        && !piece.word(end + 1).apart
    {
        end += 2;
    }
    let letter = piece.word(end);
    if letter.is_word()
        && letter.letters == 1
        && letter.apart
        && (piece.is(end + 1, ',') || piece.shape(end + 1) == Shape::Line)
        && piece.str(end) != "I"
    {
        end += 1;
    }
    end
}

/// Nothing that makes a number something else stands before it.
pub(super) fn stands_free(piece: &Piece, at: usize) -> bool {
    at == 0
        || piece.word(at).apart && !matches!(piece.str(at - 1), "$" | "€" | "£" | "#")
        || matches!(piece.str(at - 1), ">" | "(" | ":" | "\"" | "*")
}

/// `742 Evergreen Terrace`, `12 rue de la Paix`, `221B Baker Street`.
pub(super) fn number_first(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    if !is_house(piece, at) || !stands_free(piece, at) {
        return None;
    }
    let mut from = past_house(piece, at);
    from += usize::from(piece.is(from, ','));
    // Two numbers, of the house and of its block.
    if is_house(piece, from) && piece.word(from).apart {
        from = past_house(piece, from);
    }
    if bits(piece, from) & BEFORE != 0
        && let Some(end) = past_name(piece, from)
    {
        return Some((at, past_number(piece, end, true).unwrap_or(end)));
    }
    let lower = piece.word(from).shape == Shape::Lower;
    let mut next = from;
    let mut best = None;
    while next < from + 7 {
        let bits = bits(piece, next);
        let word = piece.word(next);
        let is_type =
            next > from && (bits & AFTER != 0 || (bits & AFTER_TOO != 0 && (!lower || follows(piece, next + 1))));
        if is_type && (word.shape != Shape::Lower || lower || bits & ALONE != 0) {
            best = Some(past_direction(piece, next + 1 + usize::from(piece.is(next + 1, '.') && word.letters <= 4)));
            if !named(piece, next + 1) {
                break;
            }
        }
        if bits & NEVER != 0 || (word.is_word() && lower && is_small(word.facts) && bits & AFTER == 0) {
            break;
        }
        let is_ordinal = word.shape == Shape::Number
            && word.end - word.start >= 3
            && !piece.str(next).ends_with(|c: char| c.is_ascii_digit());
        let joins = matches!(piece.str(next), "." | "'" | "’" | "-") && next > from;
        if !(is_named(piece, next) || is_ordinal || joins || (bits & INSIDE != 0 && next > from)) {
            break;
        }
        next += 1;
    }
    if best.is_none() && has_ending(piece, from).is_some() {
        best = Some(from + 1);
    }
    best.map(|end| (at, past_number(piece, end, false).unwrap_or(end)))
}

/// Whether an address goes on after a street: a door, a comma, a line or the end.
fn follows(piece: &Piece, at: usize) -> bool {
    piece.is(at, ',') || piece.shape(at) == Shape::Line || parts::door_end(piece, at).is_some()
}

pub(super) fn named(piece: &Piece, at: usize) -> bool {
    is_named(piece, at) || (bits(piece, at) & INSIDE != 0 && is_named(piece, at + 1))
}

fn past_direction(piece: &Piece, at: usize) -> usize {
    let is_direction = matches!(
        piece.str(at),
        "N" | "S" | "E" | "W" | "NW" | "NE" | "SW" | "SE" | "North" | "South" | "East" | "West"
    );
    at + usize::from(is_direction)
}

/// After the name that follows the type of a street: `rue | de la Paix`.
fn past_name(piece: &Piece, at: usize) -> Option<usize> {
    let mut next = at + 1;
    next += usize::from(piece.is(next, '.') || (piece.is(next, '/') && piece.word(at).letters == 1));
    let (first, mut end) = (next, None);
    while next < first + 8 {
        let word = piece.word(next);
        let is_foreign = word.shape == Shape::Lower && common(word.facts) == 0 && !is_small(word.facts);
        if is_named(piece, next) || (is_foreign && piece.word(at).shape != Shape::Lower && is_house(piece, next + 1)) {
            end = Some(next + 1);
        } else if !(bits(piece, next) & INSIDE != 0
            || matches!(piece.str(next), "'" | "’" | "-" | ".")
            || (is_house(piece, next) && end.is_none() && named(piece, next + 1)))
        {
            break;
        }
        // A sentence ends at a full stop after a long word.
        if piece.is(next, '.') && next > first && piece.word(next - 1).letters > 4 {
            break;
        }
        if parts::door_end(piece, next).is_some() {
            return end.map(|end| end.min(next)).filter(|end| *end > first);
        }
        next += 1;
    }
    end
}

/// After the number that follows the name of a street; `loose` where a comma may stand between.
pub(super) fn past_number(piece: &Piece, at: usize, loose: bool) -> Option<usize> {
    let mut next = at;
    if loose && piece.is(next, ',') {
        next += 1;
    }
    if matches!(
        piece.str(next).to_lowercase().as_str(),
        "nº" | "n" | "no" | "nr" | "number" | "num" | "č" | "º" | "n°" | "km"
    ) {
        next += 1;
        next += usize::from(matches!(piece.str(next), "." | "º" | "°"));
    }
    let number = piece.str(next);
    // Four digits after a comma are as well a postcode.
    let is_number = is_house(piece, next) && (next == at || number.len() <= 4);
    is_number.then(|| past_house(piece, next))
}

/// `Rua Augusta 120`, `Via Garibaldi, 7`; without a number where the type says enough.
fn type_first(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    let kind = bits(piece, at);
    let word = piece.word(at);
    if kind & BEFORE == 0 || (word.shape == Shape::Lower && word.manner != Manner::Small && kind & ALONE == 0) {
        return None;
    }
    if word.letters == 1 && !matches!(piece.str(at + 1), "." | "/") && word.shape != Shape::Initial {
        return None;
    }
    let end = past_name(piece, at)?;
    match past_number(piece, end, true) {
        Some(end) => Some((at, end)),
        // `Avenue` and `Boulevard` stand before the name in French only.
        None if kind & ALONE != 0 && kind & AFTER == 0 && word.shape == Shape::Capital => Some((at, end)),
        None => None,
    }
}

/// `Hauptstraße 12`, `Carry van Bruggenweg 77`, `Grosse Präsidenten Str. 20`.
fn named_first(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    let ending = has_ending(piece, at);
    let is_foreign = common(piece.word(at).facts) == 0 && is_house(piece, at + 1);
    let is_type =
        bits(piece, at) & AFTER != 0 && at > 0 && is_named(piece, at - 1) && (is_named(piece, at) || is_foreign);
    if ending.is_none() && !is_type {
        return None;
    }
    let mut end = at + 1;
    end += usize::from(piece.is(end, '.') && (is_house(piece, end + 1)));
    let number = past_number(piece, end, false);
    if number.is_none() && ending != Some(true) {
        return None;
    }
    Some((back(piece, at, 3), number.unwrap_or(at + 1)))
}

/// Where the name that ends before a word begins: at most so many named words, with small ones between them.
fn back(piece: &Piece, at: usize, most: usize) -> usize {
    let (mut from, mut next, mut names) = (at, at, 0);
    while next > 0 && names < most {
        next -= 1;
        let word = piece.word(next);
        if word.shape == Shape::Line || piece.is(next, '.') && piece.word(next.max(1) - 1).letters > 4 {
            break;
        }
        if is_named(piece, next) && !(is_small(word.facts) && piece.word(next).begins) {
            (from, names) = (next, names + 1);
        } else if !(bits(piece, next) & INSIDE != 0 || matches!(piece.str(next), "-" | "." | "'" | "’")) {
            break;
        }
    }
    from
}

/// `Wall Street`, `Slepička Street`: with a capital, without a number.
fn alone(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    let word = piece.word(at);
    let kind = bits(piece, at);
    let full = kind & (AFTER | ALONE) == AFTER | ALONE;
    let short = kind & AFTER != 0 && word.letters <= 4 && piece.is(at + 1, '.') && word.letters > 1;
    if !(full || short)
        || word.shape != Shape::Capital
        || word.manner == Manner::Title && !piece.begins_line(at.saturating_sub(3))
    {
        return None;
    }
    let from = back(piece, at, 3);
    (from < at && !piece.word(from).begins || from + 1 < at).then_some((from, at + 1 + usize::from(short)))
}
