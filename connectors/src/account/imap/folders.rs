//! The folders of a mailbox, and which of them are read.

use super::{
    AccountError, Mailbox, Place, Server,
    ask::{ANSWER, Said, ask},
    bounded,
};
use crate::mail::names;
use async_imap::imap_proto::{MailboxDatum, MailboxListData, NameAttribute, Response};
use hinet_protocol::AccountPlan;

/// Folders that nobody means by "my mail", where a server does not say what they are for.
const ASIDE: &[&str] =
    &["trash", "junk", "spam", "drafts", "junk e-mail", "deleted items", "deleted messages", "bulk mail"];

/// Folders that one mailbox may have, and bytes of the name of one.
const FOLDERS_MAX: usize = 20_000;
const NAME_MAX: usize = 1024;

/// A folder of the mailbox.
pub(super) struct Folder {
    /// As the server writes it.
    pub(super) name: String,
    /// Level by level, as people write it.
    pub(super) levels: Vec<String>,
    /// Whether it is read where no folder is named.
    usual: bool,
    /// Whether it holds every message of the mailbox.
    all: bool,
}

impl Folder {
    fn of(listed: &MailboxListData<'_>) -> Option<Self> {
        let attributes = &listed.name_attributes;
        let has = |wanted: &NameAttribute<'_>| attributes.contains(wanted);
        let extension = |wanted: &str| {
            attributes.iter().any(|one| matches!(one, NameAttribute::Extension(e) if e.eq_ignore_ascii_case(wanted)))
        };
        if has(&NameAttribute::NoSelect) || extension("\\NonExistent") {
            return None;
        }
        let readable = names::readable(&listed.name);
        let levels: Vec<String> = match listed.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()) {
            Some(delimiter) => readable.split(delimiter).map(str::to_owned).collect(),
            None => vec![readable],
        };
        let said = [NameAttribute::Junk, NameAttribute::Trash, NameAttribute::Drafts, NameAttribute::Flagged];
        let last = levels.last().map(|level| level.to_lowercase()).unwrap_or_default();
        let aside = said.iter().any(has) || ASIDE.contains(&last.as_str());
        Some(Self { name: listed.name.to_string(), levels, usual: !aside, all: has(&NameAttribute::All) })
    }

    /// The name as people write it.
    pub(super) fn called(&self) -> String {
        self.levels.join("/")
    }

    pub(super) fn key(&self, place: &Place) -> String {
        place.key(&self.levels.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// The folders to read.
pub(super) async fn folders(
    server: &Server,
    mailbox: &mut Mailbox,
    plan: &AccountPlan,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<Folder>, AccountError> {
    let mut all: Vec<Folder> = Vec::new();
    ask(server, mailbox, "LIST \"\" \"*\"", ANSWER, &mut |said| match said {
        Said::Answer(Response::MailboxData(MailboxDatum::List(listed))) => {
            bounded(server, listed.name.len(), NAME_MAX, "bytes in the name of a folder")?;
            all.extend(Folder::of(listed));
            bounded(server, all.len(), FOLDERS_MAX, "folders")
        }
        said => said.goes_on(goes_on),
    })
    .await?;
    if all.is_empty() {
        // Every mailbox has an INBOX.
        return Err(AccountError::Answer { server: server.to_string(), why: "it lists no folder at all".into() });
    }
    if plan.folders.is_empty() {
        // Where one folder has everything, the others only have it again.
        let everything = all.iter().any(|folder| folder.all);
        return Ok(all.into_iter().filter(|folder| if everything { folder.all } else { folder.usual }).collect());
    }
    let low = |text: &str| text.to_lowercase();
    let mut chosen = vec![false; all.len()];
    for wanted in &plan.folders {
        let wanted_low = low(wanted.trim_matches('/'));
        let mut found = false;
        for (folder, chosen) in all.iter().zip(&mut chosen) {
            let called = low(&folder.called());
            let is_it =
                called == wanted_low || called.strip_prefix(&wanted_low).is_some_and(|rest| rest.starts_with('/'));
            *chosen |= is_it;
            found |= is_it;
        }
        if !found {
            let there = all.iter().map(Folder::called).collect();
            return Err(AccountError::NoFolder { name: format!("folder \"{wanted}\""), there });
        }
    }
    Ok(all.into_iter().zip(chosen).filter_map(|(folder, chosen)| chosen.then_some(folder)).collect())
}
