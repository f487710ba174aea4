//! Two clients of one home: the second attaches to the first one's node, and neither is left hanging.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

use std::path::Path;

use hinet_node::protocol::{ErrorKind, Event, ForgetTarget, Op};
use hinet_node::setup::{InitOptions, init};
use hinet_node::{Client, Extractor, Presence, Settings, Unlock, connect};
use zeroize::Zeroizing;

fn unlock(passphrase: &str) -> Unlock {
    Unlock::Passphrase(Zeroizing::new(passphrase.to_owned()))
}

const PASSPHRASE: &str = "a lantern over the estuary";

fn settings(dir: &Path, presence: Presence) -> Settings {
    let extractor = Extractor { program: "/nowhere".into(), args: Vec::new() };
    let (home, models) = (dir.join("home"), dir.join("models"));
    Settings { home, models, hubs: vec![], anchor: None, device: None, extractor, presence }
}

fn make(settings: &Settings) {
    init(settings, InitOptions::made_up("Maya", "general", PASSPHRASE)).unwrap();
}

async fn entries(client: &Client) -> Vec<String> {
    match client.one(Op::Ledger { limit: 100, kinds: vec![], matching: String::new(), before: None }).await.unwrap() {
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

/// Where `icore` keeps models, if they are there.
fn models() -> Option<std::path::PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(std::path::PathBuf::from);
    let cache = cache.or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let folder = std::env::var_os("ICORE_MODELS").map_or(cache.join("hinet").join("models"), Into::into);
    let here = Settings { models: folder.clone(), ..settings(&folder, Presence::Brief) };
    hinet_node::models::missing(&here).is_empty().then_some(folder)
}

/// The first item that a search finds.
async fn first(client: &Client, query: &str) -> Option<hinet_node::protocol::ItemId> {
    let Event::Hits { hits } = client.one(Op::Search { query: query.into(), k: 3 }).await.unwrap() else {
        panic!("hits")
    };
    hits.into_iter().find(|hit| hit.text.contains("Cais do Sodre")).map(|hit| hit.item)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_while_it_is_being_said_does_not_come_back() {
    let Some(models) = models() else {
        eprintln!("skipped: the models are not on this machine");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { models, ..settings(dir.path(), Presence::Brief) };
    make(&settings);
    let files = dir.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let client = connect(&settings, &unlock(PASSPHRASE)).await.unwrap();
    // The forget comes ever later in the making of the answer: before the search, in the reading, between the words.
    for round in 0..6u64 {
        let note = format!("# Ferry {round}\n\nThe ferry to Almada leaves from Cais do Sodre every twenty minutes.\n");
        let file = files.join(format!("ferry-{round}.md"));
        std::fs::write(&file, note).unwrap();
        client.one(Op::Ingest { paths: vec![file.to_string_lossy().into_owned()] }).await.unwrap();
        let item = first(&client, "ferry to Almada").await.expect("it was just read");
        let text = "How often does the ferry to Almada leave?".to_owned();
        let chat = client
            .call(Op::Chat { session: None, text, turn: Default::default(), params: Default::default() })
            .await
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(round * 60)).await;
        let forget = Op::Forget { target: ForgetTarget::Item { item }, dry_run: false };
        let (answered, forgotten) = tokio::join!(chat.last(), client.one(forget));
        assert!(matches!(forgotten.unwrap(), Event::Forgotten { .. }));
        drop(answered);
        assert_eq!(first(&client, "ferry to Almada").await, None);
        let Event::Sessions { sessions } = client.one(Op::Sessions).await.unwrap() else { panic!("sessions") };
        for session in sessions {
            let Event::Messages { messages } = client.one(Op::Messages { session: session.id }).await.unwrap() else {
                panic!("messages")
            };
            for message in messages {
                assert!(message.citations.is_empty(), "round {round}: {message:?}");
                assert!(!message.text.contains("twenty minutes"), "round {round}: {message:?}");
            }
        }
    }
    client.close().await;
}
