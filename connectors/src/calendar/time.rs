//! Times of a calendar: days, hours of a zone, hours of no zone.

use crate::lines::{Line, unescaped};
use hinet_protocol::Millis;
use jiff::{
    Span,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// Characters of a zone's name, which stands behind each of its times.
const ZONE_MAX: usize = 80;

/// A day or a time of day, as a calendar writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    date: Date,
    /// None for a whole day.
    time: Option<Time>,
    zone: Zone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Zone {
    /// The hour of wherever one is.
    Here,
    Utc,
    Named(String),
}

impl Moment {
    /// The time that a line holds; `None` where it holds none.
    pub(super) fn of(line: &Line) -> Option<Self> {
        Self::read(&line.value, line.param("TZID"))
    }

    /// The time that a value says, in a zone of this name where one is named.
    fn read(value: &str, zone: Option<&str>) -> Option<Self> {
        let value = value.trim();
        let value = value.split([',', '/']).next().unwrap_or(value);
        let (day, clock) = match value.split_once(['T', 't', ' ']) {
            Some((day, clock)) => (day, Some(clock)),
            None => (value, None),
        };
        let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
        let day = digits(day);
        if day.len() != 8 {
            return None;
        }
        let date = Date::new(day[..4].parse().ok()?, day[4..6].parse().ok()?, day[6..].parse().ok()?).ok()?;
        let Some(clock) = clock else { return Some(Self { date, time: None, zone: Zone::Here }) };
        let utc = clock.trim_end().ends_with(['Z', 'z']);
        let clock = digits(clock);
        let part = |at: usize| clock.get(at..at + 2).map_or(Some(0), |part| part.parse::<i8>().ok());
        // A leap second is the second before it.
        let time = Time::new(part(0)?, part(2)?, part(4)?.min(59), 0).ok()?;
        let zone = match zone.map(str::trim) {
            _ if utc => Zone::Utc,
            Some(name) if !name.is_empty() => Zone::Named(name.chars().take(ZONE_MAX).collect()),
            _ => Zone::Here,
        };
        Some(Self { date, time: Some(time), zone })
    }

    /// The moment after a duration such as `PT1H30M`.
    pub(super) fn plus(&self, duration: &str) -> Option<Self> {
        let span: Span = duration.trim_start_matches('+').parse().ok()?;
        let time = self.time.unwrap_or(Time::midnight());
        let end = DateTime::from_parts(self.date, time).checked_add(span).ok()?;
        let whole = self.time.is_none() && end.time() == Time::midnight();
        Some(Self { date: end.date(), time: (!whole).then(|| end.time()), zone: self.zone.clone() })
    }

    /// In milliseconds since 1970.
    pub(super) fn millis(&self) -> Option<Millis> {
        let zone = match &self.zone {
            Zone::Utc => TimeZone::UTC,
            Zone::Here => TimeZone::system(),
            Zone::Named(name) => TimeZone::get(name).unwrap_or_else(|_| TimeZone::system()),
        };
        let time = DateTime::from_parts(self.date, self.time.unwrap_or(Time::midnight()));
        Some(time.to_zoned(zone).ok()?.timestamp().as_millisecond())
    }

    fn zone(&self) -> String {
        match (&self.zone, self.time) {
            (_, None) | (Zone::Here, _) => String::new(),
            (Zone::Utc, _) => " UTC".to_owned(),
            (Zone::Named(name), _) => format!(" ({name})"),
        }
    }

    fn bare(&self) -> String {
        match self.time {
            Some(time) => format!("{} {}", self.date, clock(time)),
            None => self.date.to_string(),
        }
    }

    /// The time from this moment to another, in words.
    pub(super) fn until(&self, end: Option<&Self>) -> String {
        let Some(end) = end else { return format!("{}{}", self.bare(), self.zone()) };
        match (self.time, end.time) {
            // The end of a whole day is the day after it.
            (None, None) => match end.date.yesterday() {
                Ok(last) if last > self.date => format!("{} to {last}", self.date),
                _ => self.date.to_string(),
            },
            (Some(_), Some(to)) if self.zone == end.zone => match (self.date == end.date, self == end) {
                (_, true) => format!("{}{}", self.bare(), self.zone()),
                (true, _) => format!("{} to {}{}", self.bare(), clock(to), self.zone()),
                (false, _) => format!("{} to {}{}", self.bare(), end.bare(), self.zone()),
            },
            _ => format!("{}{} to {}{}", self.bare(), self.zone(), end.bare(), end.zone()),
        }
    }
}

fn clock(time: Time) -> String {
    match time.second() {
        0 => format!("{:02}:{:02}", time.hour(), time.minute()),
        second => format!("{:02}:{:02}:{second:02}", time.hour(), time.minute()),
    }
}

/// A line's time in words, or as it stands.
pub(super) fn said(line: &Line) -> String {
    said_of(&line.value, line.param("TZID"))
}

/// The same of a value of its own and of the name of its zone.
pub(super) fn said_of(value: &str, zone: Option<&str>) -> String {
    Moment::read(value, zone).map_or_else(|| unescaped(value), |moment| moment.until(None))
}

#[cfg(test)]
mod tests {
    use super::Moment;
    use crate::lines::lines;

    #[test]
    fn times_in_words_and_numbers() {
        for (text, words, millis) in [
            ("DTSTART:20240304T190000Z", "2024-03-04 19:00 UTC", Some(1_709_578_800_000)),
            ("DTSTART;TZID=Mars/Base:20240304T190005", "2024-03-04 19:00:05 (Mars/Base)", None),
            ("DTSTART;VALUE=DATE:20240304", "2024-03-04", None),
            ("DTSTART:2024-03-04T19:00:00Z", "2024-03-04 19:00 UTC", Some(1_709_578_800_000)),
        ] {
            let moment = Moment::of(&lines(text).next().expect("a line")).expect(text);
            assert_eq!(moment.until(None), words);
            if millis.is_some() {
                assert_eq!(moment.millis(), millis, "{text}");
            }
        }
        for bad in ["DTSTART:", "DTSTART:20241399", "DTSTART:20240101T990000", "DTSTART:soon"] {
            assert_eq!(Moment::of(&lines(bad).next().expect("a line")), None, "{bad}");
        }
    }
}
