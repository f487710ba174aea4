//! When something was said: the day and the hour as an export has them, and the moment.

use hinet_protocol::Millis;
use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// A moment of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) date: Date,
    pub(super) time: Time,
    pub(super) millis: Millis,
}

impl Stamp {
    /// An hour of wherever the owner was, which is taken to be where they are.
    pub(super) fn local(time: DateTime) -> Option<Self> {
        let millis = time.to_zoned(TimeZone::system()).ok()?.timestamp().as_millisecond();
        Some(Self { date: time.date(), time: time.time(), millis })
    }

    /// Seconds since 1970, shown in UTC.
    pub(super) fn seconds(seconds: f64) -> Option<Self> {
        if !seconds.is_finite() || seconds.abs() > 1e11 {
            return None;
        }
        Self::millis((seconds * 1000.0).round() as i64)
    }

    /// Milliseconds since 1970, shown in UTC.
    pub(super) fn millis(millis: Millis) -> Option<Self> {
        let time = Timestamp::from_millisecond(millis).ok()?.to_zoned(TimeZone::UTC).datetime();
        Some(Self { date: time.date(), time: time.time(), millis })
    }

    /// A time such as `2024-03-01T10:22:31+01:00`, shown as it stands; without an offset an hour of the owner's.
    pub(super) fn written(text: &str) -> Option<Self> {
        let text = text.trim();
        let time: DateTime = text.parse().ok().or_else(|| {
            let bare = text.get(..19)?;
            bare.parse().ok()
        })?;
        match text.parse::<Timestamp>() {
            Ok(moment) => Some(Self { date: time.date(), time: time.time(), millis: moment.as_millisecond() }),
            Err(_) => Self::local(time),
        }
    }

    /// `10:22`.
    pub(super) fn clock(&self) -> String {
        format!("{:02}:{:02}", self.time.hour(), self.time.minute())
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;

    #[test]
    fn stamps() {
        for (text, day, clock, millis) in [
            ("2024-03-01T10:22:31.5+01:00", "2024-03-01", "10:22", Some(1_709_284_951_500)),
            ("2024-03-01T10:22:31Z", "2024-03-01", "10:22", Some(1_709_288_551_000)),
            ("2024-03-01T10:22:31", "2024-03-01", "10:22", None),
        ] {
            let stamp = Stamp::written(text).expect(text);
            assert_eq!((stamp.date.to_string().as_str(), stamp.clock().as_str()), (day, clock), "{text}");
            assert!(millis.is_none_or(|millis| millis == stamp.millis), "{text}");
        }
        assert_eq!(
            Stamp::seconds(1_544_006_350.0).map(|s| (s.date.to_string(), s.clock())),
            Some(("2018-12-05".into(), "10:39".into()))
        );
        assert_eq!((Stamp::seconds(f64::NAN), Stamp::millis(i64::MAX), Stamp::written("soon")), (None, None, None));
    }
}
