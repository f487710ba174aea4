//! The model's own thread: one anchor, loaded when first needed, generating one answer at a time.
//!
//! The KV cache of the last conversation stays warm, so that the next turn only reads what is new. `forget` empties
//! it. Callers queue; a queued answer can be cancelled before it starts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread::JoinHandle;

use hinet_model::{
    Anchor, AnySession, Delta, Flow, Generated, ModelError, Resident, Sampling, Turn, registry::SamplingDefaults,
};
use hinet_vault::Vault;
use tokio::sync::{mpsc as channel, oneshot};
use tokio_util::sync::CancellationToken;
use zeroize::{Zeroize, Zeroizing};

use crate::failure::NodeError;
use crate::protocol::{ErrorKind, Hash};
use crate::roots::{self, Reads};
use crate::settings::Settings;
use crate::worn::Wardrobe;

/// What the mind is asked to do.
enum Job {
    /// Load the anchor now.
    Warm,
    /// Tell about it.
    About(oneshot::Sender<Result<About, NodeError>>),
    /// Answer.
    Generate(Box<Generation>),
    /// Count the tokens of texts.
    Count(Vec<String>, oneshot::Sender<Result<Vec<usize>, NodeError>>),
    /// Forget every cached prompt.
    Clear(oneshot::Sender<()>),
    /// Get a cast ready; answered by those who can speak.
    Summon(Vec<(Hash, f32)>, oneshot::Sender<Result<Vec<Hash>, NodeError>>),
    /// Let the numbers of a delta go that spoke in an assembly, and every cached prompt.
    Dismiss(Hash, oneshot::Sender<()>),
    /// Answer with this delta from here on, or with none; refused where the anchor cannot wear it.
    Wear(Worn, oneshot::Sender<Result<(), NodeError>>),
    /// Answer with the delta that the vault says.
    WearRecorded(oneshot::Sender<()>),
}

/// A delta and its hash, or none.
pub(crate) type Worn = Option<Box<(Hash, Delta)>>;

/// One answer to make.
struct Generation {
    turns: Vec<(String, String)>,
    sampling: Sampling,
    /// Who speaks, and how much of each; nobody is the delta that is worn.
    cast: Vec<(Hash, f32)>,
    words: channel::Sender<String>,
    cancel: CancellationToken,
    done: Option<oneshot::Sender<Result<Spoken, NodeError>>>,
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.turns.iter_mut().for_each(|(_, content)| content.zeroize());
    }
}

/// What the loaded anchor is.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// Context window, in tokens.
    pub(crate) context: usize,
    /// How many passages it reads, measured.
    pub(crate) passages: usize,
    /// Whether it cites passages by number and refuses what they do not answer, as a root does.
    pub(crate) cites: bool,
    /// How it talks best, where nobody says otherwise.
    pub(crate) sampling: SamplingDefaults,
    /// Its weights, as a hash.
    pub(crate) weights: Hash,
}

/// A finished generation.
pub(crate) struct Spoken {
    pub(crate) generated: Generated,
    /// Context window, in tokens.
    pub(crate) context: usize,
    /// The deltas that spoke too, and how much of each.
    pub(crate) deltas: Vec<(Hash, f32)>,
}

/// A handle on the mind's thread. Dropping it ends the thread after the present job.
pub(crate) struct Mind {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// The anchor and its warm session.
struct Loaded {
    anchor: Anchor,
    session: AnySession,
    reads: Reads,
    sampling: SamplingDefaults,
    /// The delta that answers where nobody else is asked.
    worn: Option<Resident>,
    /// Deltas that spoke in assemblies, the last one first.
    cast: Vec<Resident>,
}

impl Loaded {
    /// Has the session answer with this delta, or with none. On an error nothing changes.
    fn wear(&mut self, delta: Option<&(Hash, Delta)>) -> Result<(), ModelError> {
        let resident = delta.map(|(_, delta)| self.anchor.attach(delta)).transpose()?;
        self.session.set_deltas(&whole(resident.as_ref()))?;
        self.worn = resident;
        Ok(())
    }

    /// Empties the session, which has the delta that is worn from here on and no other.
    fn calm(&mut self) {
        // What is worn was tried on when it was put on.
        let _ = self.session.set_deltas(&whole(self.worn.as_ref()));
        self.session.clear();
    }

    /// Those of a cast that can speak. Of one that cannot be opened is said why, and the others speak without it, each as much
    /// more as makes up for it.
    fn summon(&mut self, wardrobe: &Wardrobe, cast: &[(Hash, f32)]) -> Vec<(Resident, f32)> {
        let mut active = Vec::with_capacity(cast.len());
        for (hash, weight) in cast {
            let known = self.cast.iter().position(|resident| resident.hash() == *hash);
            let resident = match known {
                Some(at) => Ok(self.cast.remove(at)),
                None => wardrobe.find(*hash).and_then(|delta| Ok(self.anchor.attach(&delta)?)),
            };
            match resident {
                Ok(resident) => {
                    self.cast.insert(0, resident.clone());
                    active.push((resident, *weight));
                }
                Err(error) => wardrobe.missing(error),
            }
        }
        let mut bytes = 0;
        let room = self.cast.iter().take(CAST_MAX).take_while(|resident| {
            bytes += resident.bytes();
            bytes <= CAST_BYTES_MAX
        });
        let room = room.count();
        self.cast.truncate(room.max(active.len()));
        let (whole, left) =
            (cast.iter().map(|(_, weight)| weight).sum::<f32>(), active.iter().map(|(_, w)| w).sum::<f32>());
        active.iter_mut().for_each(|(_, weight)| *weight *= whole / left);
        active
    }
}

/// A delta alone, all of it; or none.
fn whole(delta: Option<&Resident>) -> Vec<(Resident, f32)> {
    delta.map(|delta| (delta.clone(), 1.0)).into_iter().collect()
}

/// Deltas of assemblies that are kept ready, beside the one that is worn.
const CAST_MAX: usize = 32;
/// Bytes that they take together, at most.
const CAST_BYTES_MAX: usize = 1 << 30;

/// Most tokens of context that are kept in memory, whatever the anchor could read.
pub(crate) const CONTEXT_MAX: usize = 4096;

/// How far the model's threads stand back, of at most 19: about a fifth of a share where the cores are contended.
#[cfg(target_os = "linux")]
const NICE: i32 = 7;

impl Mind {
    /// Starts the thread; nothing is loaded yet.
    pub(crate) fn start(settings: Settings, wardrobe: Wardrobe) -> Self {
        let (jobs, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("mind".into())
            .spawn(move || {
                step_back();
                run(&Place { settings, wardrobe }, &queue);
            })
            .expect("a thread can be started when the program has just begun");
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    fn post(&self, job: Job) {
        // The thread only ends when this sender is dropped.
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }

    /// Loads the anchor ahead of the first question.
    pub(crate) fn warm(&self) {
        self.post(Job::Warm);
    }

    /// What the anchor is.
    pub(crate) async fn about(&self) -> Result<About, NodeError> {
        let (done, answer) = oneshot::channel();
        self.post(Job::About(done));
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// How many tokens each text takes.
    pub(crate) async fn count(&self, texts: Vec<String>) -> Result<Vec<usize>, NodeError> {
        let (done, answer) = oneshot::channel();
        self.post(Job::Count(texts, done));
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Continues a conversation of `(role, content)` turns, with the delta that is worn or with a cast; the words arrive on
    /// `words`.
    pub(crate) async fn generate(
        &self,
        turns: Vec<(String, String)>,
        sampling: Sampling,
        cast: Vec<(Hash, f32)>,
        words: channel::Sender<String>,
        cancel: CancellationToken,
    ) -> Result<Spoken, NodeError> {
        let (done, answer) = oneshot::channel();
        self.post(Job::Generate(Box::new(Generation { turns, sampling, cast, words, cancel, done: Some(done) })));
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Answers with this delta from here on, or with none.
    pub(crate) async fn wear(&self, delta: Worn) -> Result<(), NodeError> {
        let (done, answer) = oneshot::channel();
        self.post(Job::Wear(delta, done));
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Answers with the delta that the vault says.
    pub(crate) async fn wear_recorded(&self) {
        let (done, answer) = oneshot::channel();
        self.post(Job::WearRecorded(done));
        let _ = answer.await;
    }

    /// Who of a cast can speak.
    pub(crate) async fn summon(&self, cast: Vec<(Hash, f32)>) -> Result<Vec<Hash>, NodeError> {
        let (done, answer) = oneshot::channel();
        self.post(Job::Summon(cast, done));
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Lets the numbers of a delta go that spoke in an assembly, and what was read with it.
    pub(crate) async fn dismiss(&self, delta: Hash) {
        let (done, gone) = oneshot::channel();
        self.post(Job::Dismiss(delta, done));
        let _ = gone.await;
    }

    /// Empties every cache that could hold words of the owner's.
    pub(crate) async fn clear(&self) {
        let (done, cleared) = oneshot::channel();
        self.post(Job::Clear(done));
        let _ = cleared.await;
    }
}

impl Drop for Mind {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer was stopped before its first word.
pub(crate) fn not_begun() -> NodeError {
    NodeError::said(ErrorKind::Cancelled, "The answer was stopped before it began.", "The question is kept.")
}

fn stopped() -> NodeError {
    NodeError::said(ErrorKind::Failed, "The model stopped by a fault in icore.", "Ask again; it is loaded afresh.")
}

/// What the thread works with.
struct Place {
    settings: Settings,
    wardrobe: Wardrobe,
}

/// The anchor that answers in this home, on its root.
pub(crate) fn anchor_of(settings: &Settings, vault: &Vault) -> Result<(Anchor, Reads, SamplingDefaults), NodeError> {
    let entry = crate::models::anchor(settings).map_err(NodeError::from)?;
    let paths = hinet_model::locate(&entry, &settings.models).ok_or_else(|| {
        NodeError::said(
            ErrorKind::Failed,
            format!("The model {} is not on this machine yet.", entry.name),
            "Run `icore models pull`.",
        )
    })?;
    let (anchor, reads) = roots::stand(Anchor::load(&paths)?, &entry, vault)?;
    Ok((anchor, reads, entry.sampling))
}

fn load(place: &Place) -> Result<Loaded, NodeError> {
    let (anchor, reads, sampling) = anchor_of(&place.settings, &place.wardrobe.vault)?;
    let context = anchor.context().min(CONTEXT_MAX);
    let session = crate::models::session(&anchor, &place.settings, context)?;
    let mut loaded = Loaded { session, anchor, reads, sampling, worn: None, cast: Vec::new() };
    if let Some(worn) = place.wardrobe.worn()
        && let Err(error) = loaded.wear(Some(&worn))
    {
        // It may be another anchor's; this one can answer without it.
        place.wardrobe.complain(NodeError::from(error));
    }
    Ok(loaded)
}

/// What the owner types comes before what the model writes: this thread, and on Linux those it starts from here on, give
/// way to the one that draws. Where the system does not let them, everything still works.
pub(crate) fn step_back() {
    // Elsewhere than on Linux it would be the whole process that gives way.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}

fn run(place: &Place, queue: &mpsc::Receiver<Job>) {
    let mut loaded: Option<Loaded> = None;
    while let Ok(job) = queue.recv() {
        // A fault drops the job, whose caller hears of it, and the anchor with its caches, which are wiped.
        let done = catch_unwind(AssertUnwindSafe(|| work(place, &mut loaded, job)));
        if done.is_err() {
            loaded = None;
        }
    }
}

/// The anchor, loaded where it is not yet.
fn need<'a>(place: &Place, slot: &'a mut Option<Loaded>) -> Result<&'a mut Loaded, NodeError> {
    match slot {
        Some(mind) => Ok(mind),
        None => Ok(slot.insert(load(place)?)),
    }
}

fn work(place: &Place, loaded: &mut Option<Loaded>, job: Job) {
    // Whoever asked and has gone meanwhile needs no answer.
    match job {
        Job::Warm => {
            // A failure is told to whoever asks first.
            let _ = need(place, loaded);
        }
        Job::About(done) => {
            let about = need(place, loaded).map(|mind| About {
                context: mind.session.context(),
                passages: mind.reads.passages,
                cites: mind.reads.cites,
                sampling: mind.sampling,
                weights: mind.anchor.passport().weights,
            });
            let _ = done.send(about);
        }
        Job::Count(texts, done) => {
            let count = |mind: &mut Loaded| texts.iter().map(|text| mind.anchor.encode(text, false).len()).collect();
            let _ = done.send(need(place, loaded).map(count));
        }
        Job::Generate(mut job) => {
            let outcome = if job.cancel.is_cancelled() {
                Err(not_begun())
            } else {
                need(place, loaded).and_then(|mind| speak(mind, &place.wardrobe, &job))
            };
            if let Some(done) = job.done.take() {
                let _ = done.send(outcome);
            }
        }
        Job::Wear(delta, done) => {
            // Taking off needs no anchor; what is put on is tried on.
            let wanted = loaded.is_some() || delta.is_some();
            let worn = match wanted.then(|| need(place, loaded)) {
                None => Ok(()),
                Some(mind) => mind.and_then(|mind| Ok(mind.wear(delta.as_deref())?)),
            };
            let _ = done.send(worn);
        }
        Job::WearRecorded(done) => {
            if let Some(mind) = loaded {
                let worn = place.wardrobe.worn();
                if let Err(error) = mind.wear(worn.as_ref()) {
                    place.wardrobe.complain(NodeError::from(error));
                }
            }
            let _ = done.send(());
        }
        Job::Summon(cast, done) => {
            let ready = need(place, loaded)
                .map(|mind| mind.summon(&place.wardrobe, &cast).iter().map(|(resident, _)| resident.hash()).collect());
            let _ = done.send(ready);
        }
        Job::Dismiss(delta, done) => {
            if let Some(mind) = loaded {
                mind.cast.retain(|resident| resident.hash() != delta);
                mind.calm();
            }
            let _ = done.send(());
        }
        Job::Clear(done) => {
            if let Some(mind) = loaded {
                // What was forgotten may have been in one of them.
                mind.cast.clear();
                mind.calm();
            }
            let _ = done.send(());
        }
    }
}

fn speak(mind: &mut Loaded, wardrobe: &Wardrobe, job: &Generation) -> Result<Spoken, NodeError> {
    let mut active = mind.summon(wardrobe, &job.cast);
    if active.is_empty() {
        active = whole(mind.worn.as_ref());
    }
    mind.session.set_deltas(&active)?;
    let turns: Vec<Turn<'_>> = job.turns.iter().map(|(role, content)| Turn { role, content }).collect();
    // Wiped when the answer is made: what the caches hold is what forget empties.
    let rendered = Zeroizing::new(mind.anchor.render(&turns, true)?);
    let prompt = Zeroizing::new(mind.anchor.encode(&rendered, true));
    let context = mind.session.context();
    let generated = mind.session.generate(&prompt, &job.sampling, &mut |text| {
        let listening = text.is_empty() || job.words.blocking_send(text.to_owned()).is_ok();
        if job.cancel.is_cancelled() || !listening { Flow::Stop } else { Flow::Continue }
    })?;
    let deltas = active.iter().map(|(resident, weight)| (resident.hash(), *weight)).collect();
    Ok(Spoken { generated, context, deltas })
}
