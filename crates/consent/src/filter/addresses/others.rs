//! What is an address without the word for a street: post boxes, doors, corners, postcodes that are named, and names with
//! numbers where words say that an address follows.

use super::super::lexicon::{common, given, is_small};
use super::super::tokens::Piece;
use super::super::words::Shape;
use super::kinds::{AT, BOX, CODE, CORNER, CUE, INSIDE, NEVER, bits};
use super::streets::{is_house, named, number_first, past_house, past_number, stands_free};
use super::{is_named, parts};

/// `P.O. Box 1234`, `Postfach 12 34`, `FPO AE 05609`.
pub(super) fn post_box(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    if bits(piece, at) & BOX == 0 {
        return None;
    }
    let text = piece.str(at);
    let upper = |at: usize| piece.str(at).to_uppercase();
    if matches!(upper(at).as_str(), "APO" | "FPO" | "DPO") && matches!(upper(at + 1).as_str(), "AA" | "AE" | "AP") {
        let end = at + 2 + usize::from(piece.shape(at + 2) == Shape::Number);
        // The ship or the unit stands in the line before.
        let is_ship = |at: &usize| {
            matches!(piece.str(*at).to_uppercase().as_str(), "USS" | "USNS" | "USCGC" | "USNV" | "UNIT" | "PSC")
        };
        let ship = (at.saturating_sub(8)..at).rev().find(is_ship);
        return Some((ship.unwrap_or(at), end));
    }
    let lower = text.to_lowercase();
    let number = |at: usize| (piece.shape(at) == Shape::Number).then_some(at + 1);
    match lower.as_str() {
        "postfach" | "apartado" | "postbus" | "casilla" => {
            let end = number(at + 1)?;
            Some((at, number(end).unwrap_or(end)))
        }
        "p" | "po" => {
            let mut next = at + 1;
            next += usize::from(piece.is(next, '.'));
            if lower == "p" {
                next += usize::from(piece.str(next).eq_ignore_ascii_case("o"));
                next += usize::from(piece.is(next, '.'));
            }
            let end = piece.str(next).eq_ignore_ascii_case("box").then(|| number(next + 1)).flatten()?;
            Some((at - usize::from(at > 0 && is_house(piece, at - 1)), end))
        }
        _ => None,
    }
}

/// `My zip code is 90210`, `PLZ 10115`.
pub(super) fn code(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    if bits(piece, at) & CODE == 0 {
        return None;
    }
    (at + 1..at + 6).find_map(|next| {
        parts::code_end(piece, next).filter(|_| piece.shape(next) != Shape::Line).map(|end| (next, end))
    })
}

/// `the corner of Oak Street and Main Street`.
pub(super) fn corner(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    if bits(piece, at) & CORNER == 0 || piece.str(at + 1) != "of" {
        return None;
    }
    let past = |from: usize| name_end(piece, from).map(|end| past_number(piece, end, false).unwrap_or(end));
    let first = past(at + 2)?;
    let and = first + usize::from(piece.is(first, '.'));
    let end = matches!(piece.str(and), "and" | "&").then(|| past(and + 1)).flatten().unwrap_or(first);
    Some((at - usize::from(at > 0 && piece.str(at - 1) == "the"), end))
}

/// `Apt. 4`, with the house before it where that has a number: `55 Školní 645 | Suite 992`.
pub(super) fn door(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    let end = parts::door_end(piece, at)?;
    let mut from = at;
    let mut next = piece.line_before(at).unwrap_or(at);
    let mut steps = 0;
    while next > 0 && steps < 12 {
        next -= 1;
        steps += 1;
        let is_part = is_named(piece, next)
            || is_house(piece, next)
            || bits(piece, next) & INSIDE != 0
            || matches!(piece.str(next), "," | "." | "-" | "'" | "’");
        if !is_part {
            break;
        }
        if is_house(piece, next) && stands_free(piece, next) {
            from = next;
        }
    }
    Some((from, end))
}

/// A number, a name and a number, or a number and a name before a comma, where words say that an address follows.
pub(super) fn generic(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    if !is_house(piece, at) || !stands_free(piece, at) {
        return None;
    }
    let mut from = past_house(piece, at);
    if parts::door_end(piece, from).is_some() {
        return None;
    }
    let mut numbers = 1;
    if is_house(piece, from) && piece.word(from).apart {
        (from, numbers) = (past_house(piece, from), 2);
    }
    let end = name_end(piece, from)?;
    let number = past_number(piece, end, false);
    numbers += usize::from(number.is_some());
    let end = number.unwrap_or(end);
    let goes_on = piece.is(end, ',') && named(piece, end + 1);
    let stops = goes_on || parts::closes(piece, end);
    let line = piece.begins_line(at);
    let cued = cue(piece, at);
    let fits = (numbers > 1 && stops && (cued || (line && number.is_some() && piece.shape(end) == Shape::Line)))
        || (cued && goes_on)
        || (line && piece.shape(end) == Shape::Line && coded_line(piece, end));
    fits.then_some((at, end))
}

/// Whether the next lines are of parts of an address, with a number among them.
pub(super) fn coded_line(piece: &Piece, at: usize) -> bool {
    let mut next = piece.past_lines(at).0;
    for _ in 0..4 {
        let Some(end) = parts::line_end(piece, next) else { return false };
        if (next..end).any(|at| piece.shape(at) == Shape::Number) {
            return true;
        }
        next = piece.past_lines(end).0;
        next += usize::from(piece.is(next, ','));
    }
    false
}

/// After a number, a name and a number: `59 Bouciña 65`.
pub(super) fn house_end(piece: &Piece, at: usize) -> Option<usize> {
    let from = is_house(piece, at).then(|| past_house(piece, at))?;
    number_first(piece, at).map(|(_, end)| end).or_else(|| past_number(piece, name_end(piece, from)?, false))
}

/// A name and a number, where words say that an address follows.
pub(super) fn generic_named(piece: &Piece, at: usize) -> Option<(usize, usize)> {
    let before = at.checked_sub(1)?;
    if !is_named(piece, at) {
        return None;
    }
    let placed = bits(piece, before) & (AT | CUE) != 0
        || matches!(piece.str(before), ":" | "," | "and" | "&")
        || piece.begins_line(at);
    if !placed || !is_named(piece, at) || !cue(piece, at) {
        return None;
    }
    let end = name_end(piece, at)?;
    let end = past_number(piece, end, false)?;
    (parts::closes(piece, end) || parts::door_end(piece, end).is_some()).then_some((at, end))
}

/// After at most six words of a name.
pub(super) fn name_end(piece: &Piece, from: usize) -> Option<usize> {
    let (mut next, mut end) = (from, None);
    while next < from + 7 {
        if bits(piece, next) & NEVER != 0 && given(piece.word(next).facts) < 3 {
            return None;
        }
        let word = piece.word(next);
        let is_foreign = next > from && word.shape == Shape::Lower && common(word.facts) < 2 && !is_small(word.facts);
        if is_named(piece, next) || (is_foreign && (is_house(piece, next + 1) || is_house(piece, next + 2))) {
            end = Some(next + 1);
        } else if !(next > from
            && (bits(piece, next) & INSIDE != 0 || matches!(piece.str(next), "." | "-" | "'" | "’")))
            && bits(piece, next) & INSIDE == 0
        {
            break;
        }
        next += 1;
    }
    end
}

/// Whether one of the last words says that an address follows.
pub(super) fn cue(piece: &Piece, at: usize) -> bool {
    (at.saturating_sub(9)..at)
        .any(|before| bits(piece, before) & CUE != 0 && (piece.str(before) != "at" || before + 1 == at))
}
