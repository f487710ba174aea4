//! SIGKILL at random moments of creating, writing, scrubbing and rotating: the next opening has everything that was
//! acknowledged, and nothing half-written. The victim is this test binary, started again.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]
#![allow(clippy::disallowed_types, reason = "a process must be killed, and only a process can be")]

mod testkit;

use hinet_vault::{Home, HomeLock, Secret, Vault};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::{Outcome, PASSPHRASE, item, options, passphrase, source, whole, words};

const VICTIM: &str = "HINET_VAULT_KILL_TEST_HOME";
/// A longer storm: set this to the number of kills.
const LONGER: &str = "HINET_VAULT_KILLS";
const ROUNDS: u64 = 36;

fn acknowledge(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {line}").unwrap();
    out.flush().unwrap();
}

fn enter(home: &Home) -> Vault {
    if home.exists() {
        Vault::open_with(home, &Secret::Words(words()), options()).unwrap()
    } else {
        let vault = Vault::create_with(home, "Ada", &words(), &[passphrase(PASSPHRASE)], 1, options()).unwrap();
        acknowledge("created 0");
        vault
    }
}

fn counter(vault: &Vault) -> u64 {
    let stored = vault.read(|r| -> Outcome<_> { r.meta("n") }).unwrap();
    stored.map_or(0, |n| n.parse().unwrap())
}

/// What the victim does until it is killed.
#[test]
fn victim() {
    let Ok(dir) = std::env::var(VICTIM) else { return };
    let home = Home::at(dir);
    let _lock = HomeLock::take(&home).unwrap();
    acknowledge("started 0");
    let vault = enter(&home);
    acknowledge(&format!("entered {}", counter(&vault)));
    let source = source();
    vault.write(|tx| -> Outcome { tx.put_source(&source) }).unwrap();
    for n in counter(&vault) + 1.. {
        let text = format!("note {n} ").repeat(300);
        vault
            .write(|tx| -> Outcome {
                tx.put_item(&item(source.id, &format!("/{n}"), &text), &whole(&text))?;
                tx.set_meta("n", &n.to_string())
            })
            .unwrap();
        acknowledge(&format!("wrote {n}"));
        match n % 5 {
            1 => vault.scrub().unwrap(),
            2 => vault.rotate_keys().unwrap(),
            3 => vault.change_passphrase(PASSPHRASE).unwrap(),
            _ => {}
        }
    }
}

/// Starts the victim and kills it some time after it began or, with `entered`, after it had its home open. Gives
/// whether it said that it had a home, and the last number it acknowledged.
fn run_and_kill(dir: &Path, entered: bool, after: Duration) -> (bool, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact", "--nocapture", "--test-threads=1"])
        .env(VICTIM, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    // The harness may have begun a line of its own; an acknowledgement is found wherever it stands.
    let ack = |line: &str| line.split_once("ack ").map(|(_, ack)| ack.trim_end().to_owned());
    let mut acks = Vec::new();
    let mut line = String::new();
    while acks.len() < 1 + usize::from(entered) && out.read_line(&mut line).unwrap() > 0 {
        acks.extend(ack(&line));
        line.clear();
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    acks.extend(out.lines().map_while(Result::ok).filter_map(|line| ack(&line)));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    assert!(!said.contains("panicked"), "the victim failed by itself: {said}");
    let last = acks.last().and_then(|ack| ack.split_once(' ')).map_or(0, |(_, n)| n.parse().unwrap());
    (acks.len() > 1, last)
}

#[test]
fn nothing_acknowledged_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let (mut most, mut unmade) = (0, 0);
    let rounds = std::env::var(LONGER).map_or(ROUNDS, |n| n.parse().unwrap());
    for round in 0..rounds {
        // Every sixth round begins a new home; moments spread over its making and the writing.
        let dir = root.path().join((round / 6).to_string());
        let chance = round * 7919 + u64::from(std::process::id()) * 31;
        let after = Duration::from_micros(chance % 120_000);
        let (any, last) = run_and_kill(&dir, round % 6 != 0, after);
        let home = Home::at(&dir);
        if !home.exists() {
            assert!(!any, "round {round}: an acknowledged home is gone");
            unmade += 1;
            continue;
        }
        let vault = Vault::open_with(&home, &Secret::Words(words()), options())
            .unwrap_or_else(|error| panic!("round {round}, after {after:?}: {error}"));
        let stored = counter(&vault);
        assert!(stored >= last, "round {round}: {last} was acknowledged, {stored} is there");
        let bad: Vec<_> = vault.check().into_iter().filter(|f| !f.ok).collect();
        assert!(bad.is_empty(), "round {round}: {bad:?}");
        drop(vault);
        // The passphrase slot survived whatever was going on with it.
        drop(testkit::open(&dir).unwrap());
        most = most.max(stored);
    }
    eprintln!("{rounds} kills, {unmade} before a home was made, up to {most} writes in a home");
}
