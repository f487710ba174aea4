//! How well the memory finds evidence: LoCoMo's dialogues read as chat exports into a home of their own, all together,
//! and every question put to the search and to the evidence that the chat refuses by.
//!
//! What is counted are turns of the dialogues: a passage that brings three turns spends three. Stages of the search are
//! left out one by one, so that each shows what it is worth.

mod locomo;
mod places;
mod refusing;
mod score;
mod untouched;

pub use score::{KS, Recall};

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use hinet_index::{Query, Stages};
use hinet_model::Embedder;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::failure::NodeError;
use crate::flows::{ingest, sources};
use crate::protocol::{ErrorKind, Failure, Hit, SourceKind};
use crate::settings::{Settings, Unlock};
use crate::setup::{self, InitOptions};
use crate::state::{Node, now};

use locomo::Dialogue;
use places::Places;
use refusing::Scales;

/// It seals nothing but dialogues that others made up.
const PASSPHRASE: &str = "two people talk for a year";
/// Hits asked for: each brings a turn or more.
const HITS: usize = 20;
/// False refusals at which the share of right ones is given.
const FALSE_REFUSALS: f64 = 0.1;

/// A way of searching, and what it finds.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which stages were taken.
    pub name: String,
    /// All questions with evidence.
    pub all: Recall,
    /// By category.
    pub categories: BTreeMap<&'static str, Recall>,
    /// By dialogue: a stage that pays in some only has been fitted to them.
    pub dialogues: BTreeMap<String, Recall>,
}

/// How well it is told what is not in the memory.
#[derive(Debug, Clone, Serialize)]
pub struct Refusal {
    /// What is asked.
    pub name: &'static str,
    /// How many questions.
    pub questions: usize,
    /// Area under the curve against the questions with evidence, 0..=1.
    pub auroc: f64,
    /// Share refused where a tenth of the questions with evidence is.
    pub refused_at_tenth: f64,
    /// Share refused by the chat as it is.
    pub refused: f64,
}

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Dialogues.
    pub dialogues: usize,
    /// Their turns.
    pub turns: usize,
    /// Passages that the memory made of them.
    pub passages: u64,
    /// The numbers of turns at which recall is given.
    pub ks: [usize; 4],
    /// The search as the chat uses it first, then with stages left out.
    pub rows: Vec<Row>,
    /// Share of the questions with evidence that the chat refuses.
    pub false_refusals: f64,
    /// Questions that the memory cannot answer.
    pub refusals: Vec<Refusal>,
    /// Seconds: reading, embedding, a search of each kind, the refusals.
    pub seconds: BTreeMap<&'static str, f64>,
}

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The folder of the dialogues.
    pub locomo: PathBuf,
    /// A folder for the home and the exports, empty or not there; removed by whoever named it.
    pub dir: PathBuf,
    /// Settings of the home, which lies in `dir`.
    pub settings: Settings,
}

/// Measures; `say` hears what is being done.
///
/// # Errors
/// Where the folder holds no dialogues, a file is none, the embedder is not here, or the home cannot be made.
pub fn measure(plan: &Plan, say: &mut dyn FnMut(&str)) -> Result<Report, Failure> {
    let dialogues = locomo::read(&plan.locomo)?;
    let broken = |error: std::io::Error| {
        Failure::new(ErrorKind::Failed, format!("Measuring stopped: {error}."), "Is there room on the disk?")
    };
    let exports = plan.dir.join("exports");
    std::fs::create_dir_all(&exports).map_err(broken)?;
    for dialogue in &dialogues {
        std::fs::write(exports.join(name_of(dialogue)), locomo::export(dialogue)).map_err(broken)?;
    }
    let exports = std::fs::canonicalize(exports).map_err(broken)?;
    setup::init(&plan.settings, InitOptions::made_up("Measuring", setup::NO_ROOT, PASSPHRASE))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(broken)?;
    runtime.block_on(async {
        let secret = Unlock::Passphrase(Zeroizing::new(PASSPHRASE.to_owned())).secret()?;
        let settings = plan.settings.clone();
        let node = tokio::task::spawn_blocking(move || Node::open(&settings, &secret, false))
            .await
            .map_err(|_| crate::failure::unexpected("the home"))??;
        let measured = measured(&node, &exports, &dialogues, say).await;
        node.stop().await;
        Ok(measured?)
    })
}

/// Two dialogues may be of people with the same names.
fn name_of(dialogue: &Dialogue) -> String {
    format!("WhatsApp Chat with {} ({}).txt", dialogue.speakers.join(" and "), dialogue.name)
}

async fn measured(
    node: &Node,
    exports: &Path,
    dialogues: &[Dialogue],
    say: &mut dyn FnMut(&str),
) -> Result<Report, NodeError> {
    let mut seconds = BTreeMap::new();
    say(&format!("Reading {} dialogues …", dialogues.len()));
    let began = Instant::now();
    let root = exports.to_path_buf();
    let source = node.vault.write(|tx| sources::open_in(&node.consent, tx, &root, SourceKind::Folder))?;
    ingest::run(node, source, ingest::Pass { root, forced: false }, None, &CancellationToken::new()).await?;
    let index = node.index();
    index.apply(&node.vault)?;
    seconds.insert("reading", began.elapsed().as_secs_f64());
    let places = Places::find(node, source, dialogues)?;
    say(&format!("Embedding {} passages …", index.len()));
    let began = Instant::now();
    let embedder = node.embedder()?;
    index.embed_pending(&node.vault, &embedder, usize::MAX, &AtomicBool::new(false), &mut |_, _| {})?;
    seconds.insert("embedding", began.elapsed().as_secs_f64());
    let mut asked = Vec::new();
    for (dialogue, talk) in dialogues.iter().enumerate() {
        for question in &talk.questions {
            let vector = embedder.embed(&[&question.text])?.pop();
            let evidence = question.evidence.iter().map(|turn| places.number(dialogue, *turn)).collect();
            asked.push(Asked { dialogue, text: question.text.clone(), category: question.category, evidence, vector });
        }
    }
    let mut rows = Vec::new();
    for (name, stages) in ways() {
        let began = Instant::now();
        let row = row(node, name, stages, &asked, dialogues, &places)?;
        say(&format!("Searched with {name}: {:.3} within 10 turns.", row.all.at[2]));
        rows.push(row);
        seconds.entry("searching").or_insert_with(|| began.elapsed().as_secs_f64());
    }
    say("Asking what cannot be answered …");
    let began = Instant::now();
    let (false_refusals, refusals) = refusals(node, &embedder, &asked, dialogues)?;
    seconds.insert("refusing", began.elapsed().as_secs_f64());
    let turns = dialogues.iter().map(|dialogue| dialogue.turns.len()).sum();
    let passages = index.len();
    Ok(Report { dialogues: dialogues.len(), turns, passages, ks: KS, rows, false_refusals, refusals, seconds })
}

/// A question with what is measured of it.
struct Asked {
    dialogue: usize,
    text: String,
    category: u64,
    /// Numbers of turns.
    evidence: Vec<usize>,
    vector: Option<Vec<f32>>,
}

impl Asked {
    fn is_answerable(&self) -> bool {
        category(self.category).is_some() && !self.evidence.is_empty()
    }
}

/// What LoCoMo's categories are called; none for what is not in the dialogue.
fn category(number: u64) -> Option<&'static str> {
    match number {
        1 => Some("multi-hop"),
        2 => Some("temporal"),
        3 => Some("open-domain"),
        4 => Some("single-hop"),
        _ => None,
    }
}

/// The ways of searching: everything, then built up from words and from meaning, then everything but one.
fn ways() -> Vec<(&'static str, Stages)> {
    let all = Stages::default();
    let words = Stages {
        words: true,
        meaning: false,
        speaker: false,
        before: false,
        time: false,
        together: false,
        second: false,
        thread: false,
    };
    let both = Stages { meaning: true, ..words };
    let speaker = Stages { speaker: true, ..both };
    let before = Stages { before: true, ..speaker };
    let time = Stages { time: true, ..before };
    let together = Stages { together: true, ..time };
    vec![
        ("everything", all),
        ("words alone", words),
        ("meaning alone", Stages { words: false, meaning: true, ..words }),
        ("words and meaning", both),
        ("… and the speaker", speaker),
        ("… and what was said before", before),
        ("… and the time", time),
        ("… and the passages beside it", together),
        ("everything but meaning", Stages { meaning: false, ..all }),
        ("everything but the speaker", Stages { speaker: false, ..all }),
        ("everything but what was said before", Stages { before: false, ..all }),
        ("everything but the time", Stages { time: false, ..all }),
        ("everything but the passages beside it", Stages { together: false, ..all }),
        ("everything but the second search", Stages { second: false, ..all }),
        ("everything but the messages around", Stages { thread: false, ..all }),
    ]
}

fn row(
    node: &Node,
    name: &str,
    stages: Stages,
    asked: &[Asked],
    dialogues: &[Dialogue],
    places: &Places,
) -> Result<Row, NodeError> {
    let (mut all, mut categories, mut by_dialogue) = (Recall::default(), BTreeMap::new(), BTreeMap::new());
    for question in asked.iter().filter(|question| question.is_answerable()) {
        let (text, vector) = (question.text.clone(), question.vector.clone());
        let query = Query { text, vector, k: HITS, now: now(), stages, ..Query::default() };
        let hits = node.index().search(&node.vault, &query)?;
        let around = hinet_index::around(&node.vault, &hits, stages)?;
        let read = hits.into_iter().zip(around).flat_map(|(hit, around)| std::iter::once(hit).chain(around));
        let found = places.turns(&read.collect::<Vec<Hit>>());
        all.add(&question.evidence, &found);
        let name = category(question.category).unwrap_or_default();
        categories.entry(name).or_insert_with(Recall::default).add(&question.evidence, &found);
        let name = dialogues[question.dialogue].name.clone();
        by_dialogue.entry(name).or_insert_with(Recall::default).add(&question.evidence, &found);
    }
    Ok(Row { name: name.to_owned(), all, categories, dialogues: by_dialogue })
}

/// The share of answerable questions that is refused, and how well the others are told from them.
fn refusals(
    node: &Node,
    embedder: &Embedder,
    asked: &[Asked],
    dialogues: &[Dialogue],
) -> Result<(f64, Vec<Refusal>), NodeError> {
    let index = node.index();
    let mut scales = Scales { node, index: &index, embedder, known: HashMap::new() };
    let (mut answerable, mut adversarial, mut untouched) = (Vec::new(), Vec::new(), Vec::new());
    for question in asked {
        if question.is_answerable() {
            answerable.push(scales.weigh(question)?);
        } else if category(question.category).is_none() {
            adversarial.push(scales.weigh(question)?);
        }
    }
    for text in untouched::questions(dialogues) {
        let vector = embedder.embed(&[&text])?.pop();
        untouched.push(scales.weigh(&Asked { dialogue: 0, text, category: 0, evidence: Vec::new(), vector })?);
    }
    let strengths = |all: &[(f32, bool)]| -> Vec<f32> { all.iter().map(|(strength, _)| *strength).collect() };
    let share = |all: &[(f32, bool)]| all.iter().filter(|(_, enough)| !enough).count() as f64 / all.len().max(1) as f64;
    let known = strengths(&answerable);
    let of = |name, all: &[(f32, bool)]| {
        let scores = strengths(all);
        Refusal {
            name,
            questions: all.len(),
            auroc: score::auroc(&known, &scores),
            refused_at_tenth: score::refused_at(&known, &scores, FALSE_REFUSALS),
            refused: share(all),
        }
    };
    let refusals = vec![of("not in the dialogue (category 5)", &adversarial), of("never touched", &untouched)];
    Ok((share(&answerable), refusals))
}
