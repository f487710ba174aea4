//! The first databases of a process, opened by many threads at the same moment.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_types, reason = "the test starts itself, many times")]

use hinet_vault::{Home, Vault, Words};
use std::process::Command;
use std::sync::Barrier;

/// Set for the processes that this test starts, each of which runs it once more.
const CHILD: &str = "HINET_FIRST_OPENING";
const PROCESSES: usize = 40;
const THREADS: usize = 8;

fn create_together() {
    let together = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let dir = tempfile::tempdir().unwrap();
                let words = Words::generate();
                together.wait();
                Vault::create(&Home::at(dir.path().join("home")), "Maya", &words, &[], 1).unwrap();
            });
        }
    });
}

/// A race of set-ups can be lost only once in a process, so there are many.
#[test]
fn threads_that_open_the_first_databases_of_a_process_together_all_do() {
    if std::env::var_os(CHILD).is_some() {
        return create_together();
    }
    for _ in 0..PROCESSES {
        let out = Command::new(std::env::current_exe().unwrap()).env(CHILD, "1").output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
}
