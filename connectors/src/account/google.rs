//! Google's public interfaces, asked with their owner's own login: addresses, pages, and how one is read whole once and
//! by what has changed after that.
//!
//! Answers are looked at field by field. An item that says something odd costs that item; only a listing that is none
//! ends a reading.

pub(super) mod calendar;
pub(super) mod drive;
pub(super) mod gmail;

use super::{AccountError, Desk, Login, Place, Steward};
use crate::parts::Parts;
use hinet_protocol::{AccountPlan, FolderCount, Millis, Skipped};
use serde_json::Value;
use std::collections::HashSet;
use url::form_urlencoded;

/// Bytes that one page of a listing may have.
const PAGE_MAX: u64 = 64 << 20;
/// The bookmark of what has been read: all changes up to it.
const STAND: &str = "stand";
/// The bookmark of a listing that is under way: where it stood when it began.
const LISTING: &str = "listing";

/// What is asked for, beside the path.
type Query = Vec<(&'static str, String)>;

/// One of the interfaces, under a login.
pub(crate) struct Web<'a> {
    login: &'a mut Login,
    base: String,
}

impl<'a> Web<'a> {
    fn new(plan: &AccountPlan, own: &str, login: &'a mut Login) -> Self {
        let base = plan.server.as_deref().unwrap_or(own).trim_end_matches('/').to_owned();
        Self { login, base }
    }

    /// The bytes of an answer.
    fn bytes(
        &mut self,
        path: &str,
        query: &Query,
        limit: u64,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<u8>, AccountError> {
        if !goes_on() {
            return Err(AccountError::Stopped);
        }
        let mut url = format!("{}{path}", self.base);
        if !query.is_empty() {
            url.push('?');
            url.push_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish());
        }
        self.login.get(&url, limit, goes_on)
    }

    /// An answer that is an object.
    fn json(
        &mut self,
        path: &str,
        query: &Query,
        limit: u64,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Value, AccountError> {
        let bytes = self.bytes(path, query, limit, goes_on)?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Value::Object(fields)),
            // The error itself may quote what is in the account.
            _ => Err(self.odd("it is no JSON object")),
        }
    }

    /// A field of an answer that must be there.
    fn field(
        &mut self,
        path: &str,
        query: &Query,
        at: &str,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<String, AccountError> {
        let answer = self.json(path, query, PAGE_MAX, goes_on)?;
        let found = answer.pointer(at).and_then(said);
        found.ok_or_else(|| self.odd(&format!("there is no {} in it", at.trim_start_matches('/'))))
    }

    fn odd(&self, why: &str) -> AccountError {
        let host = self.base.split("://").last().unwrap_or_default().split('/').next().unwrap_or_default();
        AccountError::Answer { server: host.to_owned(), why: why.to_owned() }
    }
}

/// A listing, page by page.
struct Pages {
    path: String,
    query: Query,
    /// The field with what is listed.
    name: &'static str,
    token: Option<String>,
    /// Pages that were asked for, so that a server cannot send around without end.
    seen: HashSet<String>,
    over: bool,
}

/// One page: what is listed, and what else the answer says.
struct Page {
    items: Vec<Value>,
    rest: Value,
}

impl Pages {
    fn new(path: impl Into<String>, query: Query, name: &'static str) -> Self {
        Self { path: path.into(), query, name, token: None, seen: HashSet::new(), over: false }
    }

    fn next(&mut self, web: &mut Web<'_>, goes_on: &mut dyn FnMut() -> bool) -> Result<Option<Page>, AccountError> {
        if self.over {
            return Ok(None);
        }
        let mut query = self.query.clone();
        query.extend(self.token.clone().map(|token| ("pageToken", token)));
        let mut rest = web.json(&self.path, &query, PAGE_MAX, goes_on)?;
        // Not even with a status that says all is well is an error an empty list.
        if rest.get("error").is_some() {
            return Err(web.odd("it is an error in place of a list"));
        }
        let items = match rest.get_mut(self.name).map(Value::take) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(web.odd(&format!("its {} are no list", self.name))),
        };
        let next = said(&rest["nextPageToken"]);
        if next.as_ref().is_some_and(|next| !self.seen.insert(next.clone()) || Some(next) == self.token.as_ref()) {
            return Err(web.odd("the page after this one came before"));
        }
        self.over = next.is_none();
        self.token = next;
        Ok(Some(Page { items, rest }))
    }
}

/// What is read whole once, and by what has changed after that.
trait Followed {
    /// Where one that begins to read now stands.
    fn now(&mut self, steward: &mut dyn Steward) -> Result<String, AccountError>;

    /// Hands out everything that is not kept already.
    fn whole(&mut self, steward: &mut dyn Steward) -> Result<(), AccountError>;

    /// Hands out what has changed since. [`AccountError::Absent`] says that nobody knows any more what has.
    fn changed(&mut self, since: &str, steward: &mut dyn Steward) -> Result<Change, AccountError>;
}

/// What came of looking for changes, and where one stands now.
enum Change {
    /// They have all been handed out.
    Read(String),
    /// Only a new listing tells them all.
    Unclear(String),
}

/// Reads what is followed. Changes that happen during a listing are read after it, as it began before them; that holds
/// too where it is stopped and gone on with later.
fn follow(followed: &mut dyn Followed, desk: &Desk<'_>, steward: &mut dyn Steward) -> Result<(), AccountError> {
    let place = desk.place.as_str();
    if !desk.reading.covers_place(place) {
        return Err(AccountError::NotCovered { place: place.to_owned() });
    }
    let mut listing = steward.bookmark(LISTING);
    let mut stand = steward.bookmark(STAND);
    let mut lost = false;
    loop {
        desk.reading.check()?;
        steward.open(place);
        let since = match (listing.take(), stand.take()) {
            (None, Some(stand)) => stand,
            (begun, _) => {
                let begun = begun.map_or_else(|| followed.now(steward), Ok)?;
                steward.keep_bookmark(LISTING, Some(&begun));
                followed.whole(steward)?;
                steward.close();
                steward.keep_bookmark(STAND, Some(&begun));
                steward.keep_bookmark(LISTING, None);
                begun
            }
        };
        match followed.changed(&since, steward) {
            Ok(Change::Read(now)) => {
                if now != since {
                    steward.keep_bookmark(STAND, Some(&now));
                }
                return Ok(());
            }
            Ok(Change::Unclear(now)) => listing = Some(now),
            // A bookmark that has just been given and is too old already would be so for ever.
            Err(AccountError::Absent { .. }) if !lost => {
                lost = true;
                steward.keep_bookmark(STAND, None);
            }
            Err(error) => return Err(error),
        }
    }
}

/// A way out for one item, and an end of the reading where nobody takes anything any more.
fn hand_out<T>(
    desk: &Desk<'_>,
    (key, modified): (&str, Millis),
    steward: &mut dyn Steward,
    put: impl FnOnce(&mut Parts<'_>) -> T,
) -> Result<T, AccountError> {
    let mut parts = Parts::new(key.to_owned(), modified, desk.limits, desk.extractor, steward);
    let done = put(&mut parts);
    if parts.stopped() { Err(AccountError::Stopped) } else { Ok(done) }
}

/// Says that something was left out.
fn leave_out(what: &str, why: String, steward: &mut dyn Steward) -> Result<(), AccountError> {
    let taken = steward.take(Err(Skipped { what: what.to_owned(), why }));
    if taken.is_break() { Err(AccountError::Stopped) } else { Ok(()) }
}

/// A count of what lies in one container: all there is, or what the plan names together.
fn in_one(plan: &AccountPlan, place: &Place, all: &str, there: u64) -> FolderCount {
    let name = if plan.folders.is_empty() { all.to_owned() } else { plan.folders.join(", ") };
    FolderCount { name, key: place.as_str().to_owned(), there }
}

/// A text or a number, where it is one and not empty.
fn said(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A time such as `2024-03-04T18:00:00.000Z`.
fn millis(value: &Value) -> Option<Millis> {
    Some(value.as_str()?.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

/// A time as Google wants it to be asked for.
fn asked(time: Millis) -> Option<String> {
    Some(jiff::Timestamp::from_millisecond(time).ok()?.to_string())
}

/// A text as one part of a path.
fn part(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The names that are wanted among what there is, by id; names count whatever their case.
fn named<'n>(
    wanted: &[String],
    there: impl Iterator<Item = (&'n str, Vec<&'n str>)> + Clone,
) -> Result<Vec<&'n str>, AccountError> {
    let mut found = Vec::new();
    for want in wanted {
        let low = want.to_lowercase();
        let before = found.len();
        let hits =
            there.clone().filter(|(id, names)| id == want || names.iter().any(|name| name.to_lowercase() == low));
        found.extend(hits.map(|(id, _)| id));
        if found.len() == before {
            let there = there.clone().filter_map(|(_, names)| names.first().map(|name| (*name).to_owned()));
            return Err(AccountError::NoFolder { name: want.clone(), there: there.collect() });
        }
    }
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{asked, millis, named, part, said};
    use crate::account::AccountError;
    use serde_json::json;

    #[test]
    fn fields_are_taken_where_they_are_what_they_should_be() {
        assert_eq!(said(&json!(["x"])), None);
        assert_eq!(said(&json!("")), None);
        assert_eq!(said(&json!(17)), Some("17".to_owned()));
        assert_eq!(millis(&json!("2023-11-14T22:13:20.000Z")), Some(1_700_000_000_000));
        assert_eq!(millis(&json!("yesterday")), None);
        assert_eq!(asked(1_700_000_000_000), Some("2023-11-14T22:13:20Z".to_owned()));
        assert_eq!(asked(i64::MAX), None);
        assert_eq!(part("de#holiday@group v/é+"), "de%23holiday%40group%20v%2F%C3%A9%2B");
    }

    #[test]
    fn names_are_found_whatever_their_case_and_others_are_told() {
        let there = [("L1", vec!["Work"]), ("L2", vec!["Büro"])];
        let find = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
            named(&wanted, there.iter().map(|(id, names)| (*id, names.clone())))
        };
        assert!(matches!(find(&["BÜRO", "work", "L1"]), Ok(ids) if ids == ["L2", "L1"]));
        assert!(matches!(find(&["Wrok"]), Err(AccountError::NoFolder { there, .. }) if there == ["Work", "Büro"]));
    }
}
