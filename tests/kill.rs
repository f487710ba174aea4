//! `kill -9` at random points of init, ingest, chat, forget and unlock: the next start loses nothing that was
//! acknowledged, and the ledger verifies.
//!
//! `ICORE_KILL_POINTS=200 cargo test --release --test kill -- --nocapture` is the long trial; the default is a small one.

mod support;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Person, text};

/// A seeded xorshift, so that a failing run can be repeated with `ICORE_KILL_SEED`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Runs a command and kills it after `after`; true where it had finished well before.
fn run_and_kill(mut command: Command, after: Duration) -> (bool, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while began.elapsed() < after {
        if let Some(status) = child.try_wait().unwrap() {
            let output = child.wait_with_output().unwrap();
            return (status.success(), text(&output.stdout));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), text(&output.stdout))
}

/// How long the command takes when nothing kills it, so that the kills fall inside it.
fn span_of(command: Command) -> Duration {
    let began = Instant::now();
    let (done, _) = run_and_kill(command, Duration::from_secs(120));
    assert!(done, "the command works when it is left alone");
    began.elapsed()
}

fn assert_sound(person: &Person, point: &str) {
    let report = person.json(["audit", "verify"]);
    assert_eq!(report["ok"], true, "{point}: {report}");
}

fn items(person: &Person) -> u64 {
    person.json(["memory", "stats"])["items"].as_u64().unwrap()
}

#[test]
fn nothing_acknowledged_is_lost() {
    let points = setting("ICORE_KILL_POINTS", 10);
    let mut dice = Dice(setting("ICORE_KILL_SEED", 20261122) | 1);

    // Init: whole or not at all.
    let init = |person: &Person| {
        let mut command = person.command();
        command
            .args(["init", "--name", "Maya", "--root", "general", "--passphrase-file"])
            .arg(person.path("passphrase"));
        command.arg("--recovery-out").arg(person.path("words"));
        command
    };
    let whole = span_of(init(&Person::new()));
    for n in 0..points.div_ceil(5) {
        let person = Person::new();
        let after = whole.mul_f64(dice.roll(1000) as f64 / 1000.0);
        let (done, _) = run_and_kill(init(&person), after);
        if !person.home().join("keyslots.json").exists() {
            assert!(!done, "init {n}: it said it was done, and there is no home");
            let _ = std::fs::remove_file(person.path("words"));
            assert!(init(&person).output().unwrap().status.success(), "init {n} starts again cleanly");
        }
        assert_sound(&person, &format!("init {n} killed after {after:?}"));
    }

    let person = Person::settled();
    for n in 0..12 {
        person
            .file(&format!("start-{n}.md"), format!("# Note {n}\n\nThe lighthouse keeper number {n} counts gulls.\n"));
    }
    person.json(["ingest", person.files().to_str().unwrap()]);
    let mut acknowledged: BTreeSet<u64> = BTreeSet::new();
    let command = |arguments: &[&str]| {
        let mut command = person.command();
        command.args(arguments);
        command
    };
    let spans = [
        span_of(command(&["memory", "stats"])),
        span_of(command(&["ask", "How many gulls does the keeper count?", "--json"])),
    ];
    for n in 0..points {
        match n % 4 {
            // Ingest: what it said it took in is there.
            0 => {
                let path =
                    person.file(&format!("new-{n}.md"), format!("# New {n}\n\nA new note about anchor chain {n}.\n"));
                let (done, _) = run_and_kill(
                    command(&["ingest", path.to_str().unwrap(), "--json"]),
                    spans[1].mul_f64(dice.roll(1500) as f64 / 1000.0),
                );
                if done {
                    acknowledged.insert(n);
                }
            }
            // Chat.
            1 => {
                run_and_kill(
                    command(&["ask", "How many gulls does the keeper count?", "--json"]),
                    spans[1].mul_f64(dice.roll(1000) as f64 / 1000.0),
                );
            }
            // Forget: what it said is gone stays gone.
            2 => {
                let hits = person.json(["memory", "search", "lighthouse keeper gulls", "-k", "1"]);
                let Some(item) = hits["hits"][0]["item"].as_str().map(str::to_owned) else { continue };
                let (done, _) = run_and_kill(
                    command(&["memory", "forget", "--item", &item, "--yes"]),
                    spans[1].mul_f64(dice.roll(1000) as f64 / 1000.0),
                );
                let shown = person.command().args(["memory", "show", &item]).output().unwrap();
                assert!(!done || !shown.status.success(), "forget {n}: it said it was done, and the item is there");
            }
            // Unlock.
            _ => {
                run_and_kill(command(&["memory", "stats"]), spans[0].mul_f64(dice.roll(1000) as f64 / 1000.0));
            }
        }
        assert_sound(&person, &format!("point {n}"));
        for n in &acknowledged {
            let hits = person.json(["memory", "search", &format!("anchor chain {n}"), "-k", "5"]);
            let found = hits["hits"]
                .as_array()
                .unwrap()
                .iter()
                .any(|hit| hit["text"].as_str().unwrap().contains(&format!("anchor chain {n}")));
            assert!(found, "note {n} was acknowledged and is lost: {hits}");
        }
    }
    let doctor = person.command().args(["doctor", "--json"]).output().unwrap();
    assert!(doctor.status.success(), "{}", text(&doctor.stdout));
    println!("{points} points: {} items, {} imports acknowledged, none lost", items(&person), acknowledged.len());
}
