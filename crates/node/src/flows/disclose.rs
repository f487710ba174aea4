//! Disclosure: excerpts about something, for someone who is not the owner's own iCore.
//!
//! Search → evidence → a decision from grants alone → the filter → the ledger → the bytes. Where no grant speaks about
//! it the literal bytes wait at the [`Desk`] for the owner; what nobody answers is refused. The bytes that leave are the
//! bytes that were shown, or none. Whoever asks learns nothing from a refusal but that it was one; how long it took may
//! tell them whether there was something to ask about.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hinet_consent::{Ask, ConsentError, Decision, EntryKind, Outgoing, Refusal, Subject, withhold};
use hinet_index::read::{Question, quote, sentences, weigh};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::failure::NodeError;
use crate::flows::{chat, consent, memory, status};
use crate::protocol::{
    Asker, Asking, Capability, ErrorKind, Event, Filter, Grant, GrantDraft, GrantId, Hash, ItemId, Limits, Millis,
    Scope, Verdict,
};
use crate::state::{Node, now};

/// How long the owner is waited for.
const PATIENCE_MS: u64 = 60_000;
/// Requests that wait at once.
const WAITING_MAX: usize = 16;
/// Bytes of what is asked about.
const ABOUT_MAX: usize = 4 << 10;
/// Hits looked at, and excerpts taken.
const LOOKED_AT: usize = 12;
const EXCERPTS_MAX: usize = 3;
/// Where the embedder is not here and no meaning was measured, so much of what is asked about must stand in the words.
const WORDS_ALONE: f32 = 0.75;
/// The purpose of a grant that was an answer.
const ANSWERED: &str = "allowed when it asked";
/// An hour.
const HOUR_MS: Millis = 3_600_000;

/// What waits for the owner.
pub(crate) struct Desk {
    waiting: Mutex<Vec<Waiting>>,
    next: AtomicU64,
    /// Held from a decision to its bytes: a grant given for certain bytes must not serve others in between.
    deciding: tokio::sync::Mutex<()>,
    /// How long the owner is waited for, in milliseconds.
    pub(crate) patience: AtomicU64,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            next: AtomicU64::new(1),
            deciding: tokio::sync::Mutex::default(),
            patience: AtomicU64::new(PATIENCE_MS),
        }
    }
}

struct Waiting {
    asking: Asking,
    excerpts: Vec<Excerpt>,
    outcome: oneshot::Sender<Result<(String, u64), NodeError>>,
}

/// A piece of the memory that would leave.
#[derive(Clone)]
struct Excerpt {
    item: ItemId,
    /// Of the item's text when the excerpt was made.
    hash: Hash,
    source: String,
    text: String,
    sentences: usize,
    subject: Subject,
}

impl Desk {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits, oldest first.
    pub(crate) fn all(&self) -> Vec<Asking> {
        self.lock().iter().map(|waiting| waiting.asking.clone()).collect()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> u64 {
        self.lock().len() as u64
    }

    fn take(&self, id: u64) -> Option<Waiting> {
        let mut waiting = self.lock();
        let at = waiting.iter().position(|it| it.asking.id == id)?;
        Some(waiting.remove(at))
    }

    /// What was forgotten waits no longer: those requests are refused.
    pub(crate) fn forget(&self, node: &Node, items: &[ItemId]) {
        let before = self.len();
        self.lock().retain(|waiting| !waiting.excerpts.iter().any(|excerpt| items.contains(&excerpt.item)));
        if self.len() != before {
            tell(node);
        }
    }
}

/// Takes a request away again when whoever asked has gone.
struct Place<'a>(&'a Node, u64);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.0.desk.take(self.1).is_some() {
            tell(self.0);
        }
    }
}

/// Tells everybody what waits now.
fn tell(node: &Node) {
    // Nobody listening is fine.
    let _ = node.news.send(Event::Asking { asking: node.desk.all() });
    status::tell(node);
}

/// [`crate::protocol::Op::Pending`].
pub(crate) fn pending(node: &Node) -> Event {
    Event::Asking { asking: node.desk.all() }
}

/// What consent says to a request.
enum Ruling {
    Out(String, u64),
    Ask(Vec<Excerpt>),
}

/// [`crate::protocol::Op::Disclose`].
pub(crate) async fn disclose(
    node: &Node,
    asker: Asker,
    capability: Capability,
    about: String,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
    if about.is_empty() || about.len() > ABOUT_MAX {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("What is asked about has 1 to {ABOUT_MAX} bytes, and this has {}.", about.len()),
            "Say in a few words what the excerpts are to be about.",
        ));
    }
    if asker == Asker::Own || !matches!(capability, Capability::Retrieve | Capability::Converse) {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("Excerpts are disclosed to others, to retrieve or to converse; {asker} asked to {capability}."),
            "Ask as app:NAME or peer:HEX.",
        ));
    }
    // Whether this asker may ask at all, before anything is looked up for it.
    let ask = Ask { asker: asker.clone(), capability, subject: Subject::default() };
    if let Decision::Refused { why: why @ (Refusal::Killed | Refusal::BadAsker | Refusal::GrantsUnreadable) } =
        node.consent.decide(&ask, now())
    {
        return Err(refused(node, &asker, capability, &why.to_string()).await?);
    }
    let known_since = first_heard(node, &asker).await?;
    let excerpts = gather(node, &about).await?;
    if excerpts.is_empty() {
        return Err(refused(node, &asker, capability, "there is nothing about that").await?);
    }
    let ruling = {
        let _deciding = node.desk.deciding.lock().await;
        let _kept = node.answering.read().await;
        let asker = asker.clone();
        node.apart("the disclosure", move |node| rule(node, &asker, capability, excerpts)).await
    };
    match ruling {
        Ok(Ruling::Out(text, entry)) => {
            status::tell(node);
            Ok(Event::Disclosed { text, entry })
        }
        Ok(Ruling::Ask(excerpts)) => wait(node, asker, capability, about, excerpts, known_since, cancel).await,
        Err(NodeError::Consent(ConsentError::Refused(why))) => {
            Err(refused(node, &asker, capability, &why.to_string()).await?)
        }
        Err(error) => Err(error),
    }
}

/// A refusal: in the ledger with its reason, to the asker without.
async fn refused(node: &Node, asker: &Asker, capability: Capability, why: &str) -> Result<NodeError, NodeError> {
    let said = format!("refused {asker} ({capability}): {why}");
    node.apart("the ledger", move |node| node.record(EntryKind::Refused, &said)).await?;
    Ok(NodeError::said(ErrorKind::Refused, "Nothing was disclosed.", "The owner decides in the consent pane."))
}

/// When an asker was first heard of; that is now, where it never was.
async fn first_heard(node: &Node, asker: &Asker) -> Result<Option<Millis>, NodeError> {
    let name = blake3::keyed_hash(&node.vault.derive_key("askers"), asker.to_string().as_bytes());
    let key = format!("asker/{}", name.to_hex());
    node.apart("the asker", move |node| {
        let known = node.vault.read(|r| r.meta(&key))?.and_then(|at| at.parse().ok());
        if known.is_none() {
            node.vault.write(|tx| tx.set_meta(&key, &now().to_string()))?;
        }
        Ok(known)
    })
    .await
}

/// The sentences of the memory that say something about it: evidence is weighed as for an answer to the owner.
async fn gather(node: &Node, about: &str) -> Result<Vec<Excerpt>, NodeError> {
    let hits = memory::find(node, about.to_owned(), &[], LOOKED_AT).await?;
    let near = chat::nearness(node, about.to_owned(), &hits).await;
    let about = about.to_owned();
    node.apart("the excerpts", move |node| {
        let question = Question::read(&about);
        let index = node.index();
        let rarity = |stem: &str| index.rarity(stem);
        let mut weighed: Vec<_> = hits
            .into_iter()
            .zip(near)
            .map(|(hit, near)| {
                let nearest = near.iter().copied().fold(0.0, f32::max);
                (weigh(&question, &hit, nearest, &rarity), hit, near)
            })
            .filter(|(evidence, ..)| {
                let alone = evidence.meaning == 0.0 && evidence.fits && evidence.coverage >= WORDS_ALONE;
                evidence.is_enough() || alone
            })
            .collect();
        weighed.sort_by(|a, b| b.0.strength.total_cmp(&a.0.strength));
        let mut seen = HashSet::new();
        let mut excerpts = Vec::new();
        for (_, hit, near) in weighed {
            let range = quote(&question, &hit.title, &hit.text, &near);
            let text = hit.text[range].trim().to_owned();
            if text.is_empty() || excerpts.len() == EXCERPTS_MAX || !seen.insert(text.clone()) {
                continue;
            }
            let found = node.vault.read(|r| {
                let Some(head) = r.item_head(hit.item)? else { return Ok(None) };
                Ok::<_, NodeError>(consent::subject(r, &head)?.map(|subject| (head, subject)))
            })?;
            let Some((head, subject)) = found else { continue };
            let sentences = sentences(&text).len().max(1);
            excerpts.push(Excerpt { item: head.id, hash: head.hash, source: head.key, text, sentences, subject });
        }
        Ok(excerpts)
    })
    .await
}

/// Decides each excerpt. What one grant covers leaves under it; where none covers anything, the owner is asked about
/// what no grant speaks of.
fn rule(node: &Node, asker: &Asker, capability: Capability, mut excerpts: Vec<Excerpt>) -> Result<Ruling, NodeError> {
    let grants = node.consent.grants()?;
    let theirs = grants.iter().filter(|grant| grant.terms.asker == *asker);
    let topics: Vec<&String> = theirs.flat_map(|grant| &grant.terms.scope.topics).collect();
    let mut covered: BTreeMap<GrantId, (Filter, Vec<Excerpt>)> = BTreeMap::new();
    let (mut open, mut refusal) = (Vec::new(), None);
    for mut excerpt in excerpts.drain(..) {
        // A topic is the excerpt's where it occurs in it, whatever the asker says it is about.
        let text = excerpt.text.to_lowercase();
        excerpt.subject.topics =
            topics.iter().filter(|t| text.contains(&t.trim().to_lowercase())).map(|t| (*t).clone()).collect();
        let ask = Ask { asker: asker.clone(), capability, subject: excerpt.subject.clone() };
        match node.consent.decide(&ask, now()) {
            Decision::Allowed { grant, filter } => {
                covered.entry(grant).or_insert_with(|| (filter, Vec::new())).1.push(excerpt);
            }
            Decision::AskOwner => open.push(excerpt),
            Decision::Refused { why } if ran_out(&grants, &why) => open.push(excerpt),
            Decision::Refused { why } => refusal = Some(why),
        }
    }
    if let Some((grant, (filter, excerpts))) = covered.into_iter().max_by_key(|(_, (_, excerpts))| excerpts.len()) {
        let (text, _) = worded(&excerpts, &filter);
        let (text, entry) = let_out(node, grant, asker, capability, &excerpts, text)?;
        return Ok(Ruling::Out(text, entry));
    }
    match refusal {
        Some(why) if open.is_empty() => Err(ConsentError::from(why).into()),
        _ => Ok(Ruling::Ask(open)),
    }
}

/// Whether the reason is only that an earlier answer, once or for an hour, is over. That was no no: the owner may be
/// asked again. A grant that the owner wrote and bounded is not asked about again.
fn ran_out(grants: &[Grant], why: &Refusal) -> bool {
    let (Refusal::UsedUp { grant, .. } | Refusal::Expired { grant } | Refusal::TooMuch { grant, .. }) = why else {
        return false;
    };
    grants.iter().any(|known| known.id == *grant && known.terms.purpose == ANSWERED)
}

/// The bytes that would leave, and how many spans were taken out of them.
fn worded(excerpts: &[Excerpt], filter: &Filter) -> (String, u64) {
    let joined = excerpts.iter().map(|excerpt| excerpt.text.as_str()).collect::<Vec<_>>().join("\n\n");
    let filtered = withhold(&joined, filter);
    (filtered.text, filtered.withheld)
}

/// The ledger first, then the permit, then the bytes. [`Desk::deciding`] is held, and nothing is being forgotten.
fn let_out(
    node: &Node,
    grant: GrantId,
    asker: &Asker,
    capability: Capability,
    excerpts: &[Excerpt],
    text: String,
) -> Result<(String, u64), NodeError> {
    if text.trim().is_empty() || !are_there(node, excerpts)? {
        return Err(ConsentError::from(Refusal::OutOfScope { grant }).into());
    }
    let subjects: Vec<Subject> = excerpts.iter().map(|excerpt| excerpt.subject.clone()).collect();
    let mut items: Vec<ItemId> = excerpts.iter().map(|excerpt| excerpt.item).collect();
    items.sort_unstable();
    items.dedup();
    let out = Outgoing { grant, asker, capability, subjects: &subjects, items: &items, bytes: text.as_bytes() };
    let permit = node.consent.permit(&out, now())?;
    let cleared = permit.spend(text.as_bytes()).map_err(ConsentError::from)?;
    let entry = cleared.entry();
    Ok((text, entry))
}

/// Whether what the excerpts were made from is still what it was.
fn are_there(node: &Node, excerpts: &[Excerpt]) -> Result<bool, NodeError> {
    node.vault.read(|r| {
        for excerpt in excerpts {
            if r.item_head(excerpt.item)?.is_none_or(|head| head.hash != excerpt.hash) {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

async fn wait(
    node: &Node,
    asker: Asker,
    capability: Capability,
    about: String,
    excerpts: Vec<Excerpt>,
    known_since: Option<Millis>,
    cancel: &CancellationToken,
) -> Result<Event, NodeError> {
    let (text, withheld) = worded(&excerpts, &Filter::default());
    let patience = Duration::from_millis(node.desk.patience.load(Ordering::Relaxed));
    let since = now();
    let id = node.desk.next.fetch_add(1, Ordering::SeqCst);
    let mut sources: Vec<String> = excerpts.iter().map(|excerpt| excerpt.source.clone()).collect();
    sources.dedup();
    let asking = Asking {
        id,
        asker: asker.clone(),
        capability,
        about,
        learns: learns(&excerpts, withheld),
        text,
        sources,
        withheld,
        before: node.consent.uses_by(&asker)?,
        known_since,
        since,
        until: since + Millis::try_from(patience.as_millis()).unwrap_or(Millis::MAX),
    };
    let (outcome, mut answered) = oneshot::channel();
    let full = {
        let mut waiting = node.desk.lock();
        let full = waiting.len() >= WAITING_MAX;
        if !full {
            waiting.push(Waiting { asking, excerpts, outcome });
        }
        full
    };
    if full {
        return Err(refused(node, &asker, capability, "too many requests wait for the owner").await?);
    }
    let place = Place(node, id);
    tell(node);
    let gone = tokio::select! {
        answer = &mut answered => Some(answer),
        () = tokio::time::sleep(patience) => None,
        () = cancel.cancelled() => None,
    };
    // One that is being answered in this moment is answered.
    let answer = match gone {
        Some(answer) => Some(answer),
        None if node.desk.take(id).is_some() => {
            tell(node);
            None
        }
        None => Some(answered.await),
    };
    drop(place);
    match answer {
        Some(Ok(Ok((text, entry)))) => Ok(Event::Disclosed { text, entry }),
        Some(Ok(Err(failure))) => Err(failure),
        Some(Err(_)) => Err(refused(node, &asker, capability, "what it asked for was forgotten meanwhile").await?),
        None if node.consent.is_killed() => Err(refused(node, &asker, capability, &Refusal::Killed.to_string()).await?),
        None if cancel.is_cancelled() => Err(refused(node, &asker, capability, "it went away").await?),
        None => Err(refused(node, &asker, capability, "nobody answered").await?),
    }
}

/// What the asker knows afterwards, as far as it can be counted.
fn learns(excerpts: &[Excerpt], withheld: u64) -> String {
    let counted = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let sentences = excerpts.iter().map(|excerpt| excerpt.sentences).sum();
    let items: HashSet<ItemId> = excerpts.iter().map(|excerpt| excerpt.item).collect();
    format!(
        "{} from {}, {withheld} withheld; names of people are not recognised",
        counted(sentences, "sentence"),
        counted(items.len(), "item"),
    )
}

/// [`crate::protocol::Op::Answer`]; the owner's proof has been checked where it is needed.
pub(crate) async fn answer(node: &Node, id: u64, verdict: Verdict) -> Result<Event, NodeError> {
    let Some(Waiting { asking, excerpts, outcome }) = node.desk.take(id) else {
        return Err(NodeError::said(
            ErrorKind::Failed,
            format!("Nothing with the number {id} is waiting."),
            "It may have been answered or have run out; `icore consent pending` shows what waits.",
        ));
    };
    tell(node);
    if verdict == Verdict::No {
        let failure = refused(node, &asking.asker, asking.capability, "the owner said no").await?;
        let _ = outcome.send(Err(failure));
        return Ok(Event::Done);
    }
    let _deciding = node.desk.deciding.lock().await;
    let _kept = node.answering.read().await;
    if outcome.is_closed() {
        return Err(NodeError::said(ErrorKind::Failed, "Whoever asked has gone; nothing was disclosed.", ""));
    }
    let (asker, capability) = (asking.asker.clone(), asking.capability);
    let done = node.apart("the disclosure", move |node| allow(node, &asking, &excerpts, verdict)).await;
    status::tell(node);
    match done {
        Ok(out) => {
            // Whoever asked may be gone by now; then the ledger says more than what was received.
            let _ = outcome.send(Ok(out));
            Ok(Event::Done)
        }
        Err(failure) => {
            let _ = outcome.send(Err(refused(node, &asker, capability, "it could not be let out").await?));
            Err(failure)
        }
    }
}

/// Gives the grant that the owner's answer comes to, and lets the shown bytes out under it.
fn allow(node: &Node, asking: &Asking, excerpts: &[Excerpt], verdict: Verdict) -> Result<(String, u64), NodeError> {
    let mut sources: Vec<_> = excerpts.iter().filter_map(|excerpt| excerpt.subject.source).collect();
    sources.sort_unstable();
    sources.dedup();
    // No more than was shown: the files the excerpts are from, not all of their folder.
    let mut files: Vec<String> = excerpts.iter().filter_map(|excerpt| excerpt.subject.folder.clone()).collect();
    files.sort_unstable();
    files.dedup();
    // What has no path, such as a command's output, is bounded by its source alone.
    if files.iter().any(|file| !std::path::Path::new(file).is_absolute()) {
        files.clear();
    }
    let once = verdict == Verdict::Once;
    let limits = Limits {
        expires: match verdict {
            Verdict::Once => Some(now() + 60_000),
            Verdict::Hour => Some(now() + HOUR_MS),
            Verdict::Standing | Verdict::No => None,
        },
        uses: once.then_some(1),
        uses_per_hour: None,
        bytes: once.then_some(asking.text.len() as u64),
    };
    let draft = GrantDraft {
        asker: asking.asker.clone(),
        capability: asking.capability,
        scope: Scope { sources, folders: files, ..Scope::default() },
        filter: Filter::default(),
        limits,
        purpose: ANSWERED.into(),
    };
    let grant = node.consent.grant(draft, now())?;
    let out = let_out(node, grant.id, &asking.asker, asking.capability, excerpts, asking.text.clone());
    if out.is_err() {
        // What the owner agreed to did not happen, so nothing else happens under it.
        node.consent.revoke(grant.id, now())?;
    }
    out
}
