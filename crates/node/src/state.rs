//! What the node holds while a home is open. One owner for each thing: the vault owns the truth, the index what is
//! derived from it, consent the decisions, the mind the model.

use std::collections::HashMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

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
    pub(crate) news: broadcast::Sender<Event>,
    pub(crate) notices: Notices,
    pub(crate) embed_wake: Notify,
    /// Cancelled when the node stops.
    pub(crate) ending: CancellationToken,
    /// Cancelled and replaced when the kill switch is thrown: every source, door and job hangs on it.
    live: Mutex<CancellationToken>,
    pub(crate) tasks: TaskTracker,
    pub(crate) nonces: Mutex<HashMap<Hash, Millis>>,
    pub(crate) ledger_ok: AtomicBool,
    pub(crate) ledger_checked: AtomicU64,
    /// Whether this node is `icore node` rather than a part of a terminal.
    pub(crate) detached: bool,
    /// Held until the node is gone; last, so that it is dropped last.
    _lock: HomeLock,
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
        let notices = Notices::default();
        vault.notices().iter().for_each(|sentence| notices.add(sentence.clone()));
        let embedder = Embedder::hash_of(Registry::builtin().default_embedder())?;
        let index = open_index(&home, &vault, embedder, &notices)?;
        let report = consent.verify()?;
        if let Some((seq, why)) = &report.broken {
            notices.add(format!("The ledger is broken at entry {seq}: {why}"));
        }
        let (news, _) = broadcast::channel(256);
        let node = Self(Arc::new(Inner {
            mind: Mind::start(settings.models.clone()),
            settings: settings.clone(),
            vault,
            consent,
            index: RwLock::new(Arc::new(index)),
            embedder: OnceLock::new(),
            embedder_loading: Mutex::new(()),
            watch: Mutex::new(None),
            limits: ReadLimits::default(),
            memory_work: tokio::sync::Mutex::new(()),
            news,
            notices,
            embed_wake: Notify::new(),
            ending: CancellationToken::new(),
            live: Mutex::new(CancellationToken::new()),
            tasks: TaskTracker::new(),
            nonces: Mutex::default(),
            ledger_ok: AtomicBool::new(report.ok),
            ledger_checked: AtomicU64::new(report.entries),
            detached,
            _lock: lock,
        }));
        crate::flows::forget::finish_interrupted(&node)?;
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

    /// Starts what a lasting node does by itself.
    pub(crate) fn settle(&self) {
        if self.settings.presence == Presence::Brief {
            return;
        }
        self.mind.warm();
        let node = self.clone();
        self.tasks.spawn(async move { crate::flows::background::run(node).await });
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
        self.live.lock().unwrap_or_else(PoisonError::into_inner).child_token()
    }

    /// Cancels everything that is live; new work gets a new token.
    pub(crate) fn cut(&self) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.cancel();
        *live = CancellationToken::new();
    }

    /// The folders no source may read: the home itself and the model cache.
    pub(crate) fn excluded(&self) -> Vec<PathBuf> {
        vec![self.settings.home.clone(), self.settings.models.clone()]
    }

    /// Stops cleanly: jobs are cancelled, the socket goes away, the vault is checkpointed when the last handle drops.
    pub(crate) async fn stop(&self) {
        self.ending.cancel();
        self.cut();
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.tasks.close();
        self.tasks.wait().await;
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
