//! What the node holds while a home is open. One owner for each thing: the vault owns the truth, the index what is
//! derived from it, consent the decisions, the mind the model.

use std::collections::HashMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hinet_connectors::{ReadLimits, Watch};
use hinet_consent::Consent;
use hinet_index::Index;
use hinet_model::{Embedder, registry::Registry};
use hinet_vault::{Home, HomeLock, Secret, Vault};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::failure::NodeError;
use crate::mind::Mind;
use crate::notice::Notices;
use crate::protocol::{ErrorKind, Event, Hash, Millis};
use crate::settings::{Presence, Settings};
use crate::worn::Wardrobe;

/// A guest that has asked for nothing for so long does not keep one command's node open.
const GUESTS_QUIET: Duration = Duration::from_millis(500);
/// Between two looks at the guests.
const GUESTS_LOOK: Duration = Duration::from_millis(50);

/// A handle on an open home. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Node(Arc<Inner>);

/// What is behind the handle.
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) vault: Arc<Vault>,
    pub(crate) consent: Consent,
    pub(crate) index: RwLock<Arc<Index>>,
    pub(crate) mind: Mind,
    embedder: OnceLock<Arc<Embedder>>,
    embedder_loading: Mutex<()>,
    pub(crate) watch: Mutex<Option<Watch>>,
    pub(crate) limits: ReadLimits,
    /// One import, sync or forget at a time: they rewrite the same rows.
    pub(crate) memory_work: tokio::sync::Mutex<()>,
    /// For each account by its place: one reading at a time.
    pub(crate) account_turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Held shared by each answer from its question to its storing, and alone by forget: a text that goes must not come
    /// back in an answer that was being made from it.
    pub(crate) answering: tokio::sync::RwLock<()>,
    /// One at a time makes vectors: two would make the same ones.
    pub(crate) embedding: tokio::sync::Mutex<()>,
    pub(crate) news: broadcast::Sender<Event>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) embed_wake: Notify,
    /// Cancelled when the node stops.
    pub(crate) ending: CancellationToken,
    live: Mutex<Live>,
    pub(crate) tasks: TaskTracker,
    /// Nonces handed out for the owner's proof, and when.
    pub(crate) nonces: Mutex<HashMap<Hash, Instant>>,
    /// Attaches that were refused since this node began.
    pub(crate) refusals: AtomicUsize,
    /// Clients attached through the socket, and their requests that are being answered.
    pub(crate) guests: AtomicUsize,
    pub(crate) guests_busy: AtomicUsize,
    pub(crate) ledger_ok: AtomicBool,
    /// Disclosures that wait for the owner.
    pub(crate) desk: crate::flows::disclose::Desk,
    /// When somebody last wanted something.
    pub(crate) wished: AtomicI64,
    /// The night that goes on.
    pub(crate) bed: crate::flows::sleep::Bed,
    /// Who answers what in an assembly.
    pub(crate) gates: crate::flows::assembly::Gates,
    /// What may be typed after `@`.
    pub(crate) names: crate::flows::names::Shelf,
    /// Who is who.
    pub(crate) people: crate::flows::people::Circle,
    /// Whether remembering is paused.
    pub(crate) paused: AtomicBool,
    /// Whether this node is `icore node` rather than a part of a terminal.
    pub(crate) detached: bool,
    /// Held until the node is gone; last, so that it is dropped last.
    _lock: HomeLock,
}

/// What running work hangs on: every source, door and job, and among them the answers being made.
struct Live {
    work: CancellationToken,
    answers: CancellationToken,
}

impl Live {
    fn begin(ending: &CancellationToken) -> Self {
        let work = ending.child_token();
        Self { answers: work.child_token(), work }
    }
}

impl Deref for Node {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Milliseconds since the Unix epoch, now.
pub(crate) fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}

impl Node {
    /// Opens the home. Slow (a passphrase is stretched on purpose): call it off the async threads.
    pub(crate) fn open(settings: &Settings, secret: &Secret, detached: bool) -> Result<Self, NodeError> {
        let home = Home::at(&settings.home);
        if !home.exists() {
            return Err(NodeError::said(
                ErrorKind::Failed,
                format!("There is no iCore at {}.", settings.home.display()),
                "Run `icore` in a terminal, or `icore init --help`.",
            ));
        }
        let lock = HomeLock::take(&home)?;
        let vault = Arc::new(Vault::open(&home, secret)?);
        let consent = Consent::open(vault.clone())?;
        let notices = Arc::new(Notices::default());
        vault.notices().iter().for_each(|sentence| notices.add(sentence.clone()));
        let embedder = Embedder::hash_of(Registry::builtin().default_embedder())?;
        let index = open_index(&home, &vault, embedder, &notices)?;
        let report = consent.verify()?;
        if let Some((seq, why)) = &report.broken {
            notices.add(format!("The ledger is broken at entry {seq}: {why}"));
        }
        let paused = crate::flows::pause::was_paused(&vault)?;
        let (news, _) = broadcast::channel(256);
        let ending = CancellationToken::new();
        let node = Self(Arc::new(Inner {
            mind: Mind::start(settings.clone(), Wardrobe { vault: vault.clone(), notices: notices.clone() }),
            settings: settings.clone(),
            vault,
            consent,
            index: RwLock::new(Arc::new(index)),
            embedder: OnceLock::new(),
            embedder_loading: Mutex::new(()),
            watch: Mutex::new(None),
            limits: ReadLimits::default(),
            memory_work: tokio::sync::Mutex::new(()),
            account_turns: Mutex::default(),
            answering: tokio::sync::RwLock::new(()),
            embedding: tokio::sync::Mutex::new(()),
            news,
            notices,
            embed_wake: Notify::new(),
            live: Mutex::new(Live::begin(&ending)),
            ending,
            tasks: TaskTracker::new(),
            nonces: Mutex::default(),
            refusals: AtomicUsize::new(0),
            guests: AtomicUsize::new(0),
            guests_busy: AtomicUsize::new(0),
            ledger_ok: AtomicBool::new(report.ok),
            desk: crate::flows::disclose::Desk::default(),
            wished: AtomicI64::new(now()),
            bed: crate::flows::sleep::Bed::default(),
            gates: crate::flows::assembly::Gates::default(),
            names: crate::flows::names::Shelf::default(),
            people: crate::flows::people::Circle::default(),
            paused: AtomicBool::new(paused),
            detached,
            _lock: lock,
        }));
        crate::flows::forget::finish_interrupted(&node)?;
        crate::flows::deltas::sweep(&node)?;
        node.record_unlock()?;
        Ok(node)
    }

    fn record_unlock(&self) -> Result<(), NodeError> {
        let how = if self.detached { "the node was started" } else { "unlocked in a terminal" };
        self.record(hinet_consent::EntryKind::Unlock, how)
    }

    /// One ledger entry that belongs to no item.
    pub(crate) fn record(&self, kind: hinet_consent::EntryKind, body: &str) -> Result<(), NodeError> {
        let note = hinet_consent::Note { item: None, body: body.to_owned() };
        self.vault.write(|tx| self.consent.record(tx, kind, vec![note], now()))?;
        Ok(())
    }

    /// Runs work that touches the disk away from the async threads.
    pub(crate) async fn apart<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Self) -> Result<T, NodeError> + Send + 'static,
    ) -> Result<T, NodeError> {
        let node = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&node)).await;
        done.map_err(|_| crate::failure::unexpected(what))?
    }

    /// Starts what a lasting node does by itself.
    pub(crate) fn settle(&self) {
        if self.settings.presence == Presence::Brief {
            return;
        }
        self.mind.warm();
        let node = self.clone();
        self.tasks.spawn(async move { crate::flows::background::run(node).await });
        let node = self.clone();
        self.tasks.spawn(async move { crate::flows::accounts::run(node).await });
        let node = self.clone();
        self.tasks.spawn(async move { crate::flows::sleep::schedule::run(node).await });
    }

    /// The index, as it is now.
    pub(crate) fn index(&self) -> Arc<Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The embedder, loaded on first use. Blocks while it loads.
    pub(crate) fn embedder(&self) -> Result<Arc<Embedder>, NodeError> {
        if let Some(embedder) = self.embedder.get() {
            return Ok(embedder.clone());
        }
        let _one = self.embedder_loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(embedder) = self.embedder.get() {
            return Ok(embedder.clone());
        }
        let registry = Registry::builtin();
        let entry = registry.default_embedder();
        let paths = hinet_model::locate(entry, &self.settings.models).ok_or_else(|| {
            NodeError::said(
                ErrorKind::Failed,
                format!("The model {} is not on this machine yet.", entry.name),
                "Run `icore models pull`.",
            )
        })?;
        let embedder = Arc::new(Embedder::load(&paths)?);
        Ok(self.embedder.get_or_init(|| embedder).clone())
    }

    /// A token for new work; cancelled by the kill switch and by the end of the node.
    pub(crate) fn live(&self) -> CancellationToken {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).work.child_token()
    }

    /// A token for a new answer; cancelled by what [`Self::live`] is cancelled by, and by [`Self::hush`].
    pub(crate) fn live_answer(&self) -> CancellationToken {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).answers.child_token()
    }

    /// Cancels everything that is live; new work gets a new token.
    pub(crate) fn cut(&self) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.work.cancel();
        *live = Live::begin(&self.ending);
    }

    /// Stops the answers that are being made; new ones get a new token.
    pub(crate) fn hush(&self) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.answers.cancel();
        live.answers = live.work.child_token();
    }

    /// The folders no source may read: the home itself and the model cache.
    pub(crate) fn excluded(&self) -> Vec<PathBuf> {
        vec![self.settings.home.clone(), self.settings.models.clone()]
    }

    /// Waits until the clients at the socket have their answers: until they are gone, or have asked for nothing for a
    /// while.
    pub(crate) async fn see_guests_off(&self) {
        let mut quiet = Duration::ZERO;
        while quiet < GUESTS_QUIET && self.guests.load(Ordering::SeqCst) > 0 && !self.ending.is_cancelled() {
            tokio::time::sleep(GUESTS_LOOK).await;
            quiet = if self.guests_busy.load(Ordering::SeqCst) > 0 { Duration::ZERO } else { quiet + GUESTS_LOOK };
        }
    }

    /// Stops cleanly: jobs are cancelled, the socket goes away, the vault is checkpointed when the last handle drops.
    pub(crate) async fn stop(&self) {
        self.ending.cancel();
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The name of the model that answers.
    pub(crate) fn mind_name(&self) -> String {
        let named = self.settings.anchor.clone();
        named.unwrap_or_else(|| Registry::builtin().default_anchor().name.clone())
    }

    /// Whether the ledger held when it was last looked at.
    pub(crate) fn ledger_held(&self) -> bool {
        self.ledger_ok.load(Ordering::Relaxed)
    }
}

/// Opens the index beside the vault; what had to be rebuilt is a notice.
pub(crate) fn open_index(home: &Home, vault: &Vault, embedder: Hash, notices: &Notices) -> Result<Index, NodeError> {
    let key = vault.seal_key("index");
    let (index, sentences) = Index::open(&home.index_dir(), &key, vault, embedder)?;
    sentences.into_iter().for_each(|sentence| notices.add(sentence));
    Ok(index)
}
