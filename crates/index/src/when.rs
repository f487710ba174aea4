//! The time a question asks about: "on 8 May 2023", "in May", "last week", "the week before 3 August 2023".
//!
//! Days are read in UTC with half a day of margin on either side, because the index knows no time zone.

use hinet_protocol::Millis;
use jiff::{ToSpan, civil::Date, tz::TimeZone};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// What happened is often told some days later; so long after its time a passage still counts in part.
const TOLD_LATER_MS: i64 = 10 * DAY_MS;
/// How much it counts then.
const TOLD_LATER: f32 = 0.5;
/// Years that are read as years.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2100;
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A time that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// From a day to before another.
    Between(Date, Date),
    /// A month of whatever year, 1 to 12.
    Month(i8),
}

impl When {
    /// How well a time fits, in 0..=1.
    pub(crate) fn fits(self, at: Millis) -> f32 {
        match self {
            Self::Between(from, to) => {
                let (Some(from), Some(to)) = (millis(from), millis(to)) else { return 0.0 };
                let (from, to) = (from - DAY_MS / 2, to + DAY_MS / 2);
                if (from..to).contains(&at) {
                    1.0
                } else if (to..to.saturating_add(TOLD_LATER_MS)).contains(&at) {
                    TOLD_LATER
                } else {
                    0.0
                }
            }
            Self::Month(month) => {
                let date = jiff::Timestamp::from_millisecond(at).map(|at| at.to_zoned(TimeZone::UTC).date());
                if date.is_ok_and(|date| date.month() == month) { 1.0 } else { 0.0 }
            }
        }
    }
}

fn millis(date: Date) -> Option<Millis> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// The time a question asks about, where it names one; the first it names.
pub(crate) fn asked(question: &str, now: Millis) -> Option<When> {
    let today = jiff::Timestamp::from_millisecond(now).ok()?.to_zoned(TimeZone::UTC).date();
    let lower = question.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|word| !word.is_empty()).collect();
    let found = (0..words.len()).find_map(|at| relative(&words[at..], today).or_else(|| named(&words, at, today)));
    match found {
        Some(When::Between(from, to)) => Some(before(&lower, from).unwrap_or(When::Between(from, to))),
        other => other,
    }
}

/// "The week before" a day, and the like.
fn before(question: &str, day: Date) -> Option<When> {
    let span = match question {
        q if q.contains("weeks before") => 21,
        q if q.contains("week before") || q.contains("weekend before") => 8,
        q if q.contains("day before") => 2,
        _ if WEEKDAYS.iter().any(|name| question.contains(&format!("{name} before"))) => 8,
        _ => return None,
    };
    Some(When::Between(day.checked_sub(span.days()).ok()?, day.checked_add(1.day()).ok()?))
}

/// Times that count from today.
fn relative(words: &[&str], today: Date) -> Option<When> {
    let between = |from: Date, to: Date| Some(When::Between(from, to));
    let back = |days: i32| today.checked_sub(days.days()).ok();
    match words {
        ["today" | "tonight", ..] => between(today, today.tomorrow().ok()?),
        ["yesterday", ..] => between(today.yesterday().ok()?, today),
        ["last" | "past", "night", ..] => between(today.yesterday().ok()?, today),
        ["last" | "past", "week" | "weekend", ..] => between(back(14)?, today),
        ["this", "week", ..] => between(back(7)?, today.tomorrow().ok()?),
        ["this", "month", ..] => between(today.first_of_month(), today.tomorrow().ok()?),
        ["last" | "past", "month", ..] => {
            let first = today.first_of_month();
            between(first.checked_sub(1.month()).ok()?, first)
        }
        ["this", "year", ..] => between(today.first_of_year(), today.tomorrow().ok()?),
        ["last" | "past", "year", ..] => {
            let first = today.first_of_year();
            between(first.checked_sub(1.year()).ok()?, first)
        }
        ["last", day, ..] if WEEKDAYS.contains(day) => between(back(7)?, today),
        ["last", name, ..] => {
            let month = month(name)?;
            let year = if month < today.month() { today.year() } else { today.year() - 1 };
            whole_month(year, month)
        }
        _ => None,
    }
}

/// A date by its numbers and names.
fn named(words: &[&str], at: usize, today: Date) -> Option<When> {
    let word = words[at];
    if let Ok(date) = word.parse::<Date>() {
        return Some(When::Between(date, date.tomorrow().ok()?));
    }
    let before = |back: usize| at.checked_sub(back).and_then(|at| words.get(at)).copied().unwrap_or_default();
    let after = |on: usize| words.get(at + on).copied().unwrap_or_default();
    if let Some(month) = month(word) {
        let of = usize::from(before(1) == "of");
        let (first, second) = (day(before(1 + of)), day(after(1)));
        let year = year(after(1)).or_else(|| year(after(2)).filter(|_| second.is_some()));
        // "May" alone is also a verb.
        let said = matches!(before(1), "in" | "of" | "since" | "during" | "until" | "by" | "early" | "late" | "every");
        return match (first.or(second), year) {
            (Some(day), year) => {
                let date = Date::new(year.unwrap_or(today.year()), month, day).ok()?;
                match year {
                    Some(_) => Some(When::Between(date, date.tomorrow().ok()?)),
                    None => Some(When::Month(month)),
                }
            }
            (None, Some(year)) => whole_month(year, month),
            (None, None) => (said || word.len() > 3).then_some(When::Month(month)),
        };
    }
    let year = year(word).filter(|_| matches!(before(1), "in" | "of" | "during" | "since" | "summer" | "winter"))?;
    let first = Date::new(year, 1, 1).ok()?;
    Some(When::Between(first, first.checked_add(1.year()).ok()?))
}

fn whole_month(year: i16, month: i8) -> Option<When> {
    let first = Date::new(year, month, 1).ok()?;
    Some(When::Between(first, first.checked_add(1.month()).ok()?))
}

fn month(word: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|name| *name == word)?;
    i8::try_from(at + 1).ok()
}

fn day(word: &str) -> Option<i8> {
    let number = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let ending = &word[number.len()..];
    let day: i8 = number.parse().ok()?;
    (matches!(ending, "" | "st" | "nd" | "rd" | "th") && (1..=31).contains(&day)).then_some(day)
}

fn year(word: &str) -> Option<i16> {
    word.parse().ok().filter(|year| word.len() == 4 && YEARS.contains(year))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01.
    const NOW: Millis = 1_767_225_600_000;

    fn between(from: &str, to: &str) -> Option<When> {
        Some(When::Between(from.parse().unwrap(), to.parse().unwrap()))
    }

    #[test]
    fn times_are_read_as_people_name_them() {
        let cases = [
            ("What did Ana say on 8 May, 2023?", between("2023-05-08", "2023-05-09")),
            ("What did Ana say on May 8th, 2023?", between("2023-05-08", "2023-05-09")),
            ("what was on 2023-05-08", between("2023-05-08", "2023-05-09")),
            ("Who called in May 2023?", between("2023-05-01", "2023-06-01")),
            ("Where were we in 2024?", between("2024-01-01", "2025-01-01")),
            ("What did Bo do the week before 3 August 2023?", between("2023-07-26", "2023-08-04")),
            ("Who called in May?", Some(When::Month(5))),
            ("What happened last May?", between("2025-05-01", "2025-06-01")),
            ("what did I do yesterday?", between("2025-12-31", "2026-01-01")),
            ("what did we decide last month", between("2025-12-01", "2026-01-01")),
            ("May I park here?", None),
            ("How long is room 2023?", None),
            ("31 February 2023", None),
            ("", None),
        ];
        for (question, expected) in cases {
            assert_eq!(asked(question, NOW), expected, "{question}");
        }
        assert_eq!(asked("in May 2023", i64::MAX), None, "a present that is no time");
    }

    #[test]
    fn what_is_told_some_days_later_counts_in_part() {
        let when = asked("on 8 May 2023", NOW).unwrap();
        let at = |date: &str| millis(date.parse().unwrap()).unwrap();
        assert_eq!(when.fits(at("2023-05-08")), 1.0);
        assert_eq!(when.fits(at("2023-05-15")), TOLD_LATER);
        assert_eq!(when.fits(at("2023-05-01")), 0.0);
        assert_eq!(when.fits(at("2023-07-01")), 0.0);
        assert_eq!(When::Month(5).fits(at("2019-05-31")), 1.0);
        assert_eq!(When::Month(5).fits(i64::MAX), 0.0);
    }
}
