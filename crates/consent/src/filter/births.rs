//! Dates of birth: a date with a word that says birth shortly before or after it.

use super::tokens::{List, Piece};
use super::words::{Shape, Word};
use std::ops::Range;
use std::sync::OnceLock;

/// Words that say birth.
const BIRTH: u32 = 1;
/// Words that say it only right before a date or with a full stop.
const SHORT: u32 = 2;
/// Months.
const MONTH: u32 = 4;
/// Words inside a date.
const INNER: u32 = 8;

const ROWS: &[(u32, &str)] = &[
    (BIRTH, "born birth birthday birthdate birthdays dob bday"),
    (BIRTH, "geboren geburtsdatum geburtstag geb geburt"),
    (BIRTH, "né née naissance anniversaire"),
    (BIRTH, "nacido nacida nacimiento nació cumpleaños nascido nascida nascimento nasceu aniversário"),
    (BIRTH, "nato nata nascita compleanno geboorte geboortedatum verjaardag född född fødselsdato født fødselsdag"),
    (
        BIRTH,
        "födelsedatum syntynyt syntymäaika urodzony urodzona urodzenia narozen narozena narození született születési",
    ),
    (BIRTH, "doğum рождения родился родилась народження γέννησης"),
    (SHORT, "b d ur nac nasc"),
    (MONTH, "january february march april may june july august september october november december"),
    (MONTH, "jan feb mar apr jun jul aug sep sept oct nov dec"),
    (MONTH, "januar februar märz mai juni juli oktober dezember jänner mrz okt dez"),
    (MONTH, "janvier février mars avril juin juillet août septembre octobre novembre décembre"),
    (MONTH, "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
    (MONTH, "janeiro fevereiro março maio junho julho setembro outubro novembro dezembro"),
    (MONTH, "gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre"),
    (MONTH, "januari februari maart mei augustus augusti maj marts"),
    (MONTH, "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia"),
    (MONTH, "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"),
    (INNER, "of de del the den do"),
];

fn list() -> &'static List {
    static LIST: OnceLock<List> = OnceLock::new();
    LIST.get_or_init(|| List::new(ROWS))
}

/// Words after one that says birth among which a date is one of birth, and before it.
const AFTER: usize = 14;
const BEFORE: usize = 7;

/// Where the dates of birth of a piece lie.
pub(super) fn births(text: &str, words: &[Word]) -> Vec<Range<usize>> {
    let piece = Piece { text, words };
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in 0..words.len() {
        let bits = list().bits(&words[at]);
        if bits & (BIRTH | SHORT) == 0 && !piece.is(at, '*') {
            continue;
        }
        let is_long = bits & BIRTH != 0;
        if !is_long && !piece.is(at, '*') && !piece.is(at + 1, '.') {
            continue;
        }
        let reach = if is_long { AFTER } else { 3 };
        let after = (at + 1..(at + 1 + reach).min(words.len()))
            .take_while(|next| !ends(&piece, *next))
            .find_map(|next| date(&piece, next, next <= at + 3).map(|end| piece.span(next, end)));
        let before = || {
            (at.saturating_sub(BEFORE)..at)
                .find_map(|from| date(&piece, from, false).filter(|end| *end <= at).map(|end| piece.span(from, end)))
        };
        let span = after.or_else(|| if is_long { before() } else { None });
        found.extend(span.filter(|span| found.last().is_none_or(|last| last.end <= span.start)));
    }
    found
}

/// Whether what follows belongs to something else: an empty line.
fn ends(piece: &Piece, at: usize) -> bool {
    piece.shape(at) == Shape::Line && piece.shape(at + 1) == Shape::Line
}

/// Where the date that begins at a word ends. A year alone, or a day and a month, only where `near`.
fn date(piece: &Piece, at: usize, near: bool) -> Option<usize> {
    numeric(piece, at).or_else(|| written(piece, at, near)).or_else(|| {
        let year = piece.number(at).filter(|_| near && piece.str(at).len() == 4)?;
        ((1880..2100).contains(&year) && !matches!(piece.str(at + 1), "-" | "/" | ".")).then_some(at + 1)
    })
}

/// `12/03/1980`, `1980-03-12`, `12.3.80`, `19800312`.
fn numeric(piece: &Piece, at: usize) -> Option<usize> {
    if at > 0
        && matches!(piece.str(at - 1), "/" | "-" | "." | ":")
        && !piece.word(at).apart
        && piece.number(at - 1).is_some()
    {
        return None;
    }
    let first = piece.number(at)?;
    if piece.str(at).len() == 8 {
        let (a, b, c) = (first / 10000, first / 100 % 100, first % 100);
        let (x, y, z) = (first / 1_000_000, first / 10000 % 100, first % 10000);
        return (is_day(c, b, a, 4) || is_day(x, y, z, 4)).then_some(at + 1);
    }
    let sign = piece.str(at + 1);
    if !matches!(sign, "/" | "-" | ".") || piece.str(at + 3) != sign {
        return None;
    }
    let (second, third) = (piece.number(at + 2)?, piece.number(at + 4)?);
    let lens = [piece.str(at).len(), piece.str(at + 2).len(), piece.str(at + 4).len()];
    let is_date = match lens {
        [4, 1..=2, 1..=2] => is_day(third, second, first, 4),
        [1..=2, 1..=2, 4 | 2] => is_day(first, second, third, lens[2]) || is_day(second, first, third, lens[2]),
        _ => false,
    };
    is_date.then_some(at + 5)
}

fn is_day(day: u32, month: u32, year: u32, digits: usize) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month) && (digits == 2 || (1880..2100).contains(&year))
}

/// `12 March 1980`, `March 12th, 1980`, `12. März 1980`, `12 de março de 1980`, `Mar 1980`.
fn written(piece: &Piece, at: usize, near: bool) -> Option<usize> {
    let is_month = |at: usize| list().bits(&piece.word(at)) & MONTH != 0;
    let day = |at: usize| {
        let text = piece.str(at).trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let ending = &piece.str(at)[text.len()..];
        let is_day = text.len() <= 2 && text.parse::<u32>().is_ok_and(|day| (1..=31).contains(&day));
        is_day && matches!(ending.to_ascii_lowercase().as_str(), "" | "st" | "nd" | "rd" | "th" | "er" | "e")
    };
    let skip = |mut at: usize| {
        while matches!(piece.str(at), "." | "," | "º" | "-" | "/") || list().bits(&piece.word(at)) & INNER != 0 {
            at += 1;
        }
        at
    };
    let year = |at: usize| {
        let at = skip(at);
        let quoted = usize::from(matches!(piece.str(at), "'" | "’"));
        let year = piece.number(at + quoted)?;
        let len = piece.str(at + quoted).len();
        ((len == 4 && (1880..2100).contains(&year)) || (len == 2 && quoted == 1)).then_some(at + quoted + 1)
    };
    if is_month(at) {
        let next = skip(at + 1);
        if day(next) {
            return year(next + 1).or_else(|| near.then_some(next + 1));
        }
        return year(at + 1);
    }
    if piece.shape(at) == Shape::Number && day(at) {
        let month = skip(at + 1);
        if is_month(month) {
            return year(month + 1).or_else(|| near.then_some(month + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::Recent;
    use super::super::words::words;
    use super::*;

    #[test]
    fn dates_with_a_word_of_birth() {
        let cases: &[(&str, &[&str])] = &[
            ("She was born on 12 March 1980 in Porto.", &["12 March 1980"]),
            ("DOB: 03/12/1980", &["03/12/1980"]),
            ("Date of birth 1980-03-12, seen 2024-01-05", &["1980-03-12"]),
            ("geboren am 3. Mai 1975", &["3. Mai 1975"]),
            ("Geburtsdatum: 03.05.75", &["03.05.75"]),
            ("née le 1er août 1990", &["1er août 1990"]),
            ("nascida a 7 de março de 1969", &["7 de março de 1969"]),
            ("my birthday is on May 4th", &["May 4th"]),
            ("12/3/1980 is her birthday", &["12/3/1980"]),
            ("Ana (b. 1950)", &["1950"]),
            ("born in 1985", &["1985"]),
            ("We met on 12 March 1980 in Porto.", &[]),
            ("The birth of an idea takes 12 weeks.", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<&str> =
                births(text, &words(text, &mut Recent::new())).into_iter().map(|span| &text[span]).collect();
            assert_eq!(found, *expected, "{text}");
        }
    }
}
