//! iCalendar: one event, task or journal entry, one item.

mod rule;
mod time;

use crate::{
    Unreadable,
    lines::{Line, lines},
    parts::{Part, Parts},
    text::{one_line, title},
};
use hinet_protocol::Millis;
use std::fmt::Write as _;
use time::Moment;

/// People of one entry that are named.
const PEOPLE_MAX: usize = 500;

/// An event, a task or a journal entry.
struct Entry {
    /// `VEVENT`, `VTODO`, `VJOURNAL`.
    component: String,
    lines: Vec<Line>,
}

/// Hands out the entries of a calendar.
pub(crate) fn read(text: &str, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    let (mut any, mut name) = (false, None);
    let calendar = each(text, &mut name, &mut |entry, name| {
        any = true;
        let title = entry.title();
        let mut id = entry.first("UID").map(|line| line.text().trim().to_owned()).unwrap_or_default();
        if id.is_empty() {
            id = title.clone();
        }
        if let Some(instance) = entry.first("RECURRENCE-ID") {
            id = format!("{id} {}", instance.value.trim());
        }
        let key = parts.new_key(&id);
        let (text, modified) = (entry.words(name), entry.at());
        parts.put(Part { key, title, kind: "event", text, modified, ..Part::default() });
        !parts.stopped()
    });
    match (any, calendar) {
        (true, _) => Ok(()),
        (false, true) => Err(Unreadable::NoEvents),
        (false, false) => Err(Unreadable::NoExport),
    }
}

/// All entries of a calendar, as words; a text that is none as it is.
pub(crate) fn words(text: &str) -> String {
    let mut out = String::new();
    let mut name = None;
    each(text, &mut name, &mut |entry, name| {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&entry.words(name));
        true
    });
    if out.is_empty() { text.to_owned() } else { out }
}

/// Hands every entry to `take`, with the calendar's name, until it says no; gives whether there was a calendar at all.
/// An entry that never ends is one all the same.
fn each(text: &str, name: &mut Option<String>, take: &mut dyn FnMut(Entry, Option<&str>) -> bool) -> bool {
    let mut open: Option<Entry> = None;
    let mut inner = 0usize;
    let mut calendar = false;
    for line in lines(text) {
        let value = line.value.trim().to_ascii_uppercase();
        let entry = matches!(value.as_str(), "VEVENT" | "VTODO" | "VJOURNAL");
        match line.name.as_str() {
            "BEGIN" if entry => {
                calendar = true;
                inner = 0;
                if let Some(before) = open.replace(Entry { component: value, lines: Vec::new() })
                    && !take(before, name.as_deref())
                {
                    return true;
                }
            }
            "END" if entry || value == "VCALENDAR" => {
                inner = 0;
                if let Some(done) = open.take()
                    && !take(done, name.as_deref())
                {
                    return true;
                }
            }
            // Alarms and the like have times and words of their own.
            "BEGIN" => {
                calendar |= value == "VCALENDAR";
                inner += usize::from(open.is_some());
            }
            "END" => inner = inner.saturating_sub(1),
            "X-WR-CALNAME" | "NAME" if open.is_none() => *name = title(&line.text()),
            _ => {
                if let Some(entry) = open.as_mut().filter(|_| inner == 0) {
                    entry.lines.push(line);
                }
            }
        }
    }
    if let Some(last) = open.filter(|last| !last.lines.is_empty()) {
        take(last, name.as_deref());
    }
    calendar
}

impl Entry {
    fn first(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    fn said(&self, name: &str) -> Option<String> {
        let text = self.first(name)?.text();
        (!text.trim().is_empty()).then(|| text.trim().to_owned())
    }

    fn kind(&self) -> &'static str {
        match self.component.as_str() {
            "VTODO" => "Task",
            "VJOURNAL" => "Journal",
            _ => "Event",
        }
    }

    fn title(&self) -> String {
        let said = self
            .said("SUMMARY")
            .or_else(|| self.said("DESCRIPTION"))
            .map(|text| one_line(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()));
        said.filter(|title| !title.is_empty()).unwrap_or_else(|| format!("{} without a name", self.kind()))
    }

    /// When it takes place, or is due.
    fn at(&self) -> Option<Millis> {
        let line =
            ["DTSTART", "DUE", "COMPLETED", "DTSTAMP", "CREATED"].into_iter().find_map(|name| self.first(name))?;
        Moment::of(line)?.millis()
    }

    fn words(&self, calendar: Option<&str>) -> String {
        let mut out = format!("{}: {}\n", self.kind(), self.title());
        let mut line = |label: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
                let _ = writeln!(out, "{label}: {}", one_line(&value));
            }
        };
        line("When", self.when());
        line("Due", self.first("DUE").map(time::said));
        line("Repeats", self.first("RRULE").map(|rule| rule::words(&rule.value)));
        line("Also", self.days("RDATE"));
        line("Except", self.days("EXDATE"));
        line("Where", self.said("LOCATION"));
        line("From", self.people("ORGANIZER"));
        line("To", self.people("ATTENDEE"));
        line("Status", self.said("STATUS").map(|status| status.to_lowercase()));
        line("Completed", self.first("COMPLETED").map(time::said));
        line("Categories", self.said("CATEGORIES"));
        line("Link", self.said("URL"));
        line("Calendar", calendar.map(str::to_owned));
        let description = self.said("DESCRIPTION").or_else(|| {
            let html = self.first("X-ALT-DESC")?.text();
            Some(crate::html::parse(&html).0)
        });
        let contact = self.said("CONTACT").map(|contact| format!("Contact: {contact}"));
        let comment = self.said("COMMENT");
        for more in [description, comment, contact].into_iter().flatten() {
            out.push('\n');
            out.push_str(more.trim());
            out.push('\n');
        }
        out
    }

    fn when(&self) -> Option<String> {
        let start = self.first("DTSTART")?;
        let Some(from) = Moment::of(start) else { return Some(start.text()) };
        let to = match (self.first("DTEND"), self.first("DURATION")) {
            (Some(end), _) => Moment::of(end),
            (None, Some(duration)) => from.plus(duration.value.trim()),
            (None, None) => None,
        };
        Some(from.until(to.as_ref()))
    }

    fn days(&self, name: &str) -> Option<String> {
        let mut all: Vec<String> = Vec::new();
        for line in self.lines.iter().filter(|line| line.name == name) {
            for value in line.value.split(',') {
                all.push(time::said_of(value.trim(), line.param("TZID")));
            }
        }
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// Names with their addresses, as a mail's header has them.
    fn people(&self, name: &str) -> Option<String> {
        let mut all: Vec<String> = Vec::new();
        for line in self.lines.iter().filter(|line| line.name == name) {
            let value = line.value.trim();
            let address = value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).map(|_| &value[7..]);
            let address = address.or_else(|| line.param("EMAIL")).unwrap_or_default().trim();
            let called = one_line(line.param("CN").unwrap_or_default());
            let person = match (called.is_empty() || called == address, address.is_empty()) {
                (true, true) if value.is_empty() => continue,
                (true, true) => value.to_owned(),
                (true, false) => address.to_owned(),
                (false, true) => called,
                (false, false) if called.contains([',', ';', '<', '@']) => format!("\"{called}\" <{address}>"),
                (false, false) => format!("{called} <{address}>"),
            };
            if all.len() == PEOPLE_MAX {
                all.push("and more".to_owned());
                break;
            }
            if !all.contains(&person) {
                all.push(person);
            }
        }
        (!all.is_empty()).then(|| all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn an_event_in_words() {
        let text = "BEGIN:VCALENDAR\r\nX-WR-CALNAME:Home\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Choir\\, tenors\r\n\
                    DTSTART;TZID=Europe/Berlin:20240304T190000\r\nDURATION:PT1H30M\r\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10\r\n\
                    LOCATION:Old hall\r\nORGANIZER;CN=\"Lee, Bo\":mailto:bo@x.org\r\nATTENDEE;CN=Ana:MAILTO:ana@x.pt\r\n\
                    BEGIN:VALARM\r\nDESCRIPTION:no\r\nEND:VALARM\r\nDESCRIPTION:Bring\\nnotes.\r\nEND:VEVENT\r\n\
                    BEGIN:VTODO\r\nSUMMARY:Pay\r\nDUE;VALUE=DATE:20240401\r\nEND:VCALENDAR\r\n";
        let expected = "Event: Choir, tenors\nWhen: 2024-03-04 19:00 to 20:30 (Europe/Berlin)\n\
                        Repeats: every week on Monday, 10 times\nWhere: Old hall\nFrom: \"Lee, Bo\" <bo@x.org>\n\
                        To: Ana <ana@x.pt>\nCalendar: Home\n\nBring\nnotes.\n\nTask: Pay\nDue: 2024-04-01\nCalendar: Home\n";
        assert_eq!(words(text), expected);
    }

    #[test]
    fn names_and_days_that_are_said_often_do_not_multiply() {
        let (long, events) = ("x".repeat(1 << 20), "BEGIN:VEVENT\nSUMMARY:s\nEND:VEVENT\n".repeat(1000));
        let said = words(&format!("BEGIN:VCALENDAR\nX-WR-CALNAME:{long}\n{events}END:VCALENDAR\n"));
        assert!(said.len() < 1000 * 400, "{}", said.len());
        // Copied whole for each of its days, this line would be a terabyte.
        let days = "20240304T190000,".repeat(1 << 17);
        let said = words(&format!("BEGIN:VEVENT\nEXDATE;TZID={long}:{days}\nEND:VEVENT\n"));
        assert!(said.len() < (1 << 17) * 120 && said.contains("2024-03-04 19:00 (xxx"), "{}", said.len());
    }
}
