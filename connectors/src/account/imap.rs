//! A mailbox by IMAP (RFC 3501): its folders are opened read-only and their messages fetched without a mark on them.
//!
//! A message's key is its folder, the folder's UIDVALIDITY and the message's UID, which together mean one message for
//! ever. So what is known needs no second look, a reading that was cut short goes on where it stopped, and nothing
//! comes twice: a folder whose numbers are no longer valid is read anew, and its old keys go.

mod ask;
mod folders;

use super::{
    AccountError, Desk, Key, Place, Steward,
    socket::{Server, Wire},
};
use crate::{Reading, mail, parts::Parts};
use ask::{MESSAGE, Said, ask, heard, said, words};
use async_imap::{
    Authenticator, Client, Session,
    error::Error as ImapError,
    imap_proto::{AttributeValue, MailboxDatum, Response, ResponseCode},
};
use folders::{Folder, folders};
use hinet_protocol::{AccountPlan, FolderCount, Millis, Transport};
use std::{collections::BTreeSet, future::Future, time::Duration};

/// Messages fetched with one command, and stored before the next.
const BATCH: usize = 100;
/// Messages that one folder may list.
const MESSAGES_MAX: usize = 16 << 20;

/// A mailbox one has logged in to.
type Mailbox = Session<Box<dyn Wire>>;

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

/// A folder's UIDVALIDITY and the numbers of its messages that are not marked as deleted. It is open afterwards.
async fn numbers(
    server: &Server,
    mailbox: &mut Mailbox,
    folder: &Folder,
    plan: &AccountPlan,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(u32, BTreeSet<u32>), AccountError> {
    let mut validity = None;
    ask(server, mailbox, &format!("EXAMINE {}", ask::quoted(&folder.name)), ask::ANSWER, &mut |said| match said {
        Said::Answer(Response::Data { outcome, .. }) => {
            if let Some(ResponseCode::UidValidity(number)) = outcome.code {
                validity = Some(number);
            }
            Ok(())
        }
        said => said.goes_on(goes_on),
    })
    .await?;
    let validity = validity.ok_or_else(|| AccountError::Answer {
        server: server.to_string(),
        why: format!("it gives the messages in {} no lasting numbers", folder.called()),
    })?;
    let query = match plan.since.and_then(day) {
        Some(day) => format!("UNDELETED SINCE {day}"),
        None => "UNDELETED".to_owned(),
    };
    Ok((validity, search(server, mailbox, &query, goes_on).await?))
}

/// The numbers of the messages that fit.
async fn search(
    server: &Server,
    mailbox: &mut Mailbox,
    query: &str,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<BTreeSet<u32>, AccountError> {
    let mut found = BTreeSet::new();
    ask(server, mailbox, &format!("UID SEARCH {query}"), ask::ANSWER, &mut |said| match said {
        Said::Answer(Response::MailboxData(MailboxDatum::Search(uids))) => {
            found.extend(uids);
            bounded(server, found.len(), MESSAGES_MAX, "messages")
        }
        said => said.goes_on(goes_on),
    })
    .await?;
    Ok(found)
}

/// Refuses a list that is longer than any mailbox is: a server may say the next line for ever.
fn bounded(server: &Server, there: usize, most: usize, what: &str) -> Result<(), AccountError> {
    if there <= most {
        return Ok(());
    }
    Err(AccountError::Answer { server: server.to_string(), why: format!("it lists more than {most} {what}") })
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
    // Messages that were looked at and gave no item. Of the others the memory itself knows whether they were.
    let mark = format!("bare {below} {validity}");
    let mut bare = steward.bookmark(&mark).map(|text| unset(&text)).unwrap_or_default();
    bare.retain(|uid| uids.contains(uid));
    let called = folder.called();
    let mut wanted = Vec::new();
    for (at, uid) in uids.iter().copied().enumerate() {
        if at % 1024 == 0 && !steward.goes_on() {
            return Err(AccountError::Stopped);
        }
        if !steward.has(&key_of(uid)) && !bare.contains(&uid) {
            wanted.push(uid);
        }
    }
    for batch in wanted.chunks(BATCH) {
        let (given, without) = fetch(desk, server, mailbox, (&called, batch), &key_of, steward).await?;
        let missing: Vec<u32> = batch.iter().copied().filter(|uid| !given.contains(uid)).collect();
        if !missing.is_empty() {
            // A message may go while others are fetched; one that stays and is not given is no such message.
            let query = format!("UNDELETED UID {}", set(&missing));
            let still = search(server, mailbox, &query, &mut || steward.goes_on()).await?;
            if let Some(uid) = missing.iter().find(|uid| still.contains(uid)) {
                let why = format!("it lists message {uid} in {} and does not give it", folder.called());
                return Err(AccountError::Answer { server: server.to_string(), why });
            }
        }
        if !without.is_empty() {
            bare.extend(without);
            let bare: Vec<u32> = bare.iter().copied().collect();
            steward.keep_bookmark(&mark, Some(&set(&bare)));
        }
        desk.reading.check()?;
    }
    Ok(())
}

/// Fetches messages and hands them out; gives the numbers of those that came, and of those among them that gave no item.
async fn fetch(
    desk: &Desk<'_>,
    server: &Server,
    mailbox: &mut Mailbox,
    (folder, batch): (&str, &[u32]),
    key_of: &impl Fn(u32) -> String,
    steward: &mut dyn Steward,
) -> Result<(BTreeSet<u32>, Vec<u32>), AccountError> {
    let command = format!(
        "UID FETCH {} (UID RFC822.SIZE INTERNALDATE BODY.PEEK[]<0.{}>)",
        set(batch),
        desk.limits.max_message_bytes
    );
    let (mut given, mut without) = (BTreeSet::new(), Vec::new());
    ask(server, mailbox, &command, MESSAGE, &mut |said| {
        let Said::Answer(Response::Fetch(_, attributes)) = said else { return said.goes_on(&mut || steward.goes_on()) };
        // News about other messages, or about this one, comes in between.
        let Some(message) = Fetched::of(attributes) else { return Ok(()) };
        if !batch.contains(&message.uid) || !given.insert(message.uid) {
            return Ok(());
        }
        match take(desk, key_of(message.uid), folder, &message, steward) {
            Taken::Item => Ok(()),
            Taken::Nothing => {
                without.push(message.uid);
                Ok(())
            }
            Taken::Stopped => Err(AccountError::Stopped),
        }
    })
    .await?;
    Ok((given, without))
}

/// A message as it was fetched.
struct Fetched<'a> {
    uid: u32,
    size: u64,
    received: Option<Millis>,
    bytes: &'a [u8],
}

impl<'a> Fetched<'a> {
    fn of(attributes: &'a [AttributeValue<'_>]) -> Option<Self> {
        let (mut uid, mut size, mut received, mut bytes) = (None, 0, None, None);
        for attribute in attributes {
            match attribute {
                AttributeValue::Uid(number) => uid = Some(*number),
                AttributeValue::Rfc822Size(length) => size = u64::from(*length),
                AttributeValue::InternalDate(date) => received = moment(date),
                AttributeValue::BodySection { section: None, data: Some(data), .. } => bytes = Some(data.as_ref()),
                _ => {}
            }
        }
        Some(Self { uid: uid?, size, received, bytes: bytes? })
    }
}

/// A time as IMAP writes it: `04-Mar-2024 10:00:00 +0000`.
fn moment(date: &str) -> Option<Millis> {
    let date = date.trim_start();
    Some(jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", date).ok()?.to_timestamp().ok()?.as_millisecond())
}

/// What became of a message.
enum Taken {
    Item,
    Nothing,
    /// Nobody takes any more.
    Stopped,
}

/// Hands a message out.
fn take(desk: &Desk<'_>, key: String, folder: &str, message: &Fetched<'_>, steward: &mut dyn Steward) -> Taken {
    let Fetched { size, received, bytes, .. } = *message;
    // Servers are off by some bytes in what they say of a size; only what was cut at the cap is cut.
    let full = bytes.len() as u64 >= desk.limits.max_message_bytes;
    let cut = if full { size.saturating_sub(bytes.len() as u64) } else { 0 };
    let mut parts = Parts::new(key.clone(), received.unwrap_or(0), desk.limits, desk.extractor, steward);
    mail::message(&mut parts, key, (bytes.to_vec(), cut), received, Some(folder));
    match (parts.stopped(), parts.given()) {
        (true, _) => Taken::Stopped,
        (false, 0) => Taken::Nothing,
        (false, _) => Taken::Item,
    }
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

/// What [`set`] wrote.
fn unset(text: &str) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for range in text.split(',') {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        if let (Ok(from), Ok(to)) = (from.parse::<u32>(), to.parse::<u32>()) {
            numbers.extend(from..=to);
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::{day, moment, set, unset};

    #[test]
    fn numbers_and_times() {
        assert_eq!(set(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
        assert_eq!(set(&[u32::MAX]), "4294967295");
        assert_eq!(unset("1:3,7").into_iter().collect::<Vec<_>>(), [1, 2, 3, 7]);
        assert!(unset("").is_empty() && unset("a:b,-").is_empty());
        assert_eq!(day(1_709_596_800_000).as_deref(), Some("5-Mar-2024"));
        assert_eq!(moment("05-Mar-2024 01:00:00 +0100"), Some(1_709_596_800_000));
        assert_eq!(moment(" 5-Mar-2024 00:00:00 +0000"), Some(1_709_596_800_000));
        assert_eq!(moment("yesterday"), None);
    }
}
