//! Google's mail: every message once, as it was sent, with the labels that it has.
//!
//! A message is known by its id, which it never changes; its labels do change, and it is then fetched anew. Labels that
//! changed while nobody read the account for so long that Google has forgotten the changes stay as they were.

use super::{Change, Followed, Pages, Query, Web, follow, hand_out, in_one, leave_out, named, part, said};
use crate::{
    account::{AccountError, Desk, Login, Place, Steward},
    mail,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hinet_protocol::{AccountPlan, FolderCount, Millis};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
};

const OWN: &str = "https://gmail.googleapis.com";
/// What lies in these is read only where they are chosen.
const BINS: [&str; 2] = ["SPAM", "TRASH"];
/// It goes with the first look, and says nothing about the message.
const UNREAD: &str = "UNREAD";

/// Reads all mail the first time, and after that what was added, deleted or labelled.
pub(crate) fn read(desk: &Desk<'_>, login: &mut Login, steward: &mut dyn Steward) -> Result<(), AccountError> {
    let mut web = Web::new(desk.plan, OWN, login);
    let labels = Labels::chosen(&mut web, desk.plan, &mut || steward.goes_on())?;
    follow(&mut Mail { desk, web, labels }, desk, steward)
}

/// How many messages are chosen. They are counted by their ids, as one with two labels is one message.
pub(crate) fn count(
    plan: &AccountPlan,
    place: &Place,
    login: &mut Login,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<FolderCount>, AccountError> {
    let mut web = Web::new(plan, OWN, login);
    let labels = Labels::chosen(&mut web, plan, goes_on)?;
    let there = ids(&mut web, plan, &labels, goes_on)?.len() as u64;
    Ok(vec![in_one(plan, place, "All mail", there)])
}

/// Whose mail it is.
pub(crate) fn owner(
    plan: &AccountPlan,
    login: &mut Login,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<String, AccountError> {
    Web::new(plan, OWN, login).field(&path("profile"), &Query::new(), "/emailAddress", goes_on)
}

fn path(what: &str) -> String {
    format!("/gmail/v1/users/me/{what}")
}

/// The second before the first one that is read: mail is asked for by what comes after a second.
fn before(plan: &AccountPlan) -> Option<Millis> {
    plan.since.map(|since| since.div_euclid(1000) - 1)
}

/// What labels are called, by their ids, and which of them are read.
#[derive(Default)]
struct Labels {
    names: BTreeMap<String, String>,
    /// All where empty.
    chosen: Vec<String>,
}

impl Labels {
    /// Those that the plan names; nothing is asked where it names none.
    fn chosen(web: &mut Web<'_>, plan: &AccountPlan, goes_on: &mut dyn FnMut() -> bool) -> Result<Self, AccountError> {
        let mut labels = Self::default();
        if !plan.folders.is_empty() {
            labels.learn(web, goes_on)?;
            let there = labels.names.iter().map(|(id, name)| (id.as_str(), vec![name.as_str()]));
            labels.chosen = named(&plan.folders, there)?.into_iter().map(str::to_owned).collect();
        }
        Ok(labels)
    }

    fn learn(&mut self, web: &mut Web<'_>, goes_on: &mut dyn FnMut() -> bool) -> Result<(), AccountError> {
        let mut pages = Pages::new(path("labels"), Query::new(), "labels");
        while let Some(page) = pages.next(web, goes_on)? {
            for label in &page.items {
                let Some(id) = said(&label["id"]) else { continue };
                let name = said(&label["name"]).unwrap_or_else(|| id.clone());
                let name = if label["type"] == "system" { words(&name) } else { name };
                self.names.insert(id, name);
            }
        }
        Ok(())
    }

    /// Whether a message with these labels is read.
    fn take(&self, has: &[String]) -> bool {
        let binned = BINS.iter().any(|bin| has.iter().any(|label| label == bin));
        match self.chosen.is_empty() {
            true => !binned,
            false => self.chosen.iter().any(|id| has.contains(id) && (!binned || BINS.contains(&id.as_str()))),
        }
    }
}

/// `CATEGORY_PERSONAL` as Google's own exports write it: `Category Personal`.
fn words(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => format!("{}{}", first.to_uppercase(), rest.to_lowercase()),
        None => word.to_owned(),
    };
    name.split('_').map(word).collect::<Vec<_>>().join(" ")
}

/// The ids of all messages that are chosen, each once.
fn ids(
    web: &mut Web<'_>,
    plan: &AccountPlan,
    labels: &Labels,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<String>, AccountError> {
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    // Several labels in one question would be those messages that have all of them.
    let questions = if labels.chosen.is_empty() { vec![None] } else { labels.chosen.iter().map(Some).collect() };
    for label in questions {
        let bin = label.is_some_and(|label| BINS.contains(&label.as_str()));
        let mut query: Query = vec![("maxResults", "500".to_owned()), ("includeSpamTrash", bin.to_string())];
        query.extend(label.map(|label| ("labelIds", label.clone())));
        query.extend(before(plan).map(|second| ("q", format!("after:{second}"))));
        let mut pages = Pages::new(path("messages"), query, "messages");
        while let Some(page) = pages.next(web, goes_on)? {
            for id in page.items.iter().filter_map(|message| said(&message["id"])) {
                if seen.insert(id.clone()) {
                    ids.push(id);
                }
            }
        }
    }
    Ok(ids)
}

struct Mail<'a> {
    desk: &'a Desk<'a>,
    web: Web<'a>,
    labels: Labels,
}

impl Followed for Mail<'_> {
    fn now(&mut self, steward: &mut dyn Steward) -> Result<String, AccountError> {
        self.web.field(&path("profile"), &Query::new(), "/historyId", &mut || steward.goes_on())
    }

    fn whole(&mut self, steward: &mut dyn Steward) -> Result<(), AccountError> {
        for id in ids(&mut self.web, self.desk.plan, &self.labels, &mut || steward.goes_on())? {
            let key = self.desk.place.key(&[&id]);
            if !steward.has(&key)
                && let Some(message) = self.fetch(&id, &key, steward)?
            {
                self.put(&key, &message, steward)?;
            }
        }
        Ok(())
    }

    fn changed(&mut self, since: &str, steward: &mut dyn Steward) -> Result<Change, AccountError> {
        let mut now = None;
        // For a message that is or was there, whether its labels are others now.
        let (mut touched, mut deleted) = (BTreeMap::new(), BTreeSet::new());
        let mut query: Query = vec![("startHistoryId", since.to_owned()), ("maxResults", "500".to_owned())];
        for kind in ["messageAdded", "messageDeleted", "labelAdded", "labelRemoved"] {
            query.push(("historyTypes", kind.to_owned()));
        }
        let mut pages = Pages::new(path("history"), query, "history");
        while let Some(page) = pages.next(&mut self.web, &mut || steward.goes_on())? {
            // What happens between two pages is read the next time.
            now = now.or_else(|| said(&page.rest["historyId"]));
            for record in &page.items {
                for id in messages(record, "messagesAdded", &self.labels) {
                    touched.entry(id).or_insert(false);
                }
                deleted.extend(messages(record, "messagesDeleted", &self.labels));
                for kind in ["labelsAdded", "labelsRemoved"] {
                    touched.extend(messages(record, kind, &self.labels).map(|id| (id, true)));
                }
            }
        }
        for id in &deleted {
            steward.gone(&self.desk.place.key(&[id]));
        }
        for (id, relabelled) in touched.into_iter().filter(|(id, _)| !deleted.contains(id)) {
            let key = self.desk.place.key(&[&id]);
            if !relabelled && steward.has(&key) {
                continue;
            }
            match self.fetch(&id, &key, steward)? {
                Some(message) if self.chosen(&message) => self.put(&key, &message, steward)?,
                _ => steward.gone(&key),
            }
        }
        Ok(Change::Read(now.unwrap_or_else(|| since.to_owned())))
    }
}

/// The messages of one kind of change. That they were looked at is none, unless that is what is chosen.
fn messages<'r>(record: &'r Value, kind: &str, labels: &Labels) -> impl Iterator<Item = String> + use<'r> {
    let looks = !labels.chosen.iter().any(|label| label == UNREAD);
    record[kind].as_array().into_iter().flatten().filter_map(move |entry| {
        let changed = entry["labelIds"].as_array();
        let looked = changed.is_some_and(|ids| !ids.is_empty() && ids.iter().all(|id| id == UNREAD));
        if looks && looked { None } else { said(&entry["message"]["id"]) }
    })
}

fn label_ids(message: &Value) -> Vec<String> {
    message["labelIds"].as_array().into_iter().flatten().filter_map(said).collect()
}

fn at(message: &Value) -> Millis {
    said(&message["internalDate"]).and_then(|at| at.parse().ok()).unwrap_or(0)
}

impl Mail<'_> {
    /// A message as the server has it; `None` where it has none any more, or more than is taken.
    fn fetch(&mut self, id: &str, key: &str, steward: &mut dyn Steward) -> Result<Option<Value>, AccountError> {
        self.desk.reading.check()?;
        // Before it, so that what was fetched can also be handed out.
        if self.labels.names.is_empty() {
            self.labels.learn(&mut self.web, &mut || steward.goes_on())?;
        }
        // Base64 is a third longer than what it stands for.
        let limit = self.desk.limits.max_message_bytes.saturating_mul(3) / 2 + (1 << 20);
        let (path, query) = (path(&format!("messages/{}", part(id))), vec![("format", "raw".to_owned())]);
        match self.web.json(&path, &query, limit, &mut || steward.goes_on()) {
            Ok(message) => Ok(Some(message)),
            Err(AccountError::Absent { .. }) => Ok(None),
            Err(error @ (AccountError::TooLarge { .. } | AccountError::Answer { .. })) => {
                leave_out(key, format!("It was not read: {error}."), steward).map(|()| None)
            }
            Err(error) => Err(error),
        }
    }

    fn chosen(&self, message: &Value) -> bool {
        let late = before(self.desk.plan).is_none_or(|second| at(message).div_euclid(1000) > second);
        late && self.labels.take(&label_ids(message))
    }

    fn put(&mut self, key: &str, message: &Value, steward: &mut dyn Steward) -> Result<(), AccountError> {
        let raw = message["raw"].as_str().unwrap_or_default();
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(raw.trim_end_matches('=')) else {
            return leave_out(key, "It was not read: the server's copy of it is damaged.".to_owned(), steward);
        };
        let labelled = self.labelled(message, bytes, steward)?;
        hand_out(self.desk, (key, at(message)), steward, |parts| {
            if let Err(why) = mail::single(Path::new(key), labelled.as_slice(), parts) {
                parts.skip(key, why.to_string());
            }
        })
    }

    /// A message with its labels in its header, as Google's own exports have them.
    fn labelled(
        &mut self,
        message: &Value,
        bytes: Vec<u8>,
        steward: &mut dyn Steward,
    ) -> Result<Vec<u8>, AccountError> {
        let mut ids = label_ids(message);
        ids.retain(|id| id != UNREAD);
        if ids.is_empty() || bytes.trim_ascii().is_empty() {
            return Ok(bytes);
        }
        if ids.iter().any(|id| !self.labels.names.contains_key(id)) {
            self.labels.learn(&mut self.web, &mut || steward.goes_on())?;
        }
        let names: BTreeSet<&str> = ids.iter().filter_map(|id| self.labels.names.get(id)).map(String::as_str).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(",").replace(char::is_control, " ");
        let mut whole = format!("X-Gmail-Labels: {names}\r\n").into_bytes();
        // What has no header begins with its first word.
        let field = bytes.iter().position(|b| !b.is_ascii_graphic() || *b == b':');
        if !field.is_some_and(|end| end > 0 && bytes[end] == b':') {
            whole.extend_from_slice(b"\r\n");
        }
        whole.extend_from_slice(&bytes);
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::{Labels, words};

    #[test]
    fn labels_read_as_in_googles_exports() {
        for (name, expected) in [("INBOX", "Inbox"), ("CATEGORY_PERSONAL", "Category Personal"), ("", "")] {
            assert_eq!(words(name), expected);
        }
    }

    #[test]
    fn what_was_thrown_away_is_read_only_where_that_is_chosen() {
        let has = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        let chosen = |labels: &[&str]| Labels { chosen: has(labels), ..Labels::default() };
        for (labels, message, taken) in [
            (chosen(&[]), has(&[]), true),
            (chosen(&[]), has(&["INBOX", "TRASH"]), false),
            (chosen(&["L1"]), has(&["L1", "INBOX"]), true),
            (chosen(&["L1"]), has(&["L1", "SPAM"]), false),
            (chosen(&["L1"]), has(&["INBOX"]), false),
            (chosen(&["TRASH"]), has(&["L1", "TRASH"]), true),
        ] {
            assert_eq!(labels.take(&message), taken, "{message:?}");
        }
    }
}
