//! Two clients of one home: the second attaches to the first one's node, and neither is left hanging.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

use std::path::Path;

use hinet_node::protocol::{ErrorKind, Event, ForgetTarget, Op};
use hinet_node::setup::{InitOptions, init, new_words};
use hinet_node::{Client, Extractor, Presence, Settings, Unlock, connect};
use zeroize::Zeroizing;

fn unlock(passphrase: &str) -> Unlock {
    Unlock::Passphrase(Zeroizing::new(passphrase.to_owned()))
}

const PASSPHRASE: &str = "a lantern over the estuary";

fn settings(dir: &Path, presence: Presence) -> Settings {
    let extractor = Extractor { program: "/nowhere".into(), args: Vec::new() };
    Settings { home: dir.join("home"), models: dir.join("models"), extractor, presence }
}

fn make(settings: &Settings) {
    let options = InitOptions {
        name: "Maya".into(),
        root: "general".into(),
        words: new_words(),
        passphrase: Some(Zeroizing::new(PASSPHRASE.to_owned())),
        keychain: false,
        folders: Vec::new(),
        restored: false,
    };
    init(settings, options).unwrap();
}

async fn entries(client: &Client) -> Vec<String> {
    match client.one(Op::Ledger { limit: 100 }).await.unwrap() {
        Event::Ledger { lines } => lines.into_iter().rev().map(|line| line.text).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_client_attaches_and_hears_when_the_node_goes() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), Presence::Lasting);
    make(&settings);
    let host = connect(&settings, &unlock(PASSPHRASE)).await.unwrap();
    let guest = connect(&settings, &unlock(PASSPHRASE)).await.unwrap();
    assert!(!host.is_attached() && guest.is_attached());
    guest.one(Op::Stats).await.unwrap();
    // Opening the home is an entry; attaching to it once it is open is none.
    let unlocks = entries(&guest).await.iter().filter(|line| line.contains("unlocked")).count();
    assert_eq!(unlocks, 1);

    // The terminal's node ends with its terminal and not at a guest's word.
    let refused = guest.one(Op::Shutdown).await.unwrap_err();
    assert!(refused.message.contains("part of another icore"), "{refused:?}");

    let mut news = guest.news();
    host.close().await;
    // Closed, and not silent for ever.
    while news.recv().await.is_ok() {}
    let failure = guest.one(Op::Stats).await.unwrap_err();
    assert_eq!(failure.message, "The node went away.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_others_attached_to_answers_them_before_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), Presence::Brief);
    make(&settings);
    let host = connect(&settings, &unlock(PASSPHRASE)).await.unwrap();
    let guest = connect(&settings, &unlock(PASSPHRASE)).await.unwrap();
    let files = dir.path().join("files");
    std::fs::create_dir(&files).unwrap();
    for n in 0..300 {
        std::fs::write(files.join(format!("{n}.md")), format!("note {n}")).unwrap();
    }
    let import = guest.call(Op::Ingest { paths: vec![files.to_string_lossy().into_owned()] }).await.unwrap();
    let (said, ()) = tokio::join!(import.last(), host.close());
    // Without the embedder on this machine the import says so after everything is stored; it was not cut off.
    let failure = said.unwrap_err();
    assert!(failure.message.contains("is not on this machine"), "{failure:?}");
    let later = connect(&settings, &unlock(PASSPHRASE)).await.unwrap();
    let Event::Stats { stats } = later.one(Op::Stats).await.unwrap() else { panic!("counts") };
    assert_eq!(stats.items, 300);
    later.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase_is_refused_at_either_door() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), Presence::Brief);
    make(&settings);
    let alone = connect(&settings, &unlock("not it")).await.map(drop).unwrap_err();
    let host = connect(&settings, &unlock(PASSPHRASE)).await.unwrap();
    let attached = connect(&settings, &unlock("not it")).await.map(drop).unwrap_err();
    assert_eq!(alone.message, attached.message);
    // And the owner's proof is made from what is typed, not from what once opened the home.
    let proof = host.prove(Op::ExportLedger, &unlock("not it")).await.map(drop).unwrap_err();
    assert_eq!(proof.kind, ErrorKind::Failed);
    host.prove(Op::ExportLedger, &unlock(PASSPHRASE)).await.unwrap().last().await.unwrap();
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_stream_leaves_the_node_well() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path(), Presence::Brief);
    make(&settings);
    let client = connect(&settings, &unlock(PASSPHRASE)).await.unwrap();
    for _ in 0..40 {
        let forget = Op::Forget { target: ForgetTarget::Time { from: 0, to: 1 }, dry_run: true };
        drop(client.call(forget).await.unwrap());
    }
    client.one(Op::Verify).await.unwrap();
    client.close().await;
}
