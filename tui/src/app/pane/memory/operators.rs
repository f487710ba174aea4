//! How a search line is read, so that the person sees it before and after it is sent. The node reads it the same way;
//! what it says is what counts.

/// The operators, as they are typed, with what follows them.
pub const OPERATORS: [(&str, &str); 7] = [
    ("from:", "a person"),
    ("source:", "part of the path"),
    ("before:", "2026-03-12, 2026-03, 2026"),
    ("after:", "2026-03-12, 2026-03, 2026"),
    ("type:", "markdown, code, pdf …"),
    ("label:", "a label"),
    ("is:pinned", ""),
];

/// A search line, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// The words to rank by.
    pub words: String,
    /// What must stand as it is.
    pub phrases: Vec<String>,
    /// The operators, in words.
    pub parts: Vec<String>,
    /// What cannot be, in words.
    pub wrong: Option<String>,
}

impl Read {
    /// Whether only operators are there, so that it is a list rather than a search.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.phrases.is_empty() && !self.words.chars().any(char::is_alphanumeric)
    }

    /// The line as a sentence; empty where it is nothing but words.
    #[must_use]
    pub fn said(&self) -> String {
        if let Some(wrong) = &self.wrong {
            return wrong.clone();
        }
        if self.parts.is_empty() && self.phrases.is_empty() {
            return String::new();
        }
        let mut said = Vec::new();
        if !self.words.is_empty() {
            said.push(format!("words {}", self.words));
        }
        said.extend(self.phrases.iter().map(|phrase| format!("exactly \"{phrase}\"")));
        said.extend(self.parts.iter().cloned());
        said.join(" · ")
    }
}

/// The text in quotation marks that `text` begins with, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (open, close) = [('"', '"'), ('“', '”'), ('„', '“')].into_iter().find(|(open, _)| text.starts_with(*open))?;
    let inner = &text[open.len_utf8()..];
    let end = inner.find(close)?;
    Some((&inner[..end], &inner[end + close.len_utf8()..]))
}

/// Whether a value can be a date: a year, a month or a day.
fn is_date(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let digits = |at: usize, n: usize| {
        parts.get(at).is_none_or(|part| part.len() == n && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let at_most =
        |at: usize, most: u8| parts.get(at).is_none_or(|part| part.parse::<u8>().is_ok_and(|n| n >= 1 && n <= most));
    parts.len() <= 3 && digits(0, 4) && digits(1, 2) && digits(2, 2) && at_most(1, 12) && at_most(2, 31)
}

/// Reads a line.
#[must_use]
pub fn read(line: &str) -> Read {
    let mut read = Read::default();
    let mut words: Vec<&str> = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        if let Some((phrase, after)) = quoted(rest) {
            if !phrase.trim().is_empty() {
                read.phrases.push(phrase.trim().to_owned());
            }
            rest = after.trim_start();
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let taken = rest[..end].split_once(':').filter(|(_, tail)| !tail.is_empty()).and_then(|(name, tail)| {
            let (value, after) = quoted(&rest[name.len() + 1..]).unwrap_or((tail, &rest[end..]));
            take(&mut read, name, value.trim()).then_some(after)
        });
        if taken.is_none() {
            words.push(&rest[..end]);
        }
        rest = taken.unwrap_or(&rest[end..]).trim_start();
    }
    read.words = words.join(" ");
    read
}

fn take(read: &mut Read, name: &str, value: &str) -> bool {
    if value.is_empty() {
        return false;
    }
    let name = name.to_lowercase();
    let said = match name.as_str() {
        "from" => format!("from {value}"),
        "source" => format!("in {value}"),
        "label" => format!("labelled {value}"),
        "type" => format!("only {value}"),
        "is" if value.eq_ignore_ascii_case("pinned") => "only pinned".to_owned(),
        "before" | "after" => {
            if !is_date(value) {
                read.wrong = Some(format!("\"{value}\" after {name}: is no date; write 2026-03-12, 2026-03 or 2026"));
            }
            if name == "before" { format!("before {value}") } else { format!("{value} or later") }
        }
        _ => return false,
    };
    read.parts.push(said);
    true
}

fn last_word(line: &str) -> Option<String> {
    line.rsplit(char::is_whitespace).next().filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// What the last word may go on to: the rest of an operator.
#[must_use]
pub fn completion(line: &str) -> Option<&'static str> {
    let typed = last_word(line)?;
    let mut fitting = OPERATORS.iter().filter_map(|(operator, _)| operator.strip_prefix(typed.as_str()));
    fitting.next().filter(|rest| !rest.is_empty())
}

/// The operator that is being given a value now, and what it takes.
#[must_use]
pub fn expected(line: &str) -> Option<(&'static str, &'static str)> {
    let typed = last_word(line)?;
    OPERATORS.into_iter().find(|(operator, takes)| !takes.is_empty() && typed.starts_with(operator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let cases = [
            ("train to porto", ""),
            ("porto from:Ana before:2026-03", "words porto · from Ana · before 2026-03"),
            ("\"coach 21\" is:PINNED label:\"to do\"", "exactly \"coach 21\" · only pinned · labelled to do"),
            ("from: is:open 14:39", ""),
            ("after:soon x", "\"soon\" after after: is no date; write 2026-03-12, 2026-03 or 2026"),
            ("after:2026-13", "\"2026-13\" after after: is no date; write 2026-03-12, 2026-03 or 2026"),
        ];
        for (line, said) in cases {
            assert_eq!(read(line).said(), said, "{line}");
        }
        assert!(read("from:ana after:2026").is_list() && !read("from:ana x").is_list() && !read("\"x\"").is_list());
    }

    #[test]
    fn operators_are_completed() {
        let cases = [("porto fr", Some("om:")), ("is:", Some("pinned")), ("x ", None), ("from:", None), ("xy", None)];
        for (line, rest) in cases {
            assert_eq!(completion(line), rest, "{line}");
        }
        assert_eq!(expected("porto type:pd").map(|(operator, _)| operator), Some("type:"));
        assert_eq!((expected("porto"), expected("is:pinned")), (None, None));
    }
}
