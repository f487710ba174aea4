//! Text exports in which every message begins with its time: WhatsApp's, in the ways of many countries, and Signal's.
//!
//! Whether the day or the month comes first is told by the whole file: by numbers over twelve, by dates that must not
//! run backwards, and last by what goes with the rest of the form.

use super::{days::Days, stamp::Stamp};
use crate::{Unreadable, parts::Parts};
use jiff::civil::{Date, DateTime, Time};
use std::path::Path;

/// Characters of a speaker's name.
const NAME_MAX: usize = 80;
/// What a log calls its lines; a file of these is no chat.
const LEVELS: &[&str] = &["INFO", "WARN", "WARNING", "ERROR", "DEBUG", "TRACE", "FATAL", "NOTICE", "CRITICAL"];

/// The beginning of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Start<'a> {
    /// The numbers of the date, in the order of the file.
    date: [u16; 3],
    /// Whether the year comes first.
    year_first: bool,
    slashes: bool,
    hour: i8,
    minute: i8,
    second: i8,
    /// `Some` for a clock of twelve hours: whether it is afternoon.
    afternoon: Option<bool>,
    rest: &'a str,
}

/// Marks that only say in which direction to write.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{202f}' || c == '\u{a0}'
}

/// Reads along a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn blanks(&mut self) -> bool {
        let after = self.0.trim_start_matches(|c| is_blank(c) || is_mark(c));
        let moved = after.len() < self.0.len();
        self.0 = after;
        moved
    }

    fn take(&mut self, c: char) -> bool {
        let after = self.0.strip_prefix(c);
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    /// A number of at most `most` digits, in whatever digits the country writes.
    fn number(&mut self, most: usize) -> Option<(u16, usize)> {
        let (mut value, mut digits) = (0u16, 0);
        while let Some(c) = self.0.chars().next() {
            let digit = match c {
                '0'..='9' => u32::from(c) - u32::from('0'),
                '\u{660}'..='\u{669}' => u32::from(c) - 0x660,
                '\u{6f0}'..='\u{6f9}' => u32::from(c) - 0x6f0,
                '\u{966}'..='\u{96f}' => u32::from(c) - 0x966,
                _ => break,
            };
            if digits == most {
                return None;
            }
            value = value * 10 + digit as u16;
            digits += 1;
            self.0 = &self.0[c.len_utf8()..];
        }
        (digits > 0).then_some((value, digits))
    }

    /// A word of the half of the day; whether it is the second.
    fn half(&mut self) -> Option<bool> {
        const HALVES: &[(&str, bool)] = &[
            ("a. m.", false),
            ("p. m.", true),
            ("a.m.", false),
            ("p.m.", true),
            ("a.m", false),
            ("p.m", true),
            ("am", false),
            ("pm", true),
            ("vorm.", false),
            ("nachm.", true),
            ("上午", false),
            ("下午", true),
            ("午前", false),
            ("午後", true),
            ("오전", false),
            ("오후", true),
            ("ص", false),
            ("م", true),
            ("öö", false),
            ("ös", true),
            ("π.μ.", false),
            ("μ.μ.", true),
            ("sa", false),
            ("ch", true),
        ];
        let folded: String =
            self.0.chars().take(6).map(|c| if is_blank(c) { ' ' } else { c }).flat_map(char::to_lowercase).collect();
        let (word, second) = HALVES.iter().find(|(word, _)| folded.starts_with(word))?;
        // A name that begins with these letters is none of them.
        let mut after = self.0.chars();
        word.chars().for_each(|_| {
            after.next();
        });
        if after.clone().next().is_some_and(|c| c.is_alphabetic() && word.ends_with(char::is_alphabetic)) {
            return None;
        }
        self.0 = after.as_str();
        Some(*second)
    }
}

/// The beginning of a message, where a line is one.
fn start(line: &str) -> Option<Start<'_>> {
    let mut at = Cursor(line.trim_start_matches(is_mark));
    let bracket = at.take('[');
    let (first, digits) = at.number(4)?;
    let separator = at.0.chars().next().filter(|c| matches!(c, '/' | '.' | '-'))?;
    at.take(separator);
    at.blanks();
    let (second, _) = at.number(2)?;
    if !at.take(separator) {
        return None;
    }
    at.blanks();
    let (third, third_digits) = at.number(4)?;
    let year_first = digits == 4;
    if !year_first && (digits > 2 || !matches!(third_digits, 2 | 4)) || year_first && third_digits > 2 {
        return None;
    }
    at.take('.');
    let comma = at.take(',') || at.take('،');
    let mut blank = at.blanks();
    for word in ["à ", "um ", "a las ", "às "] {
        if let Some(after) = at.0.strip_prefix(word) {
            at.0 = after;
            blank = true;
        }
    }
    // A log writes the year first as well, but no comma.
    if !comma && (year_first || !blank) {
        return None;
    }
    let mut afternoon = at.half();
    at.blanks();
    let (hour, _) = at.number(2)?;
    let colon = if at.take(':') {
        ':'
    } else if at.take('.') {
        '.'
    } else {
        return None;
    };
    let (minute, minute_digits) = at.number(2)?;
    if minute_digits != 2 {
        return None;
    }
    let after_minute = at.0;
    let mut seconds = 0;
    if at.take(colon) {
        match at.number(2) {
            Some((number, 2)) => seconds = number,
            _ => at.0 = after_minute,
        }
    }
    let after_time = at.0;
    at.blanks();
    match afternoon.or_else(|| at.half()) {
        Some(half) => afternoon = Some(half),
        None => at.0 = after_time,
    }
    if bracket {
        at.blanks();
        if !at.take(']') {
            return None;
        }
    } else {
        at.blanks();
        if !(at.take('-') || at.take('–')) {
            return None;
        }
    }
    let proper = hour < 24 && minute < 60 && seconds < 61;
    proper.then_some(Start {
        date: [first, second, third],
        year_first,
        slashes: separator == '/',
        hour: i8::try_from(hour).ok()?,
        minute: i8::try_from(minute).ok()?,
        second: i8::try_from(seconds).ok()?.min(59),
        afternoon,
        rest: at.0.trim_start_matches(|c| is_blank(c) || is_mark(c)),
    })
}

/// The speaker and what they said; nobody where the program tells something.
fn speaker(rest: &str) -> (Option<&str>, &str) {
    let told = (None, rest);
    let Some((name, said)) = rest.split_once(": ").or_else(|| rest.strip_suffix(':').map(|name| (name, ""))) else {
        return told;
    };
    let name = name.trim_matches(|c| is_blank(c) || is_mark(c) || c == '~');
    let proper = !name.is_empty() && name.chars().count() <= NAME_MAX && !name.contains(['"', '“', '„', '«']);
    if proper { (Some(name), said) } else { told }
}

/// Whether a text begins as a chat does.
pub(super) fn begins(head: &str) -> bool {
    let mut messages = 0;
    for (at, line) in head.lines().filter(|line| !line.trim().is_empty()).take(200).enumerate() {
        match start(line) {
            None if at == 0 => return false,
            None => {}
            Some(start) => {
                let who = speaker(start.rest).0;
                if who.is_some_and(|who| LEVELS.contains(&who)) {
                    return false;
                }
                messages += usize::from(who.is_some());
            }
        }
    }
    messages > 0
}

/// The order of day, month and year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    DayFirst,
    MonthFirst,
}

fn date(start: &Start<'_>, order: Order) -> Option<Date> {
    let [a, b, c] = start.date;
    let (year, month, day) = match (start.year_first, order) {
        (true, _) => (a, b, c),
        (false, Order::DayFirst) => (c, b, a),
        (false, Order::MonthFirst) => (c, a, b),
    };
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        year => year,
    };
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Which order the dates of a text are in.
fn order(text: &str) -> Order {
    let (mut wrong, mut back, mut last) = ([0u64; 2], [0u64; 2], [None; 2]);
    let (mut slashes, mut twelve) = (false, false);
    for start in text.lines().filter_map(start) {
        slashes |= start.slashes;
        twelve |= start.afternoon.is_some();
        for (at, order) in [Order::DayFirst, Order::MonthFirst].into_iter().enumerate() {
            let day = date(&start, order);
            wrong[at] += u64::from(day.is_none());
            back[at] += u64::from(day.is_some() && day < last[at]);
            last[at] = day.or(last[at]);
        }
    }
    let month = if wrong[0] != wrong[1] {
        wrong[1] < wrong[0]
    } else if back[0] != back[1] {
        back[1] < back[0]
    } else {
        // Where a clock has twelve hours and dates have slashes, the month comes first.
        slashes && twelve
    };
    if month { Order::MonthFirst } else { Order::DayFirst }
}

pub(super) fn read(path: &Path, text: &str, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    let order = order(text);
    let (program, chat) = named(path);
    let mut days = Days::new(program, &chat, None);
    let mut open: Option<(Option<Stamp>, Option<&str>, String)> = None;
    let mut any = false;
    for line in text.lines() {
        let Some(start) = start(line) else {
            match &mut open {
                Some((_, _, said)) => {
                    said.push('\n');
                    said.push_str(line);
                }
                None => open = Some((None, None, line.to_owned())),
            }
            continue;
        };
        any = true;
        if let Some((at, who, said)) = open.take() {
            days.say(at, who, &clean(&said), parts);
            if parts.stopped() {
                return Ok(());
            }
        }
        let (who, said) = speaker(start.rest);
        open = Some((stamp(&start, order), who, said.to_owned()));
    }
    if let Some((at, who, said)) = open {
        days.say(at, who, &clean(&said), parts);
    }
    days.finish(parts);
    if any { Ok(()) } else { Err(Unreadable::NoExport) }
}

fn clean(said: &str) -> String {
    said.chars().filter(|c| !is_mark(*c)).collect()
}

fn stamp(start: &Start<'_>, order: Order) -> Option<Stamp> {
    let hour = match start.afternoon {
        Some(true) if start.hour < 12 => start.hour + 12,
        Some(false) if start.hour == 12 => 0,
        _ => start.hour,
    };
    let time = Time::new(hour, start.minute, start.second, 0).ok()?;
    Stamp::local(DateTime::from_parts(date(start, order)?, time))
}

/// The program and the conversation, as the file is called: `WhatsApp Chat with Ana.txt`, `_chat.txt` in a folder.
fn named(path: &Path) -> (&'static str, String) {
    let part = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut name = part(path);
    let whole = path.to_string_lossy().to_lowercase();
    let generic = matches!(name.to_lowercase().as_str(), "_chat" | "chat" | "messages" | "export");
    if generic && let Some(around) = path.parent() {
        name = part(around);
    }
    let program = match (whole.contains("whatsapp") || whole.ends_with("_chat.txt"), whole.contains("signal")) {
        (false, true) => "Signal",
        (true, _) => "WhatsApp",
        _ => "messages",
    };
    if let Some(at) = name.find("WhatsApp") {
        // Whatever the language, the person is called last.
        let rest = &name[at + "WhatsApp".len()..];
        let with = [" with ", " mit ", " con ", " avec ", " com ", " met ", " med ", " z ", " с ", " - "];
        let found = with.iter().filter_map(|word| rest.find(word).map(|at| at + word.len())).min();
        if let Some(at) = found {
            name = rest[at..].to_owned();
        }
    }
    (program, name)
}

#[cfg(test)]
mod tests {
    use super::{Order, begins, named, order, speaker, stamp, start};
    use std::path::Path;

    fn shown(line: &str, order: Order) -> Option<(String, String)> {
        let start = start(line)?;
        let at = stamp(&start, order)?;
        Some((format!("{} {}:{:02}", at.date, at.clock(), at.time.second()), start.rest.to_owned()))
    }

    #[test]
    fn times_of_many_countries() {
        use Order::{DayFirst, MonthFirst};
        for (line, order, expected) in [
            ("31/12/2023, 23:59 - Ana: x", DayFirst, "2023-12-31 23:59:00"),
            ("12/31/23, 11:59 PM - Ana: x", MonthFirst, "2023-12-31 23:59:00"),
            ("12/31/23, 11:59\u{202f}PM - Ana: x", MonthFirst, "2023-12-31 23:59:00"),
            ("31.12.23, 23:59 - Ana: x", DayFirst, "2023-12-31 23:59:00"),
            ("31-12-2023 23:59 - Ana: x", DayFirst, "2023-12-31 23:59:00"),
            ("31/12/2023 à 23:59 - Ana: x", DayFirst, "2023-12-31 23:59:00"),
            ("2023-12-31, 23:59 - Ana: x", DayFirst, "2023-12-31 23:59:00"),
            ("\u{200e}[31/12/2023, 23:59:07] Ana: x", DayFirst, "2023-12-31 23:59:07"),
            ("[12/31/23, 12:05:07 AM] Ana: x", MonthFirst, "2023-12-31 00:05:07"),
            ("[31.12.23, 23:59:07] Ana: x", DayFirst, "2023-12-31 23:59:07"),
            ("31/12/2023, 11:59 p. m. - Ana: x", DayFirst, "2023-12-31 23:59:00"),
            ("2023/12/31, 下午11:59 - Ana: x", DayFirst, "2023-12-31 23:59:00"),
            ("31.12.2023 klo 23.59", DayFirst, ""),
            ("31/12/23, 23.59 - Ana: x", DayFirst, "2023-12-31 23:59:00"),
            ("2023-12-31 23:59 - a log", DayFirst, ""),
            ("1/2 cup of flour", DayFirst, ""),
            ("٣١/١٢/٢٠٢٣، ٢٣:٥٩ - Ana: x", DayFirst, "2023-12-31 23:59:00"),
        ] {
            let got = shown(line, order);
            assert_eq!(got.as_ref().map_or("", |(at, _)| at), expected, "{line}");
            assert!(got.is_none_or(|(_, rest)| rest == "Ana: x"), "{line}");
        }
    }

    #[test]
    fn the_order_is_told_by_the_whole_file() {
        for (text, expected) in [
            ("01/02/24, 10:00 - A: x\n13/02/24, 10:00 - A: x", Order::DayFirst),
            ("01/02/24, 10:00 - A: x\n01/13/24, 10:00 - A: x", Order::MonthFirst),
            ("01/02/24, 10:00 - A: x\n02/01/24, 10:00 - A: x\n03/01/24, 10:00 - A: x", Order::MonthFirst),
            ("03/01/24, 10:00 - A: x\n01/02/24, 10:00 - A: x", Order::DayFirst),
            ("1/2/24, 1:00 PM - A: x", Order::MonthFirst),
            ("01.02.24, 10:00 - A: x", Order::DayFirst),
        ] {
            assert_eq!(order(text), expected, "{text}");
        }
    }

    #[test]
    fn chats_and_logs() {
        assert!(begins("[2019-12-24, 12:23] Jane: Hello"));
        assert!(!begins("[01/02/24, 10:00:00] ERROR: no disk"));
        assert!(!begins("A diary.\n31/12/2023, 23:59 - Ana: x"));
        assert!(!begins("31/12/2023, 23:59 - nobody speaks"));
        assert_eq!(speaker("Ana: x: y"), (Some("Ana"), "x: y"));
        assert_eq!(speaker("Ana changed the subject to “a: b”").0, None);
    }

    #[test]
    fn conversations_are_called_after_their_files() {
        for (path, program, name) in [
            ("/a/WhatsApp Chat with Ana Costa.txt", "WhatsApp", "Ana Costa"),
            ("/a/WhatsApp-Chat mit Bo.txt", "WhatsApp", "Bo"),
            ("/a/WhatsApp Chat - Choir.zip/_chat.txt", "WhatsApp", "Choir"),
            ("/a/Chat de WhatsApp con Ana.txt", "WhatsApp", "Ana"),
            ("/signal/Bo.txt", "Signal", "Bo"),
            ("/a/Bo.txt", "messages", "Bo"),
        ] {
            assert_eq!(named(Path::new(path)), (program, name.to_owned()), "{path}");
        }
    }
}
