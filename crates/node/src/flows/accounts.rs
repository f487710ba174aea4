//! Accounts on servers as sources: opened by a password or a login in the browser, read from time to time, compared with
//! what the server says it holds. What opens them is sealed in the vault and leaves it only on its way to the server.

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;
use std::time::Duration;

use hinet_connectors::{AccountError, Key, Login, Place, Tokens, count_account, try_account};
use hinet_consent::Reading;
use hinet_vault::records::{AccountRow, SourceRow};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::dispatch::Sink;
use crate::failure::NodeError;
use crate::flows::{background, ingest, pause, sources};
use crate::protocol::{
    AccountKind, AccountPlan, ErrorKind, Event, IngestReport, LoginPage, Progress, Secret, SourceId, SourceKind,
    SourceState, Transport, Unit, Verification, Verified,
};
use crate::state::{Node, now};

/// Between two readings of an account that nobody asked for.
const PAUSE: Duration = Duration::from_secs(15 * 60);

/// What opens an account, as it is sealed.
#[derive(Default, Serialize, Deserialize)]
struct Keys {
    /// A password, or an application's.
    password: Option<Secret>,
    /// The secret of the owner's OAuth client, where it has one.
    client: Option<Secret>,
    /// What a login gave.
    tokens: Option<Tokens>,
}

/// An account that is open.
pub(crate) struct Account {
    pub(crate) plan: AccountPlan,
    pub(crate) key: Key,
    pub(crate) reading: Reading,
}

/// [`crate::protocol::Op::AccountAdd`].
pub(crate) async fn add(
    node: &Node,
    plan: AccountPlan,
    secret: Option<Secret>,
    sink: &Sink,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    pause::check(node)?;
    check(&plan, secret.as_ref())?;
    let (words, stop) = (sink.clone(), cancel.clone());
    let runtime = tokio::runtime::Handle::current();
    let opened = node.apart("the account", move |_| {
        let mut visit = |page: LoginPage| {
            // Whoever is gone does not log in, and the waiting ends with the request.
            let _ = runtime.block_on(words.send(Event::LoginPage { page }));
        };
        let mut goes_on = || !stop.is_cancelled();
        let entered = enter(plan, secret, &mut visit, &mut goes_on)?;
        words.progress(Progress { what: "reading the account".into(), done: 0, total: None, unit: Unit::Files });
        Ok(entered)
    });
    let (plan, keys) = opened.await?;
    let place = Place::of(&plan).to_string();
    let _one = alone(node, &place, cancel).await?;
    let id = node.apart("the account", move |node| open(node, &plan, &keys)).await?;
    let report = read_alone(node, id, Some(sink), cancel).await?;
    ingest::close(node, report, sink, cancel).await
}

/// What must be said for an account to be opened.
fn check(plan: &AccountPlan, secret: Option<&Secret>) -> Result<(), NodeError> {
    let usage = |message: &str, hint: &str| Err(NodeError::said(ErrorKind::Usage, message, hint));
    let imap = plan.kind == AccountKind::Imap;
    match &plan.oauth {
        _ if imap && (plan.user.trim().is_empty() || plan.server.is_none()) => usage(
            "A mailbox needs a server and a user.",
            "`icore sources add imap mail.example.org --user you@example.org`.",
        ),
        Some(oauth) if oauth.client.trim().is_empty() => usage(
            "The login needs the id of your own OAuth client.",
            "The README says how to make one; give it with --client.",
        ),
        None if !imap => {
            usage("This account is opened by a login in the browser.", "Give your OAuth client with --client.")
        }
        None if secret.is_none_or(|secret| secret.expose().is_empty()) => {
            usage("The mailbox needs a password.", "Type it when asked, or give a file with --password-file.")
        }
        Some(_) | None if plan.transport != Transport::Tls && !imap => {
            usage("This account is only reached by TLS.", "Leave --tls out.")
        }
        Some(_) | None => Ok(()),
    }
}

/// Lets the owner in, and tells whose account it is.
fn enter(
    mut plan: AccountPlan,
    secret: Option<Secret>,
    visit: &mut dyn FnMut(LoginPage),
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(AccountPlan, Keys), NodeError> {
    let mut keys = Keys::default();
    let mut key = if plan.oauth.is_some() {
        keys.client = secret;
        Key::Tokens(Box::new(Login::begin(&plan, keys.client.clone(), visit, goes_on)?))
    } else {
        keys.password = secret;
        Key::Password(keys.password.clone().unwrap_or_else(|| Secret::new(String::new())))
    };
    try_account(&mut plan, &mut key, goes_on)?;
    if let Key::Tokens(login) = &key {
        keys.tokens = Some(login.tokens().clone());
    }
    Ok((plan, keys))
}

/// The source of an account with its grant, made where there is none; one that is there gets the new plan and keys.
fn open(node: &Node, plan: &AccountPlan, keys: &Keys) -> Result<SourceId, NodeError> {
    let place = Place::of(plan);
    let row = AccountRow { plan: json(plan)?, keys: Zeroizing::new(json(keys)?) };
    node.names.soil();
    let (id, old) = node.vault.write(|tx| {
        let known = tx.sources()?.into_iter().find(|s| s.kind == SourceKind::Account && s.path == place.as_str());
        let before = match &known {
            Some(known) => tx.account(known.id)?,
            None => None,
        };
        let id = known.as_ref().map_or_else(SourceId::new, |known| known.id);
        let mut source = known.unwrap_or_else(|| SourceRow {
            id,
            kind: SourceKind::Account,
            path: place.to_string(),
            state: SourceState::Active,
            grant: None,
            added: now(),
            synced: None,
        });
        source.state = SourceState::Active;
        let old = source.grant;
        source.grant = Some(node.consent.grant_in(tx, sources::leave(id, places(plan)), now())?.id);
        tx.put_source(&source)?;
        if before.is_some_and(|before| before.plan != row.plan) {
            // What is read now is something else, so how far the old was read says nothing.
            tx.drop_bookmarks(id)?;
        }
        tx.put_account(id, &row)?;
        Ok::<_, NodeError>((id, old))
    })?;
    // The word that was given now stands in place of the one before.
    if let Some(old) = old {
        node.consent.revoke(old, now())?;
    }
    Ok(id)
}

/// The places that a plan asks for: the whole account, or what of it was named.
fn places(plan: &AccountPlan) -> Vec<String> {
    let place = Place::of(plan);
    if plan.kind != AccountKind::Imap || plan.folders.is_empty() {
        // Labels and calendars lie across the account, and are no folders that a grant could name.
        return vec![place.to_string()];
    }
    plan.folders.iter().map(|folder| place.below(folder)).collect()
}

fn json<T: Serialize>(value: &T) -> Result<String, NodeError> {
    serde_json::to_string(value).map_err(|_| crate::failure::unexpected("the account").into())
}

/// The account of a source: its plan, its keys, and leave to ask its server.
pub(crate) fn account(node: &Node, source: SourceId) -> Result<Account, NodeError> {
    let lost = || {
        NodeError::said(
            ErrorKind::Damaged,
            "What this account needs to be read is not there any more.",
            "Add the account again; what was read from it is kept.",
        )
    };
    let row = node.vault.read(|r| r.account(source))?.ok_or_else(lost)?;
    let plan: AccountPlan = serde_json::from_str(&row.plan).map_err(|_| lost())?;
    let keys: Keys = serde_json::from_str(&row.keys).map_err(|_| lost())?;
    let reading = node.consent.admit_places(source, &places(&plan), now())?;
    let key = match (keys.password, keys.tokens) {
        (Some(password), _) => Key::Password(password),
        (None, Some(tokens)) => {
            let mut login = Login::resume(&plan, keys.client.clone(), tokens)?;
            let (keeper, client, plan) = (node.clone(), keys.client, row.plan);
            // A server may take the old token back in the moment in which it gives the new one.
            login.on_renewal(move |tokens| {
                let keys = Keys { password: None, client: client.clone(), tokens: Some(tokens.clone()) };
                let kept = json(&keys).and_then(|keys| {
                    let row = AccountRow { plan: plan.clone(), keys: Zeroizing::new(keys) };
                    Ok(keeper.vault.write(|tx| tx.put_account(source, &row))?)
                });
                if let Err(error) = kept {
                    keeper.notices.add(format!("A renewed login could not be kept: {error}"));
                }
            });
            Key::Tokens(Box::new(login))
        }
        (None, None) => return Err(lost()),
    };
    Ok(Account { plan, key, reading })
}

/// Leave to be the only one who reads this account: two readings at a time would take each other's new mail for gone, and
/// use up each other's logins.
async fn alone(node: &Node, place: &str, cancel: &CancellationToken) -> Result<OwnedMutexGuard<()>, NodeError> {
    let turn = {
        let mut turns = node.account_turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(place.to_owned()).or_default().clone()
    };
    tokio::select! {
        turn = turn.lock_owned() => Ok(turn),
        () = cancel.cancelled() => Err(AccountError::Stopped.into()),
    }
}

/// Reads an account, once nobody else does.
pub(crate) async fn read(
    node: &Node,
    source: SourceId,
    sink: Option<&Sink>,
    cancel: &CancellationToken,
) -> Result<IngestReport, NodeError> {
    let row = node.apart("the account", move |node| sources::row(node, source)).await?;
    let _one = alone(node, &row.path, cancel).await?;
    read_alone(node, source, sink, cancel).await
}

/// Reads an account on a blocking thread.
async fn read_alone(
    node: &Node,
    source: SourceId,
    sink: Option<&Sink>,
    cancel: &CancellationToken,
) -> Result<IngestReport, NodeError> {
    let (sink, cancel) = (sink.cloned(), cancel.clone());
    let read = node.apart("the account", move |node| ingest::read_account(node, source, sink.as_ref(), &cancel));
    read.await
}

/// [`crate::protocol::Op::SourceVerify`].
pub(crate) async fn verify(node: &Node, source: SourceId, cancel: &CancellationToken) -> Result<Event, NodeError> {
    let row = node.apart("the account", move |node| sources::row(node, source)).await?;
    let _one = alone(node, &row.path, cancel).await?;
    let cancel = cancel.clone();
    node.apart("the account", move |node| {
        if row.kind != SourceKind::Account {
            return Err(NodeError::said(
                ErrorKind::Usage,
                format!("{} is not an account, so there is no server to compare it with.", row.path),
                format!("`icore sources sync {source}` reads it again."),
            ));
        }
        let mut account = account(node, source)?;
        let reading = account.reading.clone();
        let mut goes_on = || !cancel.is_cancelled() && reading.is_live();
        let counts = count_account(&account.reading, &account.plan, &mut account.key, &mut goes_on)?;
        let (items, skips) = node.vault.read(|r| Ok::<_, NodeError>((r.items_of(source)?, r.skips(source)?)))?;
        let keys: HashSet<&str> = items.iter().map(|item| item.key.as_str()).collect();
        // Kept and left out, by the folder right above.
        let mut sums: HashMap<&str, (u64, u64)> = HashMap::new();
        let left_out = skips.iter().map(|skip| skip.what.as_str()).filter(|key| !keys.contains(key));
        for (key, kept) in keys.iter().map(|key| (*key, true)).chain(left_out.map(|key| (key, false))) {
            let Some((folder, _)) = key.rsplit_once('/') else { continue };
            let (here, skipped) = sums.entry(folder).or_default();
            *(if kept { here } else { skipped }) += 1;
        }
        let folders = counts.into_iter().map(|count| {
            let (here, skipped) = sums.get(count.key.as_str()).copied().unwrap_or_default();
            Verified { name: count.name, there: count.there, here, skipped }
        });
        Ok(Event::SourceVerified { verification: Verification { source, folders: folders.collect() } })
    })
    .await
}

/// Reads all accounts from time to time, until the node ends.
pub(crate) async fn run(node: Node) {
    loop {
        refresh(&node).await;
        tokio::select! {
            () = node.ending.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Reads every account that is active, nobody having asked.
async fn refresh(node: &Node) {
    if node.consent.is_killed() || pause::is_on(node) {
        return;
    }
    let cancel = node.live();
    let all = node.apart("the sources", |node| Ok(node.vault.read(|r| r.sources())?)).await.unwrap_or_default();
    for source in all.into_iter().filter(|s| s.kind == SourceKind::Account && s.state == SourceState::Active) {
        if cancel.is_cancelled() {
            return;
        }
        match read(node, source.id, None, &cancel).await {
            Ok(report) => background::tell_changes(node, report),
            // A machine without a network, the kill switch and a pause are no faults.
            Err(NodeError::Account(AccountError::Unreachable { .. } | AccountError::Stopped)) => {}
            Err(_) if cancel.is_cancelled() || pause::is_on(node) => {}
            Err(failure) => node.notices.add(format!("{}: {failure}", source.path)),
        }
    }
    node.embed_wake.notify_one();
}
