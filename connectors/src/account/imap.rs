//! A mailbox by IMAP (RFC 3501): its folders are opened read-only and their messages fetched without a mark on them.
//!
//! A message's key is its folder, the folder's UIDVALIDITY and the message's UID, which together mean one message for
//! ever. So what is known needs no second look, a reading that was cut short goes on where it stopped, and nothing
//! comes twice: a folder whose numbers are no longer valid is read anew, and its old keys go.

mod names;

use super::{
    AccountError, Desk, Key, Place, Steward,
    socket::{Server, Wire},
};
use crate::{Reading, mail, parts::Parts};
use async_imap::{
    Authenticator, Client, Session,
    error::Error as ImapError,
    types::{Fetch, Name, NameAttribute},
};
use futures_util::{StreamExt, TryStreamExt};
use hinet_protocol::{AccountPlan, FolderCount, Millis, Transport};
use std::{collections::BTreeSet, future::Future, time::Duration};
use tokio::time::{Instant, sleep};

/// Messages fetched with one command, and stored before the next.
const BATCH: usize = 100;
/// How long a server may take to answer; of a message, which may be large and the line thin, to send all of it.
const ANSWER: Duration = Duration::from_secs(90);
const MESSAGE: Duration = Duration::from_secs(1200);
/// How often one looks whether to go on, while a server is silent.
const PULSE: Duration = Duration::from_millis(100);
/// Folders that nobody means by "my mail", where a server does not say what they are for.
const ASIDE: &[&str] =
    &["trash", "junk", "spam", "drafts", "junk e-mail", "deleted items", "deleted messages", "bulk mail"];

type Mailbox = Session<Box<dyn Wire>>;

/// A folder of the mailbox.
struct Folder {
    /// As the server writes it.
    name: String,
    /// Level by level, as people write it.
    levels: Vec<String>,
    /// Whether it is read where no folder is named.
    usual: bool,
    /// Whether it holds every message of the mailbox.
    all: bool,
}

impl Folder {
    fn of(name: &Name) -> Option<Self> {
        let has = |wanted: &NameAttribute<'_>| name.attributes().contains(wanted);
        let extension = |wanted: &str| {
            name.attributes()
                .iter()
                .any(|one| matches!(one, NameAttribute::Extension(e) if e.eq_ignore_ascii_case(wanted)))
        };
        if has(&NameAttribute::NoSelect) || extension("\\NonExistent") {
            return None;
        }
        let readable = names::readable(name.name());
        let levels: Vec<String> = match name.delimiter().filter(|delimiter| !delimiter.is_empty()) {
            Some(delimiter) => readable.split(delimiter).map(str::to_owned).collect(),
            None => vec![readable],
        };
        let said = [NameAttribute::Junk, NameAttribute::Trash, NameAttribute::Drafts, NameAttribute::Flagged];
        let last = levels.last().map(|level| level.to_lowercase()).unwrap_or_default();
        let aside = said.iter().any(has) || ASIDE.contains(&last.as_str());
        Some(Self { name: name.name().to_owned(), levels, usual: !aside, all: has(&NameAttribute::All) })
    }

    /// The name as people write it.
    fn called(&self) -> String {
        self.levels.join("/")
    }

    fn key(&self, place: &Place) -> String {
        place.key(&self.levels.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Reads the folders that the plan names, or all but those for what nobody means to keep.
pub(super) fn read(desk: &Desk<'_>, key: &mut Key, steward: &mut dyn Steward) -> Result<(), AccountError> {
    block_on(async {
        let (server, mut mailbox) = enter(desk.plan, key, &mut || steward.goes_on()).await?;
        let folders = folders(&server, &mut mailbox, desk.plan, &mut || steward.goes_on()).await?;
        let mut whole = true;
        steward.open(desk.place.as_str());
        for folder in &folders {
            // A leave that was narrowed since says nothing about what is outside of it.
            if desk.reading.covers_place(&folder.key(desk.place)) {
                read_folder(desk, &server, &mut mailbox, folder, steward).await?;
            } else {
                whole = false;
            }
        }
        desk.reading.check()?;
        if whole {
            steward.close();
        }
        leave(mailbox).await;
        Ok(())
    })
}

/// How many messages each folder has that would be read.
pub(super) fn count(
    reading: &Reading,
    plan: &AccountPlan,
    place: &Place,
    key: &mut Key,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<FolderCount>, AccountError> {
    block_on(async {
        let (server, mut mailbox) = enter(plan, key, goes_on).await?;
        let mut counts = Vec::new();
        for folder in folders(&server, &mut mailbox, plan, goes_on).await? {
            let below = folder.key(place);
            if !reading.covers_place(&below) {
                continue;
            }
            let (_, uids) = numbers(&server, &mut mailbox, &folder, plan, goes_on).await?;
            counts.push(FolderCount { name: folder.called(), key: below, there: uids.len() as u64 });
        }
        leave(mailbox).await;
        Ok(counts)
    })
}

/// Whether the server lets this key in, and has the folders of the plan: they are named as the server does afterwards.
pub(super) fn greet(
    plan: &mut AccountPlan,
    key: &mut Key,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(), AccountError> {
    block_on(async {
        let (server, mut mailbox) = enter(plan, key, goes_on).await?;
        let there = folders(&server, &mut mailbox, plan, goes_on).await?;
        leave(mailbox).await;
        for wanted in &mut plan.folders {
            let low = wanted.trim_matches('/').to_lowercase();
            let depth = low.split('/').count();
            let begins = |folder: &Folder| folder.levels.get(..depth).map(|levels| levels.join("/"));
            if let Some(called) = there.iter().filter_map(begins).find(|called| called.to_lowercase() == low) {
                *wanted = called;
            }
        }
        Ok(())
    })
}

fn block_on<T>(work: impl Future<Output = Result<T, AccountError>>) -> Result<T, AccountError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| AccountError::Unreachable { server: "the network".into(), why: error.to_string() })?;
    runtime.block_on(work)
}

/// Waits for an answer, as long as one is wanted and the server is not silent for too long.
async fn heard<T>(
    server: &Server,
    goes_on: &mut dyn FnMut() -> bool,
    work: impl Future<Output = Result<T, ImapError>>,
) -> Result<T, AccountError> {
    heard_within(ANSWER, server, goes_on, work).await
}

async fn heard_within<T>(
    limit: Duration,
    server: &Server,
    goes_on: &mut dyn FnMut() -> bool,
    work: impl Future<Output = Result<T, ImapError>>,
) -> Result<T, AccountError> {
    tokio::pin!(work);
    let end = Instant::now() + limit;
    loop {
        tokio::select! {
            done = &mut work => return done.map_err(|error| said(server, error)),
            () = sleep(PULSE) => {
                if !goes_on() {
                    return Err(AccountError::Stopped);
                }
                if Instant::now() > end {
                    let why = format!("it did not answer within {} seconds", limit.as_secs());
                    return Err(AccountError::Unreachable { server: server.to_string(), why });
                }
            }
        }
    }
}

fn said(server: &Server, error: ImapError) -> AccountError {
    let server = server.to_string();
    match error {
        ImapError::Io(error) => AccountError::Unreachable { server, why: error.to_string() },
        ImapError::ConnectionLost => AccountError::Unreachable { server, why: "the connection was lost".into() },
        ImapError::No(why) | ImapError::Bad(why) => AccountError::Answer { server, why: words(&why) },
        error => AccountError::Answer { server, why: error.to_string() },
    }
}

/// What a refusal says, without the library's way to write it down.
fn words(said: &str) -> String {
    let quoted = said.split_once("Some(\"").and_then(|(_, rest)| rest.rsplit_once("\")")).map(|(words, _)| words);
    crate::text::one_line(quoted.unwrap_or(said))
}

/// Connects and logs in.
async fn enter(
    plan: &AccountPlan,
    key: &mut Key,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(Server, Mailbox), AccountError> {
    let server = Server::of(plan)?;
    let certificate = plan.certificate.as_deref();
    let wire = server.connect(plan.transport).await?;
    let client = match plan.transport {
        Transport::Plain => {
            let wire: Box<dyn Wire> = Box::new(wire);
            greeted(&server, Client::new(wire), goes_on).await?
        }
        Transport::Tls => greeted(&server, Client::new(server.protect(wire, certificate).await?), goes_on).await?,
        Transport::Starttls => {
            let mut open = greeted(&server, Client::new(wire), goes_on).await?;
            heard(&server, goes_on, open.run_command_and_check_ok("STARTTLS", None)).await?;
            // Whatever the server said before TLS began is thrown away with the old client.
            Client::new(server.protect(open.into_inner(), certificate).await?)
        }
    };
    let entered = match key {
        // The command for passwords takes ASCII only.
        Key::Password(password) if password.expose().is_ascii() => {
            heard(&server, goes_on, async { Ok(client.login(&plan.user, password.expose()).await) }).await?
        }
        Key::Password(password) => {
            let answers = Answers::once(format!("\0{}\0{}", plan.user, password.expose()));
            heard(&server, goes_on, async { Ok(client.authenticate("PLAIN", answers).await) }).await?
        }
        Key::Tokens(login) => {
            let token = login.bearer()?;
            let answers = Answers::once(format!("user={}\x01auth=Bearer {}\x01\x01", plan.user, token.expose()));
            heard(&server, goes_on, async { Ok(client.authenticate("XOAUTH2", answers).await) }).await?
        }
    };
    match entered {
        Ok(mailbox) => Ok((server, mailbox)),
        Err((ImapError::No(why) | ImapError::Bad(why), _)) => {
            Err(AccountError::Password { server: server.to_string(), user: plan.user.clone(), why: words(&why) })
        }
        Err((error, _)) => Err(said(&server, error)),
    }
}

/// The client, once the server has greeted it.
async fn greeted<W: Wire>(
    server: &Server,
    mut client: Client<W>,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Client<W>, AccountError> {
    let greeting = heard(server, goes_on, async { Ok(client.read_response().await?) }).await?;
    if greeting.is_none() {
        let why = "it hung up without a greeting".into();
        return Err(AccountError::Unreachable { server: server.to_string(), why });
    }
    Ok(client)
}

/// What is answered to a server's challenges: the key to the first, nothing to any other.
struct Answers(Option<zeroize::Zeroizing<String>>);

impl Answers {
    fn once(answer: String) -> Self {
        Self(Some(zeroize::Zeroizing::new(answer)))
    }
}

impl Authenticator for Answers {
    type Response = zeroize::Zeroizing<String>;

    fn process(&mut self, _challenge: &[u8]) -> Self::Response {
        self.0.take().unwrap_or_default()
    }
}

async fn leave(mut mailbox: Mailbox) {
    // A server that does not say goodbye is left all the same.
    let _ = tokio::time::timeout(Duration::from_secs(5), mailbox.logout()).await;
}

/// The folders to read.
async fn folders(
    server: &Server,
    mailbox: &mut Mailbox,
    plan: &AccountPlan,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<Folder>, AccountError> {
    let listed = heard(server, goes_on, async {
        let names: Vec<Name> = mailbox.list(Some(""), Some("*")).await?.try_collect().await?;
        Ok(names)
    });
    let all: Vec<Folder> = listed.await?.iter().filter_map(Folder::of).collect();
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

/// A folder's UIDVALIDITY and the numbers of its messages that are not marked as deleted. It is open afterwards.
async fn numbers(
    server: &Server,
    mailbox: &mut Mailbox,
    folder: &Folder,
    plan: &AccountPlan,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(u32, BTreeSet<u32>), AccountError> {
    let opened = heard(server, goes_on, mailbox.examine(&folder.name)).await?;
    let validity = opened.uid_validity.ok_or_else(|| AccountError::Answer {
        server: server.to_string(),
        why: format!("it gives the messages in {} no lasting numbers", folder.called()),
    })?;
    if opened.exists == 0 {
        return Ok((validity, BTreeSet::new()));
    }
    let query = match plan.since.and_then(day) {
        Some(day) => format!("UNDELETED SINCE {day}"),
        None => "UNDELETED".to_owned(),
    };
    Ok((validity, heard(server, goes_on, mailbox.uid_search(&query)).await?.into_iter().collect()))
}

/// A day as IMAP writes it, in UTC.
fn day(at: Millis) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%-d-%b-%Y").to_string())
}

async fn read_folder(
    desk: &Desk<'_>,
    server: &Server,
    mailbox: &mut Mailbox,
    folder: &Folder,
    steward: &mut dyn Steward,
) -> Result<(), AccountError> {
    let (validity, uids) = numbers(server, mailbox, folder, desk.plan, &mut || steward.goes_on()).await?;
    let below = folder.key(desk.place);
    let key_of = |uid: u32| format!("{below}/{validity}.{uid}");
    // Messages up to this one have been looked at, also those that gave no item.
    let mark = format!("seen {below} {validity}");
    let seen: u32 = steward.bookmark(&mark).and_then(|uid| uid.parse().ok()).unwrap_or(0);
    let called = folder.called();
    let mut wanted = Vec::new();
    for (at, uid) in uids.into_iter().enumerate() {
        if at % 1024 == 0 && !steward.goes_on() {
            return Err(AccountError::Stopped);
        }
        if !steward.has(&key_of(uid)) && uid > seen {
            wanted.push(uid);
        }
    }
    for batch in wanted.chunks(BATCH) {
        let given = fetch(desk, server, mailbox, (&called, batch), &key_of, steward).await?;
        let missing: Vec<u32> = batch.iter().copied().filter(|uid| !given.contains(uid)).collect();
        if !missing.is_empty() {
            // A server that cannot give a message says so in a way that looks like the end of the list.
            let query = format!("UNDELETED UID {}", set(&missing));
            let still = heard(server, &mut || steward.goes_on(), mailbox.uid_search(&query)).await?;
            if let Some(uid) = missing.iter().find(|uid| still.contains(uid)) {
                let why = format!("it lists message {uid} in {} and does not give it", folder.called());
                return Err(AccountError::Answer { server: server.to_string(), why });
            }
        }
        let last = batch.last().copied().unwrap_or(seen);
        steward.keep_bookmark(&mark, Some(&last.to_string()));
        desk.reading.check()?;
    }
    Ok(())
}

/// Fetches messages and hands them out; gives the numbers of those that came.
async fn fetch(
    desk: &Desk<'_>,
    server: &Server,
    mailbox: &mut Mailbox,
    (folder, batch): (&str, &[u32]),
    key_of: &impl Fn(u32) -> String,
    steward: &mut dyn Steward,
) -> Result<BTreeSet<u32>, AccountError> {
    let query = format!("(UID RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.{}>)", desk.limits.max_message_bytes);
    let asked = mailbox.uid_fetch(set(batch), &query);
    let mut messages = heard(server, &mut || steward.goes_on(), asked).await?;
    let mut given = BTreeSet::new();
    loop {
        let next = async { messages.next().await.transpose() };
        let Some(message) = heard_within(MESSAGE, server, &mut || steward.goes_on(), next).await? else { break };
        // News about other messages, or about this one, comes in between.
        let (Some(uid), Some(bytes)) = (message.uid, message.body()) else { continue };
        if !batch.contains(&uid) || !given.insert(uid) {
            continue;
        }
        if take(desk, key_of(uid), folder, (&message, bytes), steward) {
            return Err(AccountError::Stopped);
        }
    }
    Ok(given)
}

/// Hands a message out; true where nobody takes any more.
fn take(
    desk: &Desk<'_>,
    key: String,
    folder: &str,
    (message, bytes): (&Fetch, &[u8]),
    steward: &mut dyn Steward,
) -> bool {
    let received = message.internal_date().map(|at| at.timestamp_millis());
    let cut = u64::from(message.size.unwrap_or(0)).saturating_sub(bytes.len() as u64);
    // Servers are off by some bytes in what they say of a size; only what was cut at the cap is cut.
    let cut = if bytes.len() as u64 >= desk.limits.max_message_bytes { cut } else { 0 };
    let mut parts = Parts::new(key.clone(), received.unwrap_or(0), desk.limits, desk.extractor, steward);
    mail::message(&mut parts, key, (bytes.to_vec(), cut), received, Some(folder));
    parts.stopped()
}

/// Numbers in order as IMAP writes them: `1:3,7`.
fn set(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(*number) => *to = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let write = |(from, to): &(u32, u32)| if from == to { from.to_string() } else { format!("{from}:{to}") };
    ranges.iter().map(write).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::{day, set, words};

    #[test]
    fn numbers_days_and_refusals() {
        assert_eq!(set(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
        assert_eq!(set(&[u32::MAX]), "4294967295");
        assert_eq!(day(1_709_596_800_000).as_deref(), Some("5-Mar-2024"));
        assert_eq!(words("code: None, info: Some(\"Wrong \\\"name\\\"\")"), "Wrong \\\"name\\\"");
        assert_eq!(words("something else"), "something else");
    }
}
