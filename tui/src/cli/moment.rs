//! Times as people write and read them: dates, times and spans in, local time out.

use hinet_protocol::Millis;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// Which way a span such as `30d` reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// That long ago.
    Back,
    /// That long from now.
    Ahead,
}

/// The earliest time there is.
pub const FIRST: Millis = -377_705_023_201_000;
/// The latest time there is.
pub const LAST: Millis = 253_402_207_200_999;

/// Reads a date (`2026-03-01`, local midnight), a time (`2026-03-01T09:30`, local unless it says otherwise) or a span
/// from now (`7d`, `12h`, `2 weeks`).
pub fn parse(text: &str, now: &Zoned, direction: Direction) -> Result<Millis, String> {
    let text = text.trim();
    let local = |at: DateTime| at.to_zoned(now.time_zone().clone()).map(|at| at.timestamp());
    let read = text
        .parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(local))
        .or_else(|_| text.parse::<Date>().and_then(|day| local(day.to_datetime(jiff::civil::Time::midnight()))))
        .or_else(|_| {
            let span: Span = text.parse()?;
            let span = span.abs();
            let there = match direction {
                Direction::Back => now.checked_sub(span)?,
                Direction::Ahead => now.checked_add(span)?,
            };
            Ok::<_, jiff::Error>(there.timestamp())
        });
    read.map(Timestamp::as_millisecond)
        .map_err(|_| format!("\"{text}\" is not a time: write 2026-03-01, 2026-03-01T09:30 or a span such as 7d"))
}

/// For clap: a time in the past.
pub fn past(text: &str) -> Result<Millis, String> {
    parse(text, &Zoned::now(), Direction::Back)
}

/// For clap: a time to come.
pub fn ahead(text: &str) -> Result<Millis, String> {
    let now = Zoned::now();
    let at = parse(text, &now, Direction::Ahead)?;
    if at <= now.timestamp().as_millisecond() { Err(format!("\"{text}\" is already past")) } else { Ok(at) }
}

/// A time in this machine's time zone, to the minute.
#[must_use]
pub fn show(at: Millis) -> String {
    show_in(at, TimeZone::system())
}

fn show_in(at: Millis, zone: TimeZone) -> String {
    Timestamp::from_millisecond(at)
        .map_or_else(|_| "—".to_owned(), |at| at.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Zoned = "2026-03-10T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        for (text, direction, expected) in [
            ("2026-03-01", Direction::Back, "2026-02-28T23:00:00Z"),
            ("2026-03-01T09:30", Direction::Back, "2026-03-01T08:30:00Z"),
            ("2026-03-01T09:30:00Z", Direction::Back, "2026-03-01T09:30:00Z"),
            ("7d", Direction::Back, "2026-03-03T11:00:00Z"),
            ("7d", Direction::Ahead, "2026-03-17T11:00:00Z"),
            ("2 weeks", Direction::Ahead, "2026-03-24T11:00:00Z"),
            ("1h30m", Direction::Back, "2026-03-10T09:30:00Z"),
        ] {
            assert_eq!(parse(text, &now, direction), Ok(at(expected)), "{text}");
        }
        for text in ["", "tomorrow", "2026-13-01", "7", "99999999999y"] {
            assert!(parse(text, &now, Direction::Back).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_bounds_are_times() {
        assert_eq!(FIRST, Timestamp::MIN.as_millisecond());
        assert_eq!(LAST, Timestamp::MAX.as_millisecond());
    }

    #[test]
    fn times_are_shown_to_the_minute() {
        assert_eq!(show_in(0, TimeZone::UTC), "1970-01-01 00:00");
        assert_eq!(show_in(i64::MAX, TimeZone::UTC), "—");
    }
}
