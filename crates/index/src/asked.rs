//! What a search line asks: operators, phrases and words.
//!
//! `from:NAME source:PART before:DATE after:DATE type:KIND label:L is:pinned "exact phrase"`; values may be quoted. What
//! is no operator is words, also an operator without a value (it is still being typed). Different operators must all
//! hold; several of `from:`, `source:` and `label:` must each hold, of several `type:` one.

use hinet_protocol::{Millis, Within};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A search line, read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// What to rank by.
    pub words: String,
    /// What must stand in the passage, letter case and white space aside.
    pub phrases: Vec<String>,
    /// Which items.
    pub filter: Filter,
}

/// Which items are looked at. Every bound that is there must hold; without any it is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Who wrote it; each.
    pub from: Vec<String>,
    /// Parts of the path; each.
    pub places: Vec<String>,
    /// Changed at this time or later.
    pub after: Option<Millis>,
    /// Changed before this time.
    pub before: Option<Millis>,
    /// Kinds; any of them.
    pub kinds: Vec<String>,
    /// Labels; each.
    pub labels: Vec<String>,
    /// Only what is pinned.
    pub pinned: bool,
    /// Parts of the memory; any of them, where there are some.
    pub within: Vec<Within>,
}

impl Filter {
    /// Whether nothing is confined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether people must be known to decide it.
    #[must_use]
    pub fn asks_for_people(&self) -> bool {
        !self.from.is_empty() || self.within.iter().any(|part| matches!(part, Within::Person(_)))
    }
}

/// A value that is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" after `{operator}:` is not a date")]
pub struct NotADate {
    /// `before` or `after`.
    pub operator: &'static str,
    /// What was given.
    pub value: String,
}

impl Asked {
    /// Reads a search line; days begin at midnight in `zone`.
    ///
    /// # Errors
    /// Where `before:` or `after:` is given something that is no date.
    pub fn read(line: &str, zone: &TimeZone) -> Result<Self, NotADate> {
        let mut asked = Self::default();
        let mut words: Vec<&str> = Vec::new();
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            if let Some((phrase, after)) = quoted(rest) {
                if !phrase.trim().is_empty() {
                    asked.phrases.push(folded(phrase));
                }
                rest = after.trim_start();
                continue;
            }
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let taken = match rest[..end].split_once(':') {
                Some((name, tail)) if !tail.is_empty() => {
                    let (value, after) = quoted(&rest[name.len() + 1..]).unwrap_or((tail, &rest[end..]));
                    asked.take(name, value.trim(), zone)?.then_some(after)
                }
                _ => None,
            };
            if taken.is_none() {
                words.push(&rest[..end]);
            }
            rest = taken.unwrap_or(&rest[end..]).trim_start();
        }
        asked.words = words.join(" ");
        Ok(asked)
    }

    /// Whether there is something to rank by.
    #[must_use]
    pub fn says_something(&self) -> bool {
        !self.phrases.is_empty() || self.words.chars().any(char::is_alphanumeric)
    }

    /// Words and phrases as one text, for ranking.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = std::iter::once(self.words.as_str()).chain(self.phrases.iter().map(String::as_str));
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether `name:value` is an operator; then it is taken up.
    fn take(&mut self, name: &str, value: &str, zone: &TimeZone) -> Result<bool, NotADate> {
        let filter = &mut self.filter;
        if value.is_empty() {
            return Ok(false);
        }
        match name.to_lowercase().as_str() {
            "from" => filter.from.push(value.to_owned()),
            "source" => filter.places.push(value.to_lowercase()),
            "label" => filter.labels.push(value.to_owned()),
            "type" => filter.kinds.push(kind(value)),
            "is" if value.eq_ignore_ascii_case("pinned") => filter.pinned = true,
            "before" => {
                let at = date("before", value, zone)?;
                filter.before = Some(filter.before.map_or(at, |known| known.min(at)));
            }
            "after" => {
                let at = date("after", value, zone)?;
                filter.after = Some(filter.after.map_or(at, |known| known.max(at)));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Bytes of a phrase. A mark that is closed only after more is none, so that no end is looked for through a whole page.
const PHRASE_MAX: usize = 4096;

/// The text in quotation marks that `text` begins with, and what follows it. A mark that is never closed is none.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (open, close) = [('"', '"'), ('“', '”'), ('„', '“')].into_iter().find(|(open, _)| text.starts_with(*open))?;
    let inner = &text[open.len_utf8()..];
    let end = inner[..inner.floor_char_boundary(PHRASE_MAX)].find(close)?;
    Some((&inner[..end], &inner[end + close.len_utf8()..]))
}

/// The kinds as they are stored, and what people call them.
fn kind(value: &str) -> String {
    let lower = value.to_lowercase();
    match lower.trim_start_matches('.') {
        "md" => "markdown",
        "txt" | "plain" => "text",
        "htm" | "web" | "page" => "html",
        "doc" | "word" => "docx",
        "ods" | "odp" => "odt",
        "book" | "ebook" => "epub",
        "email" | "eml" | "letter" => "mail",
        "calendar" | "ics" => "event",
        "vcard" | "vcf" | "card" => "contact",
        other => other,
    }
    .to_owned()
}

/// The first moment of a day, a month or a year.
fn date(operator: &'static str, value: &str, zone: &TimeZone) -> Result<Millis, NotADate> {
    let bad = || NotADate { operator, value: value.to_owned() };
    let parts: Vec<&str> = value.split('-').collect();
    let number = |at: usize, digits: usize| -> Option<i16> {
        let Some(part) = parts.get(at) else { return Some(1) };
        (part.len() == digits && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok())?
    };
    if parts.len() > 3 {
        return Err(bad());
    }
    let (Some(year), Some(month), Some(day)) = (number(0, 4), number(1, 2), number(2, 2)) else { return Err(bad()) };
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return Err(bad()) };
    let at = Date::new(year, month, day).and_then(|day| day.to_zoned(zone.clone())).map_err(|_| bad())?;
    Ok(at.timestamp().as_millisecond())
}

/// A text as phrases are compared: lower case, any white space one space.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Asked {
        Asked::read(line, &TimeZone::UTC).unwrap()
    }

    #[test]
    fn marks_that_are_never_closed_take_linear_time() {
        let line = "„ ".repeat(1 << 18);
        assert_eq!(read(&line).words.len(), line.len() - 1);
    }

    #[test]
    fn lines_are_read() {
        let f = Filter::default;
        let cases: Vec<(&str, &str, &[&str], Filter)> = vec![
            ("", "", &[], f()),
            ("  deploy keys ", "deploy keys", &[], f()),
            ("from:ana porto", "porto", &[], Filter { from: vec!["ana".into()], ..f() }),
            ("porto from:\"Ana Costa\"", "porto", &[], Filter { from: vec!["Ana Costa".into()], ..f() }),
            (
                "FROM:ana source:Notes/ is:Pinned",
                "",
                &[],
                Filter { from: vec!["ana".into()], places: vec!["notes/".into()], pinned: true, ..f() },
            ),
            ("\"the  14:39\ttrain\" when", "when", &["the 14:39 train"], f()),
            ("“Das Boot” x", "x", &["das boot"], f()),
            ("an \"open quote", "an \"open quote", &[], f()),
            ("type:md type:.PDF", "", &[], Filter { kinds: vec!["markdown".into(), "pdf".into()], ..f() }),
            (
                "label:work label:\"tax 2025\"",
                "",
                &[],
                Filter { labels: vec!["work".into(), "tax 2025".into()], ..f() },
            ),
            ("from: is:open http://x.org a:b 14:39", "from: is:open http://x.org a:b 14:39", &[], f()),
            ("from:\"\" \"\"", "from:\"\"", &[], f()),
            ("after:1970 before:1970-02", "", &[], Filter { after: Some(0), before: Some(31 * 86_400_000), ..f() }),
            ("after:1970-01-02 after:1970", "", &[], Filter { after: Some(86_400_000), ..f() }),
            ("before:\"1970-01-03\"", "", &[], Filter { before: Some(2 * 86_400_000), ..f() }),
            ("label:a\"b c", "c", &[], Filter { labels: vec!["a\"b".into()], ..f() }),
            ("źródło:x ‎from:y", "źródło:x ‎from:y", &[], f()),
        ];
        for (line, words, phrases, filter) in cases {
            let asked = read(line);
            assert_eq!(asked.words, words, "{line}");
            assert_eq!(asked.phrases, phrases, "{line}");
            assert_eq!(asked.filter, filter, "{line}");
        }
    }

    #[test]
    fn a_bad_date_is_said() {
        for bad in ["2026-13", "2026-02-30", "yesterday", "26", "2026-1", "2026-01-01-01", "-2026", "2026-", "20260312"]
        {
            let error = Asked::read(&format!("x before:{bad}"), &TimeZone::UTC).unwrap_err();
            assert_eq!(error, NotADate { operator: "before", value: bad.to_owned() });
        }
        assert!(Asked::read("after:\"12 March\"", &TimeZone::UTC).is_err());
    }

    #[test]
    fn days_begin_where_the_owner_is() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(Asked::read("after:1970-01-02", &zone).unwrap().filter.after, Some(22 * 3_600_000));
    }

    #[test]
    fn something_to_rank_by() {
        assert!(read("from:ana \"x y\"").says_something() && read("a").says_something());
        assert!(!read("from:ana ?!").says_something());
        assert_eq!(read("one \"Two  three\" from:x").text(), "one two three");
    }
}
