//! `kill -9` at random points of init, ingest, chat, forget and unlock: the next start loses nothing that was
//! acknowledged, finishes what was begun, and the ledger verifies.
//!
//! `ICORE_KILL_POINTS=200 cargo test --release --test kill -- --nocapture` is the long trial; the default is a small
//! one. `ICORE_KILL_SEED` repeats one (as far as the machine's timing lets it).
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]
#![allow(clippy::disallowed_types, reason = "the test starts programs as a person would")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hinet_vault::{Home, VaultError};
use support::opened::{holds, index_files, index_terms, open, pages};
use support::{Dice, Person, setting, text};

const QUESTION: &str = "How many gulls does the lighthouse keeper count?";
/// Notes written for one ingest.
const BATCH: usize = 12;

/// What came of a command that was to be killed.
struct Struck {
    /// Whether it said that it was done.
    done: bool,
    /// What it printed.
    said: String,
    /// How long it took, where it ended before it was killed.
    took: Option<Duration>,
}

/// Starts a command and kills `victim` (or, where there is none, the command) after `after`.
fn run_and_kill(mut command: Command, victim: Option<&mut Child>, after: Duration) -> Struck {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let mut took = None;
    while began.elapsed() < after && took.is_none() {
        std::thread::sleep(Duration::from_millis(1));
        took = child.try_wait().unwrap().map(|_| began.elapsed());
    }
    match victim {
        Some(victim) => victim.kill().unwrap(),
        // It may have ended just now.
        None => drop(child.kill()),
    }
    let output = child.wait_with_output().unwrap();
    Struck { done: output.status.success(), said: text(&output.stdout), took }
}

/// What is believed of how long a command takes, after one more: as long as it took, or longer where it was cut short
/// near the end. So the kills reach the end of it, too.
fn learnt(span: Duration, after: Duration, struck: &Struck) -> Duration {
    struck.took.unwrap_or(if after > span.mul_f64(0.9) { span.mul_f64(1.15) } else { span })
}

/// How long a command takes when nothing kills it, so that the kills fall inside it.
fn span_of(mut command: Command) -> Duration {
    let began = Instant::now();
    let output = command.output().unwrap();
    assert!(output.status.success(), "the command works when it is left alone: {}", text(&output.stderr));
    began.elapsed()
}

/// What the owner was told is done, and so must be there (or gone) at every later start.
#[derive(Default)]
struct Acknowledged {
    /// Texts by path.
    notes: BTreeMap<PathBuf, String>,
    answers: Vec<String>,
    /// What was said in files that are forgotten.
    forgotten: BTreeSet<String>,
    ledger: u64,
}

struct Trial {
    person: Person,
    dice: Dice,
    told: Acknowledged,
    /// Kills, and those that fell before the command was done.
    cut: BTreeMap<&'static str, (u64, u64)>,
    /// How long a command takes, alone and through a node, as it was seen last.
    spans: BTreeMap<(&'static str, bool), Duration>,
    next: u64,
}

impl Trial {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.person.command();
        command.args(arguments);
        command
    }

    /// Runs a command to be killed; every third time a node does the work, and it is the node that is killed.
    fn strike(&mut self, what: &'static str, arguments: &[&str]) -> Struck {
        let through_node = what != "unlock" && self.dice.roll(3) == 0;
        let mut node = through_node.then(|| self.person.node());
        let span = self.spans[&(what, through_node)];
        let after = span.mul_f64(self.dice.roll(1100) as f64 / 1000.0);
        let struck = run_and_kill(self.command(arguments), node.as_mut().map(|node| &mut node.child), after);
        self.spans.insert((what, through_node), learnt(span, after, &struck));
        let count = self.cut.entry(what).or_default();
        count.0 += 1;
        count.1 += u64::from(!struck.done);
        struck
    }

    fn ingest(&mut self) {
        let folder = self.person.files().join(format!("batch-{}", self.next));
        let mut notes = BTreeMap::new();
        for n in 0..BATCH {
            self.next += 1;
            let body = format!("# Note {0}\n\nThe harbour log of day {0} names barge {n} and its cargo.\n", self.next);
            let path = self.person.file(&format!("{}/note-{n}.md", folder.file_name().unwrap().display()), &body);
            notes.insert(std::fs::canonicalize(path).unwrap(), body);
        }
        let Struck { done, said, .. } = self.strike("ingest", &["ingest", folder.to_str().unwrap(), "--json"]);
        if done {
            let report: serde_json::Value = serde_json::from_str(&said).unwrap();
            assert_eq!(report["new"], BATCH, "{said}");
            self.told.notes.extend(notes);
        }
    }

    fn chat(&mut self) {
        let Struck { done, said, .. } = self.strike("chat", &["ask", QUESTION, "--json"]);
        if done {
            let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
            self.told.answers.push(answer["answer"].as_str().unwrap().to_owned());
        }
    }

    /// Takes in a secret; gives it and its item.
    fn secret(&mut self) -> (String, String) {
        self.next += 1;
        let secret = format!("quagga{}", self.next);
        let path =
            self.person.file(&format!("{secret}.md"), format!("# Secret\n\nThe {secret} sleeps in the attic.\n"));
        self.person.json(["ingest", path.to_str().unwrap()]);
        let hits = self.person.json(["memory", "search", &secret, "-k", "1"]);
        assert!(hits["hits"][0]["text"].as_str().unwrap().contains(&secret), "{hits}");
        (secret, hits["hits"][0]["item"].as_str().unwrap().to_owned())
    }

    /// Killed while forgetting a secret.
    fn forget(&mut self) {
        let (secret, item) = self.secret();
        let Struck { done, .. } = self.strike("forget", &["memory", "forget", "--item", &item, "--yes"]);
        // A start, whatever it starts for, finishes what was begun. Then it is there whole, or gone for good.
        self.person.json(["memory", "stats"]);
        let vault = open(&self.person);
        let there = holds(&pages(&vault), secret.as_bytes());
        let (words, _, deleted) = index_terms(&index_files(&vault, &Home::at(self.person.home()).index_dir()));
        assert_eq!(words.contains(&secret), there, "{secret}: the index and the vault disagree");
        assert!(there || deleted == 0, "{secret}: {deleted} deleted passages are still in the index");
        drop(vault);
        let shown = self.command(&["memory", "show", &item]).output().unwrap();
        assert_eq!(shown.status.success(), there, "{secret}: forgotten by half: {}", text(&shown.stderr));
        assert!(!(done && there), "{secret}: it was said to be forgotten, and it is there");
        if there {
            self.person.json(["memory", "forget", "--item", &item, "--yes"]);
        }
        self.told.forgotten.insert(secret);
    }

    fn unlock(&mut self) {
        self.strike("unlock", &["memory", "stats"]);
    }

    /// The next start, and then what is really in the vault.
    fn check(&mut self, point: &str) {
        let report = self.person.json(["audit", "verify"]);
        assert_eq!(report["ok"], true, "{point}: {report}");
        let entries = report["entries"].as_u64().unwrap();
        assert!(entries >= self.told.ledger, "{point}: the ledger had {} entries: {report}", self.told.ledger);
        self.told.ledger = entries;
        let vault = open(&self.person);
        let (items, said) = vault
            .read(|r| {
                let mut items = BTreeMap::new();
                for source in r.sources()? {
                    for head in r.items_of(source.id)? {
                        items.insert(PathBuf::from(&head.key), r.item(head.id)?.unwrap().text);
                    }
                }
                let mut said = Vec::new();
                for session in r.sessions()? {
                    said.extend(r.messages(session.id)?.into_iter().map(|message| message.text));
                }
                Ok::<_, VaultError>((items, said))
            })
            .unwrap();
        for (path, body) in &self.told.notes {
            let text = items.get(path);
            let whole = text.is_some_and(|text| text.contains(body.lines().last().unwrap()));
            assert!(whole, "{point}: {} was acknowledged, and is {text:?}", path.display());
        }
        for answer in &self.told.answers {
            let stored = said.iter().filter(|said| *said == answer).count();
            let told = self.told.answers.iter().filter(|told| *told == answer).count();
            assert!(stored >= told, "{point}: {told} times answered and {stored} times stored: {answer}");
        }
        for secret in &self.told.forgotten {
            assert!(!items.values().any(|text| text.contains(secret)), "{point}: {secret} came back");
        }
    }
}

fn init(person: &Person) -> Command {
    let mut command = person.command();
    command.args(["init", "--name", "Maya", "--root", "general", "--passphrase-file"]).arg(person.path("passphrase"));
    command.arg("--recovery-out").arg(person.path("words"));
    command
}

/// Whole or not at all: either there is no home and init starts again, or there is one and its words are kept.
fn kill_init(points: u64, dice: &mut Dice) -> u64 {
    let mut whole = span_of(init(&Person::new()));
    let mut cut = 0;
    for n in 0..points {
        let person = Person::new();
        let after = whole.mul_f64(dice.roll(1100) as f64 / 1000.0);
        let struck = run_and_kill(init(&person), None, after);
        whole = learnt(whole, after, &struck);
        let done = struck.done;
        cut += u64::from(!done);
        let point = format!("init {n}, killed after {after:?}");
        if !done {
            // The same command again: it makes the home, or says that it is there and brings its words.
            let again = init(&person).output().unwrap();
            let said = text(&again.stderr);
            assert!(again.status.success() || said.contains("already"), "{point}: {said}");
        }
        let words = person.run(
            ["keys", "passphrase", "--words-file"],
            [person.path("words").as_os_str(), "--new-passphrase-file".as_ref(), person.path("passphrase").as_os_str()],
        );
        assert!(words.status.success(), "{point}: the words open it: {}", text(&words.stderr));
        let report = person.json(["audit", "verify"]);
        assert_eq!(report["ok"], true, "{point}: {report}");
        let mut left: Vec<_> =
            std::fs::read_dir(person.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["files", "home", "passphrase", "words"], "{point}: nothing else is left behind");
    }
    cut
}

#[test]
fn nothing_acknowledged_is_lost() {
    let points = setting("ICORE_KILL_POINTS", 15);
    let seed = setting("ICORE_KILL_SEED", 20_261_122);
    println!("{points} points, seed {seed}");
    let mut dice = Dice::new(seed);
    let inits = points.div_ceil(5);
    let cut = kill_init(inits, &mut dice);
    let mut trial = Trial {
        person: Person::settled(),
        dice,
        told: Acknowledged::default(),
        cut: BTreeMap::from([("init", (inits, cut))]),
        spans: BTreeMap::new(),
        next: 0,
    };
    for n in 0..8 {
        let body = format!("# Keeper {n}\n\nThe lighthouse keeper number {n} counts {} gulls.\n", 11 + n);
        trial.person.file(&format!("keepers/keeper-{n}.md"), body);
    }
    let keepers = trial.person.files().join("keepers");
    let (_, item) = trial.secret();
    let undisturbed: [(&'static str, &[&str]); 4] = [
        ("unlock", &["memory", "stats"]),
        ("ingest", &["ingest", keepers.to_str().unwrap()]),
        ("chat", &["ask", QUESTION]),
        ("forget", &["memory", "forget", "--item", &item, "--yes"]),
    ];
    for (what, arguments) in undisturbed {
        let span = span_of(trial.command(arguments));
        trial.spans.extend([((what, false), span), ((what, true), span)]);
    }
    println!("undisturbed: {:?}", trial.spans);
    for n in 0..points - inits {
        match n % 4 {
            0 => trial.ingest(),
            1 => trial.chat(),
            2 => trial.forget(),
            _ => trial.unlock(),
        }
        trial.check(&format!("point {n} of seed {seed}"));
    }
    let found = trial.person.json(["memory", "search", "harbour log barge cargo", "-k", "5"]);
    assert!(trial.told.notes.is_empty() || !found["hits"].as_array().unwrap().is_empty(), "{found}");
    let doctor = trial.person.command().args(["doctor", "--json"]).output().unwrap();
    assert!(doctor.status.success(), "{}", text(&doctor.stdout));
    let cut: Vec<String> =
        trial.cut.iter().map(|(what, (all, cut))| format!("{what} {all} (cut short {cut})")).collect();
    println!(
        "{points} kills, seed {seed}: {}; {} notes and {} answers acknowledged, none lost; {} forgotten, none back; \
         {} ledger entries verify",
        cut.join(", "),
        trial.told.notes.len(),
        trial.told.answers.len(),
        trial.told.forgotten.len(),
        trial.told.ledger,
    );
}
