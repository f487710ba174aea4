//! Google's calendars: one event or series, one item, in the words that an event of a calendar file has.
//!
//! Occurrences that were moved or changed are items of their own, as in a calendar file; those that were called off are
//! named in their series.

use super::{Pages, Query, Web, asked, hand_out, leave_out, millis, named, part, said};
use crate::{
    account::{AccountError, Desk, Login, Place, Steward},
    calendar, html,
    parts::Parts,
};
use hinet_protocol::{AccountPlan, FolderCount};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value;
use std::{collections::HashMap, fmt::Write as _};

const OWN: &str = "https://www.googleapis.com";
const CALENDARS: &str = "/calendar/v3/users/me/calendarList";
/// The bookmark of all calendars that were read, by their ids.
const READ: &str = "calendars";

/// Reads every calendar whole the first time, and after that what was changed in it. One that was read once stays read,
/// hidden or not, for as long as it is there.
pub(crate) fn read(desk: &Desk<'_>, login: &mut Login, steward: &mut dyn Steward) -> Result<(), AccountError> {
    let mut web = Web::new(desk.plan, OWN, login);
    let there = there(&mut web, &mut || steward.goes_on())?;
    let known = steward.bookmark(READ).unwrap_or_default();
    let (mut known, lost): (Vec<&str>, Vec<&str>) =
        known.lines().partition(|id| there.iter().any(|calendar| calendar.id == *id));
    for id in &lost {
        steward.open(&desk.place.key(&[id]));
        steward.close();
        steward.keep_bookmark(id, None);
    }
    if !lost.is_empty() {
        steward.keep_bookmark(READ, Some(&known.join("\n")));
    }
    let chosen = chosen(desk.plan, &there, &known)?;
    if !desk.plan.folders.is_empty() {
        // Those that were named before and are not now.
        let (stay, out): (Vec<&str>, Vec<&str>) =
            known.iter().copied().partition(|id| chosen.iter().any(|calendar| calendar.id == *id));
        for id in &out {
            steward.open(&desk.place.key(&[id]));
            steward.close();
            steward.keep_bookmark(id, None);
        }
        known = stay;
        if !out.is_empty() {
            steward.keep_bookmark(READ, Some(&known.join("\n")));
        }
    }
    let (mut covered, any) = (false, !chosen.is_empty());
    for calendar in chosen {
        desk.reading.check()?;
        let key = desk.place.key(&[&calendar.id]);
        if !desk.reading.covers_place(&key) {
            continue;
        }
        covered = true;
        if !known.contains(&calendar.id.as_str()) {
            known.push(&calendar.id);
            steward.keep_bookmark(READ, Some(&known.join("\n")));
        }
        let mut one = One { desk, web: &mut web, calendar, key };
        match one.read(steward) {
            Err(error @ AccountError::Forbidden { .. }) => {
                leave_out(&one.key, format!("\"{}\" was not read: {error}.", calendar.name), steward)?;
            }
            done => done?,
        }
    }
    if any && !covered {
        return Err(AccountError::NotCovered { place: desk.place.as_str().to_owned() });
    }
    Ok(())
}

/// How many events and series each calendar has.
pub(crate) fn count(
    plan: &AccountPlan,
    place: &Place,
    login: &mut Login,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<FolderCount>, AccountError> {
    let mut web = Web::new(plan, OWN, login);
    let calendars = there(&mut web, goes_on)?;
    let mut counts = Vec::new();
    for calendar in chosen(plan, &calendars, &[])? {
        let mut query = listing(plan);
        query.push(("fields", "nextPageToken,items(id,status)".to_owned()));
        let mut pages = Pages::new(calendar.events(), query, "items");
        let mut there = 0;
        while let Some(page) = pages.next(&mut web, goes_on)? {
            there += page.items.iter().filter(|event| event["status"] != "cancelled").count() as u64;
        }
        counts.push(FolderCount { name: calendar.name.clone(), key: place.key(&[&calendar.id]), there });
    }
    Ok(counts)
}

/// Whose calendars they are: the first is called by its owner's address.
pub(crate) fn owner(
    plan: &AccountPlan,
    login: &mut Login,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<String, AccountError> {
    Web::new(plan, OWN, login).field("/calendar/v3/calendars/primary", &Query::new(), "/id", goes_on)
}

/// A calendar in the owner's list.
struct Calendar {
    id: String,
    name: String,
    zone: String,
    /// It is the owner's own, or its events are shown.
    shown: bool,
}

impl Calendar {
    fn events(&self) -> String {
        format!("/calendar/v3/calendars/{}/events", part(&self.id))
    }
}

/// All calendars in the owner's list.
fn there(web: &mut Web<'_>, goes_on: &mut dyn FnMut() -> bool) -> Result<Vec<Calendar>, AccountError> {
    let query = vec![("maxResults", "250".to_owned()), ("showHidden", "true".to_owned())];
    let mut pages = Pages::new(CALENDARS, query, "items");
    let mut there: Vec<Calendar> = Vec::new();
    while let Some(page) = pages.next(web, goes_on)? {
        for entry in &page.items {
            let Some(id) = said(&entry["id"]).filter(|id| !id.contains('\n')) else { continue };
            let name = said(&entry["summaryOverride"]).or_else(|| said(&entry["summary"]));
            let shown = entry["primary"] == true || entry["selected"] == true;
            let zone = said(&entry["timeZone"]).unwrap_or_default();
            there.push(Calendar { name: name.unwrap_or_else(|| id.clone()), id, zone, shown });
        }
    }
    if there.is_empty() {
        // Every account has one.
        return Err(web.odd("it lists no calendar at all"));
    }
    Ok(there)
}

/// Those that the plan names, or else those that are shown or are known already.
fn chosen<'c>(plan: &AccountPlan, there: &'c [Calendar], known: &[&str]) -> Result<Vec<&'c Calendar>, AccountError> {
    if plan.folders.is_empty() {
        return Ok(there.iter().filter(|one| one.shown || known.contains(&one.id.as_str())).collect());
    }
    let names = there.iter().map(|one| (one.id.as_str(), vec![one.name.as_str(), one.id.as_str()]));
    let ids = named(&plan.folders, names)?;
    Ok(there.iter().filter(|one| ids.contains(&one.id.as_str())).collect())
}

/// A question for all events.
fn listing(plan: &AccountPlan) -> Query {
    let mut query: Query = vec![("maxResults", "2500".to_owned()), ("singleEvents", "false".to_owned())];
    query.extend(plan.since.and_then(asked).map(|since| ("timeMin", since)));
    query
}

/// One calendar that is being read.
struct One<'a, 'w> {
    desk: &'a Desk<'a>,
    web: &'a mut Web<'w>,
    calendar: &'a Calendar,
    key: String,
}

impl One<'_, '_> {
    fn read(&mut self, steward: &mut dyn Steward) -> Result<(), AccountError> {
        steward.open(&self.key);
        // Every event says which calendar it is in, so a calendar of another name is another.
        let bookmark = steward.bookmark(&self.calendar.id);
        let token = bookmark.as_deref().and_then(|kept| kept.split_once(' '));
        let changed = match token.filter(|(_, name)| *name == self.calendar.name) {
            Some((token, _)) => self.changed(token, steward),
            None => Ok(None),
        };
        let token = match changed {
            Ok(Some(token)) => Some(token),
            // Nothing was read yet, or it is no longer known what has changed.
            Ok(None) | Err(AccountError::Absent { .. }) => self.whole(steward)?,
            Err(error) => return Err(error),
        };
        let kept = token.map(|token| format!("{token} {}", self.calendar.name));
        if kept != bookmark {
            steward.keep_bookmark(&self.calendar.id, kept.as_deref());
        }
        Ok(())
    }

    /// Hands out all events; gives the token with which to ask for changes. A listing holds what it lists, so nothing
    /// would be saved by asking what is known.
    fn whole(&mut self, steward: &mut dyn Steward) -> Result<Option<String>, AccountError> {
        let mut pages = Pages::new(self.calendar.events(), listing(self.desk.plan), "items");
        let (mut events, mut token) = (Vec::new(), None);
        let mut off: HashMap<String, Vec<String>> = HashMap::new();
        while let Some(page) = pages.next(self.web, &mut || steward.goes_on())? {
            token = said(&page.rest["nextSyncToken"]);
            for event in page.items {
                if event["status"] != "cancelled" {
                    events.push(event);
                } else if let Some(series) = said(&event["recurringEventId"]) {
                    off.entry(series).or_default().extend(moment(&event["originalStartTime"], &self.calendar.zone));
                }
            }
        }
        for event in &events {
            let off = said(&event["id"]).and_then(|id| off.remove(&id)).unwrap_or_default();
            self.put(event, &off, steward)?;
        }
        steward.close();
        Ok(token)
    }

    /// Hands out what has changed; gives the next token, or `None` where only a listing tells all.
    fn changed(&mut self, token: &str, steward: &mut dyn Steward) -> Result<Option<String>, AccountError> {
        // With a token, a time to begin at is not asked for again: the token knows it.
        let mut query = listing(self.desk.plan);
        query.retain(|(name, _)| *name != "timeMin");
        query.push(("syncToken", token.to_owned()));
        let mut pages = Pages::new(self.calendar.events(), query, "items");
        let (mut events, mut next) = (Vec::new(), None);
        while let Some(page) = pages.next(self.web, &mut || steward.goes_on())? {
            next = said(&page.rest["nextSyncToken"]);
            events.extend(page.items);
        }
        // Of a series whose occurrences are called off, or that was changed, all such occurrences must be known.
        let series = |event: &Value| {
            let off = event["status"] == "cancelled" && !event["recurringEventId"].is_null();
            off || event["recurrence"].is_array()
        };
        if events.iter().any(series) {
            return Ok(None);
        }
        for event in &events {
            match said(&event["id"]) {
                Some(id) if event["status"] == "cancelled" => {
                    let key = hand_out(self.desk, (&self.key, 0), steward, |parts: &mut Parts<'_>| parts.key(&id))?;
                    steward.gone(&key);
                }
                _ => self.put(event, &[], steward)?,
            }
        }
        Ok(next)
    }

    fn put(&self, event: &Value, off: &[String], steward: &mut dyn Steward) -> Result<(), AccountError> {
        let Some(id) = said(&event["id"]) else {
            return leave_out(&self.key, "An event in it was not read: it has no id.".to_owned(), steward);
        };
        let modified = millis(&event["updated"]).unwrap_or(0);
        hand_out(self.desk, (&self.key, modified), steward, |parts| {
            if let Err(why) = calendar::read(&written(event, &id, off, self.calendar), parts) {
                let key = parts.key(&id);
                parts.skip(&key, why.to_string());
            }
        })
    }
}

/// An event as a calendar file has it.
fn written(event: &Value, id: &str, off: &[String], calendar: &Calendar) -> String {
    let mut out = format!("BEGIN:VCALENDAR\nX-WR-CALNAME:{}\nBEGIN:VEVENT\n", escaped(&calendar.name));
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(out, "{name}{value}");
        }
    };
    let text = |value: Option<String>| value.map(|text| format!(":{}", escaped(&text)));
    line("UID", text(Some(id.to_owned())));
    line("SUMMARY", text(said(&event["summary"])));
    line("DTSTART", moment(&event["start"], &calendar.zone));
    if event["endTimeUnspecified"] != true {
        line("DTEND", moment(&event["end"], &calendar.zone));
    }
    for rule in event["recurrence"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let known = ["RRULE", "EXRULE", "RDATE", "EXDATE"].iter().any(|name| rule.starts_with(name));
        line("", known.then(|| rule.replace(char::is_control, "")));
    }
    for day in off {
        line("EXDATE", Some(day.clone()));
    }
    line("LOCATION", text(said(&event["location"])));
    let guests = event["attendees"].as_array().map_or(&[][..], Vec::as_slice);
    // Who made an event without guests is the one whose calendar it is.
    if !guests.is_empty() {
        line("ORGANIZER", person(&event["organizer"]));
    }
    for guest in guests {
        line("ATTENDEE", person(guest));
    }
    line("STATUS", text(said(&event["status"])));
    line("DESCRIPTION", text(said(&event["description"]).map(|text| readable(&text))));
    out.push_str("END:VEVENT\nEND:VCALENDAR\n");
    out
}

/// A text as the value of a line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\\' | ';' | ',' => out.extend(['\\', c]),
            c if c.is_control() && c != '\t' => {}
            c => out.push(c),
        }
    }
    out
}

/// A time of an event, as what stands behind the name of a line: `;TZID=Europe/Berlin:20240304T190000`.
fn moment(time: &Value, zone: &str) -> Option<String> {
    if let Some(day) = time["date"].as_str() {
        return Some(format!(";VALUE=DATE:{}", escaped(day)));
    }
    let text = time["dateTime"].as_str()?;
    let named = time["timeZone"].as_str().unwrap_or(zone);
    let zone = TimeZone::get(named).ok().filter(|zone| *zone != TimeZone::UTC);
    let (local, end) = match (text.parse::<Timestamp>(), &zone) {
        // The hour that is written may be that of another zone than the event's own.
        (Ok(time), Some(zone)) => (time.to_zoned(zone.clone()).datetime(), ""),
        (Ok(time), None) => (time.to_zoned(TimeZone::UTC).datetime(), "Z"),
        (Err(_), _) => match text.parse::<DateTime>() {
            Ok(time) => (time, ""),
            Err(_) => return Some(format!(":{}", escaped(text))),
        },
    };
    let zone = zone.map_or_else(String::new, |_| format!(";TZID={named}"));
    Some(format!("{zone}:{}{end}", local.strftime("%Y%m%dT%H%M%S")))
}

/// Somebody, as what stands behind the name of a line.
fn person(person: &Value) -> Option<String> {
    let address = said(&person["email"]).map(|address| escaped(&address));
    let name =
        said(&person["displayName"]).map(|name| name.replace(|c: char| c.is_control() || c == '"' || c == '\\', "'"));
    match (name, address) {
        (Some(name), address) => Some(format!(";CN=\"{name}\":mailto:{}", address.unwrap_or_default())),
        (None, Some(address)) => Some(format!(":mailto:{address}")),
        (None, None) => None,
    }
}

/// A description, which may be a piece of a web page.
fn readable(text: &str) -> String {
    let tag = |at: usize| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let page = text.match_indices('<').any(|(at, _)| tag(at) && text[at..].contains('>'));
    if page { html::parse(&text.replace('\n', "<br>")).0 } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Calendar, moment, readable, written};
    use crate::calendar::words;
    use serde_json::json;

    #[test]
    fn times_are_those_of_the_event_and_not_of_whoever_asks() {
        for (time, expected) in [
            (json!({"date": "2024-03-04"}), Some(";VALUE=DATE:2024-03-04")),
            (json!({"dateTime": "2024-03-04T19:00:00+01:00"}), Some(";TZID=Asia/Tokyo:20240305T030000")),
            (
                json!({"dateTime": "2024-03-04T19:00:00+01:00", "timeZone": "America/New_York"}),
                Some(";TZID=America/New_York:20240304T130000"),
            ),
            (json!({"dateTime": "2024-03-04T19:00:00Z", "timeZone": "Mars/Base"}), Some(":20240304T190000Z")),
            (json!({"dateTime": "2024-03-04T19:00:00", "timeZone": "UTC"}), Some(":20240304T190000")),
            (json!({"dateTime": "so;on\nX:"}), Some(":so\\;on\\nX:")),
            (json!({"dateTime": 7}), None),
            (json!("soon"), None),
        ] {
            assert_eq!(moment(&time, "Asia/Tokyo").as_deref(), expected, "{time}");
        }
    }

    #[test]
    fn what_an_event_says_stays_in_its_line() {
        let zone = "UTC".to_owned();
        let calendar = Calendar { id: "c".into(), name: "A\nBEGIN:VEVENT".into(), zone, shown: true };
        let event = json!({
            "summary": "x\r\nEND:VEVENT\nLOCATION:no", "recurrence": ["RRULE:FREQ=DAILY\nLOCATION:no", "SUMMARY:no", 7],
            "attendees": [{"displayName": "O\"x\\", "email": "o@x.org"}, {"email": 7}, "nobody"], "start": [], "status": 7,
        });
        let expected = "Event: x\nRepeats: FREQ=DAILYLOCATION:no\nTo: O'x' <o@x.org>, 7\nStatus: 7\n\
                        Calendar: A BEGIN:VEVENT\n";
        assert_eq!(words(&written(&event, "id", &[], &calendar)), expected);
    }

    #[test]
    fn descriptions_are_texts_or_pieces_of_pages() {
        for (text, expected) in
            [("a < b\nc > d", "a < b\nc > d"), ("one<br>two\nthree", "one\ntwo\nthree"), ("<3 & more", "<3 & more")]
        {
            assert_eq!(readable(text).trim(), expected);
        }
    }
}
