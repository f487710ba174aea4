//! What a client may ask, and what happens to work that runs beside it. No model is needed.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::*;
use crate::protocol::{ForgetTarget, Hash, OwnerProof};
use crate::settings::{Presence, Settings, Unlock};
use crate::setup::{InitOptions, init};

mod assemblies;
mod conversations;
mod disclosure;
mod exports;
mod homes;
mod memory;
mod nights;
mod people;
mod threads;

const PASSPHRASE: &str = "a lantern over the estuary";

/// A new home, opened, and a client at its node.
struct Desk {
    node: Node,
    requests: mpsc::Sender<Request>,
    replies: mpsc::Receiver<Reply>,
    next: u64,
    /// Final events that nobody has asked for yet.
    answers: HashMap<u64, Event>,
    dir: tempfile::TempDir,
}

impl Desk {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let extractor = crate::Extractor { program: PathBuf::from("/nowhere"), args: Vec::new() };
        let (home, models) = (dir.path().join("home"), dir.path().join("models"));
        let (anchor, device, presence) = (None, None, Presence::Brief);
        let settings = Settings { home, models, hubs: vec![], anchor, device, extractor, presence };
        init(&settings, InitOptions::made_up("Maya", "general", PASSPHRASE)).unwrap();
        let secret = Unlock::Passphrase(Zeroizing::new(PASSPHRASE.to_owned())).secret().unwrap();
        let node = Node::open(&settings, &secret, true).unwrap();
        let (requests, inbox) = mpsc::channel(128);
        let (outbox, replies) = mpsc::channel(1024);
        serve(node.clone(), Seat::Inside, inbox, outbox);
        Self { node, requests, replies, next: 1, answers: HashMap::new(), dir }
    }

    async fn ask(&mut self, op: Op, proof: Option<OwnerProof>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.requests.send(Request { id, op, proof }).await.unwrap();
        id
    }

    async fn answer(&mut self, id: u64) -> Event {
        loop {
            if let Some(event) = self.answers.remove(&id) {
                return event;
            }
            let reply = self.replies.recv().await.unwrap();
            if reply.event.is_final() {
                self.answers.insert(reply.id, reply.event);
            }
        }
    }

    async fn one(&mut self, op: Op) -> Event {
        let id = self.ask(op, None).await;
        self.answer(id).await
    }

    async fn prove(&mut self, op: Op, proof: OwnerProof) -> Event {
        let id = self.ask(op, Some(proof)).await;
        self.answer(id).await
    }

    async fn nonce(&mut self, op: Op) -> Hash {
        let Event::Challenge { nonce } = self.one(op).await else { panic!("the owner's proof is asked for") };
        nonce
    }

    /// Asks with the owner's proof.
    async fn owner(&mut self, op: Op) -> Event {
        let nonce = self.nonce(op.clone()).await;
        let proof = handshake::prove(&self.node.vault.attach_key(), nonce, &op);
        self.prove(op, proof).await
    }

    /// Writes a document of the owner's.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().canonicalize().unwrap().join("files").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Reads a path into the memory.
    async fn ingest(&mut self, path: &std::path::Path) {
        let said = self.one(Op::Ingest { paths: vec![path.to_string_lossy().into_owned()] }).await;
        assert!(matches!(said, Event::Indexed { .. }) || said_models(&said), "{said:?}");
    }

    async fn ledger(&mut self) -> Vec<String> {
        let Event::Ledger { lines } =
            self.one(Op::Ledger { limit: 1000, kinds: vec![], matching: String::new(), before: None }).await
        else {
            panic!("the ledger")
        };
        lines.into_iter().rev().map(|line| line.text).collect()
    }
}

/// Whether an import ended with the one thing that these tests lack: the embedder.
fn said_models(event: &Event) -> bool {
    matches!(event, Event::Failed { failure } if failure.hint.contains("models"))
}

fn refusal(event: &Event) -> &str {
    match event {
        Event::Failed { failure } if failure.kind == ErrorKind::Refused => &failure.message,
        other => panic!("a refusal was expected, not {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_proof_is_good_once_for_one_request() {
    let mut desk = Desk::open().await;
    let key = desk.node.vault.attach_key();
    let wrong_key = Zeroizing::new([9; 32]);

    let nonce = desk.nonce(Op::ExportLedger).await;
    let said = desk.prove(Op::ExportLedger, handshake::prove(&wrong_key, nonce, &Op::ExportLedger)).await;
    assert!(refusal(&said).contains("proof"), "another key: {said:?}");
    let said = desk.prove(Op::ExportLedger, handshake::prove(&key, nonce, &Op::ExportLedger)).await;
    refusal(&said); // A wrong proof has used its nonce up.

    let made_up = handshake::fresh_nonce();
    let said = desk.prove(Op::ExportLedger, handshake::prove(&key, made_up, &Op::ExportLedger)).await;
    refusal(&said);

    let nonce = desk.nonce(Op::ExportLedger).await;
    let said = desk.prove(Op::Lift, handshake::prove(&key, nonce, &Op::ExportLedger)).await;
    refusal(&said); // For another request.

    let nonce = desk.nonce(Op::ExportLedger).await;
    let proof = handshake::prove(&key, nonce, &Op::ExportLedger);
    let said = desk.prove(Op::ExportLedger, proof.clone()).await;
    assert!(matches!(said, Event::Exported { .. }), "{said:?}");
    let said = desk.prove(Op::ExportLedger, proof).await;
    refusal(&said); // Once.

    let refused = desk.ledger().await.iter().filter(|line| line.contains("approval was refused")).count();
    assert_eq!(refused, 5, "each is in the ledger");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonces_that_nobody_uses_do_not_pile_up() {
    let mut desk = Desk::open().await;
    let first = desk.nonce(Op::Lift).await;
    for _ in 0..NONCES_MAX {
        desk.nonce(Op::Lift).await;
    }
    assert_eq!(desk.node.nonces.lock().unwrap().len(), NONCES_MAX);
    assert!(!desk.node.nonces.lock().unwrap().contains_key(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_kill_switch_one_may_look_and_forget_and_nothing_else() {
    let mut desk = Desk::open().await;
    assert!(matches!(desk.one(Op::Kill).await, Event::Done));
    let path = desk.dir.path().to_string_lossy().into_owned();
    let chat = Op::Chat { session: None, text: "hello".into(), turn: Default::default(), params: Default::default() };
    let ingest = Op::Ingest { paths: vec![path.clone()] };
    for op in [chat, ingest, Op::SourceAdd { path }, Op::SourceSync { source: None }] {
        let said = desk.one(op).await;
        assert!(refusal(&said).contains("kill switch"), "{said:?}");
    }
    for op in [Op::Status, Op::Stats, Op::Grants, Op::Verify, Op::Sessions] {
        let said = desk.one(op).await;
        assert!(!matches!(said, Event::Failed { .. }), "{said:?}");
    }
    // Lifting needs the owner.
    let nonce = desk.nonce(Op::Lift).await;
    let proof = handshake::prove(&desk.node.vault.attach_key(), nonce, &Op::Lift);
    assert!(matches!(desk.prove(Op::Lift, proof).await, Event::Done));
    assert!(!desk.node.consent.is_killed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_ends_an_import_and_nothing_of_it_is_stored_afterwards() {
    let mut desk = Desk::open().await;
    let files = desk.dir.path().join("files");
    std::fs::create_dir(&files).unwrap();
    for n in 0..2000 {
        std::fs::write(files.join(format!("{n}.md")), format!("note {n} about the estuary")).unwrap();
    }
    let import = desk.ask(Op::Ingest { paths: vec![files.to_string_lossy().into_owned()] }, None).await;
    // It is under way once the first file was looked at.
    while !matches!(desk.replies.recv().await.unwrap().event, Event::Progress { .. }) {}
    desk.ask(Op::Kill, None).await;
    let said = desk.answer(import).await;
    assert!(matches!(&said, Event::Failed { .. }), "{said:?}");
    let lines = desk.ledger().await;
    let killed = lines.iter().position(|line| line.contains("kill")).expect("the kill is in the ledger");
    assert_eq!(killed, lines.len() - 1, "nothing comes after it: {lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forget_stops_answers_and_waits_for_them() {
    let mut desk = Desk::open().await;
    let (answering, answer, work) = (desk.node.clone(), desk.node.live_answer(), desk.node.live());
    let guard = answering.answering.read().await;
    let forget = desk.ask(Op::Forget { target: ForgetTarget::Time { from: 0, to: 1 }, dry_run: false }, None).await;
    answer.cancelled().await;
    assert!(!work.is_cancelled(), "only answers are stopped");
    // An answer that began since then is told too, for as long as the forget waits.
    desk.node.live_answer().cancelled().await;
    drop(guard);
    let said = desk.answer(forget).await;
    assert!(matches!(said, Event::Forgotten { .. }), "{said:?}");
    assert!(!desk.node.live_answer().is_cancelled(), "new answers may begin");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_cannot_pile_up_work_without_end() {
    let mut desk = Desk::open().await;
    let node = desk.node.clone();
    let held = node.memory_work.lock().await;
    let preview = Op::Forget { target: ForgetTarget::Time { from: 0, to: 1 }, dry_run: true };
    let mut ids = Vec::new();
    for _ in 0..=RUNNING_MAX {
        ids.push(desk.ask(preview.clone(), None).await);
    }
    let last = ids.pop().unwrap();
    let said = desk.answer(last).await;
    assert!(matches!(&said, Event::Failed { failure } if failure.message.contains("64")), "{said:?}");
    // The kill switch is not among what waits.
    assert!(matches!(desk.one(Op::Kill).await, Event::Done));
    drop(held);
    for id in ids {
        let said = desk.answer(id).await;
        assert!(matches!(said, Event::Forgotten { .. }), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_node_stops_every_client_hears_of_it() {
    let mut desk = Desk::open().await;
    assert!(matches!(desk.one(Op::Shutdown).await, Event::Done));
    desk.node.stop().await;
    while desk.replies.recv().await.is_some() {}
    assert!(desk.requests.send(Request { id: 9, op: Op::Stats, proof: None }).await.is_err());
}
