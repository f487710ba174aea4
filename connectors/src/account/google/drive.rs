//! Google's files: those that the owner owns, as the documents that they are.
//!
//! What others share is theirs and is not read. Documents that lie on Google's servers only are exported: texts as
//! Markdown, sheets with all their tables, presentations as text. Files are fetched only where there is a reader for
//! them, and each is one item: a calendar or an address book among them is read as one text.

mod way;

use super::{
    Change, Followed, LISTING, Pages, Query, STAND, Web, asked, follow, hand_out, in_one, leave_out, millis, named,
    part, said,
};
use crate::{
    Unreadable,
    account::{AccountError, Desk, Login, Place, Steward},
    kinds::{self, Class, Kind},
};
use hinet_protocol::{AccountPlan, FolderCount, Millis};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    panic,
    path::Path,
};
use way::{Way, item, way};

const OWN: &str = "https://www.googleapis.com";
const FILES: &str = "/drive/v3/files";
const FOLDER: &str = "application/vnd.google-apps.folder";
/// What is asked about a file.
const FIELDS: &str = "id,name,mimeType,modifiedTime,size,parents,trashed,ownedByMe";
/// Bytes that Google exports of one document at most, with room for what it counts otherwise.
const EXPORT_MAX: u64 = 32 << 20;
/// The bookmark of the newest time of change that was seen.
const NEWEST: &str = "newest";

/// Reads all files the first time, and after that those that were changed.
pub(crate) fn read(desk: &Desk<'_>, login: &mut Login, steward: &mut dyn Steward) -> Result<(), AccountError> {
    let files = Files::of(desk.plan, login);
    follow(&mut Drive { desk, files, taken: HashSet::new(), newest: None }, desk, steward)
}

/// How many files there are, those among them that are not read.
pub(crate) fn count(
    plan: &AccountPlan,
    place: &Place,
    login: &mut Login,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<FolderCount>, AccountError> {
    let mut files = Files::of(plan, login);
    let there = files.all(goes_on)?.len() as u64;
    Ok(vec![in_one(plan, place, "All files", there)])
}

/// Whose files they are.
pub(crate) fn owner(
    plan: &AccountPlan,
    login: &mut Login,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<String, AccountError> {
    let query = vec![("fields", "user".to_owned())];
    Web::new(plan, OWN, login).field("/drive/v3/about", &query, "/user/emailAddress", goes_on)
}

/// Which files there are.
struct Files<'a> {
    web: Web<'a>,
    plan: &'a AccountPlan,
    /// The folders that are read and all below them, once that was asked; of no matter where the plan names none.
    folders: Option<HashSet<String>>,
}

impl<'a> Files<'a> {
    fn of(plan: &'a AccountPlan, login: &'a mut Login) -> Self {
        Self { web: Web::new(plan, OWN, login), plan, folders: None }
    }

    /// A listing of what fits a question.
    fn pages(question: &str, fields: &str) -> Pages {
        let query: Query = vec![
            ("q", question.to_owned()),
            ("pageSize", "1000".to_owned()),
            // In an order in which nothing moves up while one reads.
            ("orderBy", "createdTime".to_owned()),
            ("fields", format!("nextPageToken,incompleteSearch,files({fields})")),
        ];
        Pages::new(FILES, query, "files")
    }

    /// All files that are chosen.
    fn all(&mut self, goes_on: &mut dyn FnMut() -> bool) -> Result<Vec<Value>, AccountError> {
        self.folders = None;
        self.learn_folders(goes_on)?;
        let mut question = format!("trashed = false and 'me' in owners and mimeType != '{FOLDER}'");
        if let Some(since) = self.plan.since.and_then(asked) {
            question.push_str(&format!(" and modifiedTime >= '{since}'"));
        }
        let mut pages = Self::pages(&question, FIELDS);
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        while let Some(page) = pages.next(&mut self.web, goes_on)? {
            if page.rest["incompleteSearch"] == true {
                return Err(self.web.odd("it did not look everywhere"));
            }
            for file in page.items {
                if let Some(id) = said(&file["id"])
                    && self.is_chosen(&file)
                    && seen.insert(id)
                {
                    all.push(file);
                }
            }
        }
        Ok(all)
    }

    /// Finds the folders that the plan names, and all that lie in them.
    fn learn_folders(&mut self, goes_on: &mut dyn FnMut() -> bool) -> Result<(), AccountError> {
        if self.plan.folders.is_empty() || self.folders.is_some() {
            return Ok(());
        }
        let mut pages = Self::pages(&format!("trashed = false and mimeType = '{FOLDER}'"), "id,name,parents");
        let mut there: Vec<(String, String)> = Vec::new();
        let mut below: HashMap<String, Vec<String>> = HashMap::new();
        while let Some(page) = pages.next(&mut self.web, goes_on)? {
            if page.rest["incompleteSearch"] == true {
                return Err(self.web.odd("it did not look everywhere"));
            }
            for folder in &page.items {
                let Some(id) = said(&folder["id"]) else { continue };
                for parent in parents(folder) {
                    below.entry(parent.to_owned()).or_default().push(id.clone());
                }
                there.push((id, said(&folder["name"]).unwrap_or_default()));
            }
        }
        let names = there.iter().map(|(id, name)| (id.as_str(), vec![name.as_str()]));
        let mut next: Vec<String> = named(&self.plan.folders, names)?.into_iter().map(str::to_owned).collect();
        let mut folders = HashSet::new();
        while let Some(id) = next.pop() {
            next.extend(below.remove(&id).into_iter().flatten());
            folders.insert(id);
        }
        self.folders = Some(folders);
        Ok(())
    }

    /// Whether a file is read, once the folders are known.
    fn is_chosen(&self, file: &Value) -> bool {
        let changed = millis(&file["modifiedTime"]);
        let late = self.plan.since.is_none_or(|since| changed.is_none_or(|changed| changed >= since));
        let here = self.folders.as_ref().is_none_or(|folders| parents(file).any(|id| folders.contains(id)));
        late && here && file["trashed"] != true && file["ownedByMe"] != false
    }
}

fn parents(file: &Value) -> impl Iterator<Item = &str> {
    file["parents"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

struct Drive<'a> {
    desk: &'a Desk<'a>,
    files: Files<'a>,
    /// What was handed out in this reading.
    taken: HashSet<String>,
    /// The newest time of change that was seen.
    newest: Option<Millis>,
}

impl Followed for Drive<'_> {
    fn now(&mut self, steward: &mut dyn Steward) -> Result<String, AccountError> {
        let path = "/drive/v3/changes/startPageToken";
        self.files.web.field(path, &Query::new(), "/startPageToken", &mut || steward.goes_on())
    }

    /// What was changed after the last reading is fetched although it is known, for after a bookmark that has run out
    /// nobody says that it was.
    fn whole(&mut self, steward: &mut dyn Steward) -> Result<(), AccountError> {
        let before: Option<Millis> = steward.bookmark(NEWEST).and_then(|newest| newest.parse().ok());
        for file in self.files.all(&mut || steward.goes_on())? {
            let Some(id) = said(&file["id"]) else { continue };
            let changed = millis(&file["modifiedTime"]);
            self.newest = self.newest.max(changed);
            let key = self.desk.place.key(&[&id]);
            let newer = before.is_some_and(|before| changed.is_none_or(|changed| changed > before));
            if !self.taken.contains(&id) && newer {
                // What is left out this time stays as it was.
                if !self.put(&id, &file, steward)? {
                    steward.has(&key);
                }
            } else if !steward.has(&key) && !self.taken.contains(&id) {
                self.put(&id, &file, steward)?;
            }
        }
        self.keep_newest(steward);
        Ok(())
    }

    fn changed(&mut self, since: &str, steward: &mut dyn Steward) -> Result<Change, AccountError> {
        let query: Query = vec![
            ("pageSize", "1000".to_owned()),
            ("fields", format!("nextPageToken,newStartPageToken,changes(fileId,removed,file({FIELDS}))")),
        ];
        let mut pages = Pages::new("/drive/v3/changes", query, "changes");
        pages.token = Some(since.to_owned());
        let (mut unclear, mut now) = (false, since.to_owned());
        loop {
            let page = match pages.next(&mut self.files.web, &mut || steward.goes_on()) {
                Ok(Some(page)) => page,
                Ok(None) => break,
                // A token that is too old may also be called wrong.
                Err(AccountError::Answer { server, .. }) if now == since => {
                    return Err(AccountError::Absent { server });
                }
                Err(error) => return Err(error),
            };
            now = said(&page.rest["newStartPageToken"]).or_else(|| pages.token.clone()).unwrap_or(now);
            for change in &page.items {
                let (Some(id), file) = (said(&change["fileId"]), &change["file"]) else { continue };
                // What lay in a folder that was moved, trashed or deleted is not named.
                unclear |= change["removed"] == true || file["mimeType"] == FOLDER;
                if file["mimeType"] == FOLDER {
                    continue;
                }
                self.files.learn_folders(&mut || steward.goes_on())?;
                if change["removed"] != true && file.is_object() && self.files.is_chosen(file) {
                    self.newest = self.newest.max(millis(&file["modifiedTime"]));
                    self.put(&id, file, steward)?;
                } else {
                    steward.gone(&self.desk.place.key(&[&id]));
                }
            }
            // Of a reading that is stopped, only the page that it was at is read again.
            if now != since {
                steward.keep_bookmark(if unclear { LISTING } else { STAND }, Some(&now));
            }
        }
        if unclear {
            return Ok(Change::Unclear(now));
        }
        self.keep_newest(steward);
        Ok(Change::Read(now))
    }
}

/// What a file is, its bytes, and what is to be said about them.
type Fetched = (Kind, Vec<u8>, &'static str);

impl Drive<'_> {
    fn keep_newest(&self, steward: &mut dyn Steward) {
        if let Some(newest) = self.newest {
            steward.keep_bookmark(NEWEST, Some(&newest.to_string()));
        }
    }

    /// Fetches a file and hands it out, or the reason why not; false where it was left out.
    fn put(&mut self, id: &str, file: &Value, steward: &mut dyn Steward) -> Result<bool, AccountError> {
        self.desk.reading.check()?;
        let key = self.desk.place.key(&[id]);
        let called = said(&file["name"]).unwrap_or_else(|| id.to_owned());
        // Its name is one name, whatever stands in it.
        let name = called.replace(|c: char| c == '/' || c.is_control(), "_");
        let left_out = |why: &str| format!("\"{name}\": {why}");
        self.taken.insert(id.to_owned());
        let (kind, bytes, note) = match self.fetch(id, file, Path::new(&name), steward) {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(why)) => return leave_out(&key, left_out(&why.to_string()), steward).map(|()| false),
            Err(AccountError::Absent { .. }) => {
                steward.gone(&key);
                return Ok(true);
            }
            Err(
                error @ (AccountError::Forbidden { .. } | AccountError::TooLarge { .. } | AccountError::Answer { .. }),
            ) => {
                return leave_out(&key, left_out(&format!("It was not read: {error}.")), steward).map(|()| false);
            }
            Err(error) => return Err(error),
        };
        let exported = file["mimeType"].as_str().is_some_and(|mime| mime.starts_with("application/vnd.google-apps."));
        let title = exported.then_some(called.as_str());
        let modified = millis(&file["modifiedTime"]).unwrap_or(0);
        hand_out(self.desk, (&key, modified), steward, |parts| {
            if !note.is_empty() {
                parts.skip(&key, left_out(note));
            }
            // As for a file on the disk: what a reader of ours does not survive costs this file and no other.
            let read = panic::AssertUnwindSafe(|| item(kind, Path::new(&name), title, bytes, parts));
            if let Err(why) = panic::catch_unwind(read).unwrap_or(Err(Unreadable::Parser)) {
                parts.skip(&key, left_out(&why.to_string()));
            }
            parts.given() > 0
        })
    }

    /// A file as it is there, or why it is not read.
    fn fetch(
        &mut self,
        id: &str,
        file: &Value,
        path: &Path,
        steward: &mut dyn Steward,
    ) -> Result<Result<Fetched, Unreadable>, AccountError> {
        let web = &mut self.files.web;
        let at = format!("{FILES}/{}", part(id));
        let known = match way(path, file["mimeType"].as_str().unwrap_or_default()) {
            Err(why) => return Ok(Err(why)),
            Ok(Way::Fetched(known)) => known,
            Ok(Way::Exported(forms)) => {
                let mut refused = None;
                for (mime, kind, note) in forms {
                    let query = vec![("mimeType", (*mime).to_owned())];
                    match web.bytes(&format!("{at}/export"), &query, EXPORT_MAX, &mut || steward.goes_on()) {
                        Ok(bytes) => return Ok(Ok((*kind, bytes, note))),
                        // It is too large for this form, or does not come in it.
                        Err(error @ (AccountError::Forbidden { .. } | AccountError::TooLarge { .. })) => {
                            refused = Some(error);
                        }
                        Err(error) => return Err(error),
                    }
                }
                return Err(refused.unwrap_or_else(|| web.odd("there is no form to export it in")));
            }
        };
        let limits = self.desk.limits;
        let large = known.is_none_or(Kind::has_pictures);
        let limit = if large { limits.max_pdf_bytes } else { limits.max_file_bytes };
        match said(&file["size"]).and_then(|size| size.parse::<u64>().ok()) {
            Some(0) => return Ok(Err(Unreadable::Empty)),
            Some(size) if size > limit => return Ok(Err(Unreadable::TooLarge { size, limit })),
            _ => {}
        }
        let bytes = web.bytes(&at, &vec![("alt", "media".to_owned())], limit, &mut || steward.goes_on())?;
        let kind = match known.map_or_else(|| kinds::sniff(&bytes), Class::Read) {
            Class::Read(Kind::Zip) => return Ok(Err(Unreadable::Unsupported { family: "archives and disk images" })),
            Class::Read(kind) => kind,
            Class::Skip(family) => return Ok(Err(Unreadable::Unsupported { family })),
            Class::Unknown => Kind::Text,
        };
        Ok(Ok((kind, bytes, "")))
    }
}
