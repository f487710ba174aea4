//! Attaching to a running node: without the challenge, with a wrong answer, with another version, as another user, by
//! replaying a recorded session, with a frame put in after a genuine handshake, with an oversized frame, and an approval
//! without the owner's proof or with a used one are each refused and written down; a flood of them does not fill the
//! ledger. The client in here speaks the wire format by itself, so that it can say what a real one never would.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]
#![allow(clippy::disallowed_types, reason = "this test is the stranger at the node's door")]

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hinet_protocol::{
    Asker, Capability, ErrorKind, Event, Filter, GrantDraft, Hash, Limits, Op, OwnerProof, PROTOCOL_VERSION, Reply,
    Request, Scope,
};
use hinet_vault::{Home, Secret};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use support::process::{self, Face};
use support::{PASSPHRASE, Person, text};
use zeroize::Zeroizing;

/// Long enough for a busy machine; reached only where the node does not do what it should.
const PATIENCE: Duration = Duration::from_secs(30);

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn send(stream: &mut UnixStream, value: &Value) {
    let body = serde_json::to_vec(value).unwrap();
    stream.write_all(&(body.len() as u32).to_le_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}

/// The next frame without a tag; `None` where the node hung up.
fn receive(stream: &mut UnixStream) -> Option<Value> {
    let mut length = [0u8; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0u8; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// Whether the other end has hung up: a read ends, and not by waiting too long.
fn is_cut(stream: &mut UnixStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn hash(byte: &str) -> String {
    byte.repeat(32)
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hash {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    Hash(mac.finalize().into_bytes().into())
}

/// One direction of an attached connection.
struct Lane {
    key: [u8; 32],
    count: u64,
}

impl Lane {
    fn tag(&mut self, body: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&self.count.to_le_bytes());
        hasher.update(body);
        self.count += 1;
        *hasher.finalize().as_bytes()
    }
}

/// A client that went through the handshake.
struct Guest {
    stream: UnixStream,
    key: Zeroizing<[u8; 32]>,
    to_node: Lane,
    to_client: Lane,
    next: u64,
}

impl Guest {
    fn attach(person: &Person, socket: &Path) -> Self {
        let secret = Secret::Passphrase(Zeroizing::new(PASSPHRASE.to_owned()));
        let key = hinet_vault::attach_key(&Home::at(person.home()), &secret).unwrap();
        let mut stream = connect(socket);
        let hello = receive(&mut stream).expect("the node says hello");
        let theirs: Hash = serde_json::from_value(hello["nonce"].clone()).unwrap();
        let (mine, version) = (Hash([7; 32]), PROTOCOL_VERSION.to_le_bytes());
        let answer = mac(key.as_slice(), &[b"client", &version, &theirs.0, &mine.0]);
        send(&mut stream, &json!({"version": PROTOCOL_VERSION, "nonce": mine, "mac": answer}));
        let verdict = receive(&mut stream).expect("the node gives its verdict");
        assert_eq!(verdict["verdict"], "welcome", "{verdict}");
        let proof = mac(key.as_slice(), &[b"node", &version, &mine.0, &theirs.0]);
        assert_eq!(verdict["mac"], json!(proof), "the node proves itself too");
        let lane = |way: &[u8]| Lane { key: mac(key.as_slice(), &[way, &theirs.0, &mine.0]).0, count: 0 };
        let (to_node, to_client) = (lane(b"lane to node"), lane(b"lane to client"));
        Self { stream, key, to_node, to_client, next: 1 }
    }

    fn frame(&mut self, request: &Request) -> Vec<u8> {
        let body = serde_json::to_vec(request).unwrap();
        let mut frame = (body.len() as u32).to_le_bytes().to_vec();
        frame.extend_from_slice(&self.to_node.tag(&body));
        frame.extend_from_slice(&body);
        frame
    }

    fn hear(&mut self) -> Option<Reply> {
        let (mut length, mut tag) = ([0u8; 4], [0u8; 32]);
        self.stream.read_exact(&mut length).ok()?;
        self.stream.read_exact(&mut tag).ok()?;
        let mut body = vec![0u8; u32::from_le_bytes(length) as usize];
        self.stream.read_exact(&mut body).ok()?;
        assert_eq!(tag, self.to_client.tag(&body), "the node's frames carry their tag");
        Some(serde_json::from_slice(&body).unwrap())
    }

    /// Sends a request and waits for its final event; `None` where the node hung up.
    fn ask(&mut self, op: &Op, proof: Option<OwnerProof>) -> Option<Event> {
        let id = self.next;
        self.next += 1;
        let frame = self.frame(&Request { id, op: op.clone(), proof });
        self.stream.write_all(&frame).ok()?;
        loop {
            let reply = self.hear()?;
            if reply.id == id && reply.event.is_final() {
                return Some(reply.event);
            }
        }
    }

    fn challenge(&mut self, op: &Op) -> Hash {
        match self.ask(op, None) {
            Some(Event::Challenge { nonce }) => nonce,
            other => panic!("no challenge for an approval without a proof but {other:?}"),
        }
    }

    fn prove(&self, nonce: Hash, op: &Op) -> OwnerProof {
        let of = *blake3::hash(&serde_json::to_vec(op).unwrap()).as_bytes();
        OwnerProof { nonce, mac: mac(self.key.as_slice(), &[b"owner-proof", &nonce.0, &of]) }
    }
}

/// Ledger entries of a kind that say `what`.
fn entries(person: &Person, kind: &str, what: &str) -> usize {
    let log = person.json(["audit", "log", "-n", "5000"]);
    let lines = log["entries"].as_array().unwrap();
    lines.iter().filter(|line| line["kind"] == kind && line["text"].as_str().unwrap().contains(what)).count()
}

/// The same, waiting for it: the node writes a refusal down after it has hung up.
fn wait_for(person: &Person, kind: &str, what: &str, count: usize) {
    let begun = Instant::now();
    let mut found = entries(person, kind, what);
    while found != count && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(100));
        found = entries(person, kind, what);
    }
    assert_eq!(found, count, "ledger entries of kind {kind} with {what:?}");
}

#[test]
fn strangers_are_refused_and_logged() {
    let person = Person::settled();
    let node = person.node();
    let version = PROTOCOL_VERSION;

    // A wrong answer to the challenge.
    let mut stream = connect(&node.socket);
    let hello = receive(&mut stream).expect("the node says hello");
    assert_eq!(hello["version"], version);
    send(&mut stream, &json!({"version": version, "nonce": hash("11"), "mac": hash("22")}));
    let verdict = receive(&mut stream).expect("the node gives its verdict");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");
    assert!(is_cut(&mut stream), "the connection is over");
    wait_for(&person, "attach_refused", "answer to the challenge was wrong", 1);

    // No answer at all, but an op.
    let mut stream = connect(&node.socket);
    receive(&mut stream).expect("the node says hello");
    send(&mut stream, &json!({"id": 1, "op": {"op": "stats"}}));
    let verdict = receive(&mut stream).expect("the node gives its verdict");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");
    assert!(is_cut(&mut stream), "the connection is over");
    wait_for(&person, "attach_refused", "did not speak the protocol", 1);

    // Another version.
    let mut stream = connect(&node.socket);
    receive(&mut stream).expect("the node says hello");
    send(&mut stream, &json!({"version": version + 1, "nonce": hash("11"), "mac": hash("22")}));
    let verdict = receive(&mut stream).expect("the node gives its verdict");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("version"), "{verdict}");
    assert!(!verdict["failure"]["hint"].as_str().unwrap().is_empty(), "{verdict}");
    wait_for(&person, "attach_refused", "another protocol version", 1);

    // Frames that claim to be huge, and one that is.
    for claimed in [u32::MAX, 4097] {
        let mut stream = connect(&node.socket);
        receive(&mut stream).expect("the node says hello");
        stream.write_all(&claimed.to_le_bytes()).unwrap();
        let verdict = receive(&mut stream).expect("the node gives its verdict");
        assert_eq!(verdict["verdict"], "refused", "{verdict}");
    }
    wait_for(&person, "attach_refused", "did not speak the protocol", 3);

    // Half a frame and then nothing.
    let mut stream = connect(&node.socket);
    receive(&mut stream).expect("the node says hello");
    stream.write_all(&100u32.to_le_bytes()).unwrap();
    stream.write_all(b"{\"version\":").unwrap();
    drop(stream);

    // The owner is not kept out by any of that, and nothing is broken.
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

/// Hears the client's frames and the node's; hands the client's bytes on, and after the first request one frame more.
fn relay(between: &UnixListener, target: &Path, extra: Option<Vec<u8>>) -> (Vec<u8>, bool) {
    let (mut client, _) = between.accept().unwrap();
    let mut node = connect(target);
    let (mut client_in, mut node_out) = (client.try_clone().unwrap(), node.try_clone().unwrap());
    let injects = extra.is_some();
    let up = std::thread::spawn(move || {
        let (mut said, mut frames, mut extra) = (Vec::new(), 0, extra);
        loop {
            let mut length = [0u8; 4];
            if client_in.read_exact(&mut length).is_err() {
                break;
            }
            // Only the handshake's frame has no tag.
            let rest = u32::from_le_bytes(length) as usize + if frames == 0 { 0 } else { 32 };
            let mut body = vec![0u8; rest];
            if client_in.read_exact(&mut body).is_err() {
                break;
            }
            said.extend_from_slice(&length);
            said.extend_from_slice(&body);
            if node_out.write_all(&length).and_then(|()| node_out.write_all(&body)).is_err() {
                break;
            }
            frames += 1;
            if frames == 2
                && let Some(extra) = extra.take()
            {
                let _ = node_out.write_all(&extra);
            }
        }
        let _ = node_out.shutdown(Shutdown::Write);
        said
    });
    // Ends where the node hangs up.
    let ended = match std::io::copy(&mut node, &mut client) {
        Ok(_) => true,
        // A node that hangs up with bytes unread resets the line; the client it hung up on may be gone already.
        Err(error) => matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe),
    };
    let _ = client.shutdown(Shutdown::Both);
    (up.join().unwrap(), injects && ended)
}

/// A program between the client and the node records a whole session and plays the client's half again.
#[test]
fn a_recorded_session_does_not_play_again() {
    let person = Person::settled();
    let node = person.node();
    let real = node.socket.with_extension("real");
    std::fs::rename(&node.socket, &real).unwrap();
    let between = UnixListener::bind(&node.socket).unwrap();
    let target = real.clone();
    let recorder = std::thread::spawn(move || relay(&between, &target, None));
    // A relay that changes nothing is harmless: the owner's command works through it.
    person.json(["memory", "stats"]);
    let (said, _) = recorder.join().unwrap();
    assert!(said.len() > 200, "the client's half was recorded");
    std::fs::remove_file(&node.socket).unwrap();
    std::fs::rename(&real, &node.socket).unwrap();

    let mut stream = connect(&node.socket);
    receive(&mut stream).expect("the node says hello");
    // The node may hang up before it has all of it.
    let _ = stream.write_all(&said);
    let verdict = receive(&mut stream).expect("the node gives its verdict");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");
    wait_for(&person, "attach_refused", "answer to the challenge was wrong", 1);
}

/// The same program puts a frame of its own into the session: the node cuts the session off and does not do it.
#[test]
fn a_frame_put_in_after_the_handshake_is_cut_off() {
    let person = Person::settled();
    let node = person.node();
    let body = br#"{"id":77,"op":{"op":"kill"}}"#;
    let mut forged = (body.len() as u32).to_le_bytes().to_vec();
    forged.extend_from_slice(&[0x5a; 32]);
    forged.extend_from_slice(body);
    let real = node.socket.with_extension("real");
    std::fs::rename(&node.socket, &real).unwrap();
    let between = UnixListener::bind(&node.socket).unwrap();
    let target = real.clone();
    let attacker = std::thread::spawn(move || relay(&between, &target, Some(forged)));
    let output = person.command().args(["memory", "stats"]).output().unwrap();
    let (_, cut) = attacker.join().unwrap();
    assert!(cut, "the node hung up");
    assert_ne!(output.status.code(), None, "the command ended by itself");
    std::fs::remove_file(&node.socket).unwrap();
    std::fs::rename(&real, &node.socket).unwrap();
    assert_eq!(entries(&person, "kill", ""), 0, "the forged frame did nothing");
    wait_for(&person, "attach_refused", "altered or repeated", 1);

    // A genuine frame said twice, and a frame that is larger than any may be.
    let mut guest = Guest::attach(&person, &node.socket);
    assert!(matches!(guest.ask(&Op::Stats, None), Some(Event::Stats { .. })));
    let frame = guest.frame(&Request { id: 9, op: Op::Stats, proof: None });
    guest.stream.write_all(&frame).unwrap();
    while guest.hear().expect("the first is answered").id != 9 {}
    guest.stream.write_all(&frame).unwrap();
    assert!(is_cut(&mut guest.stream), "the repeated frame cuts the session off");
    wait_for(&person, "attach_refused", "altered or repeated", 2);

    let mut guest = Guest::attach(&person, &node.socket);
    guest.stream.write_all(&u32::MAX.to_le_bytes()).unwrap();
    assert!(is_cut(&mut guest.stream), "a length of four gigabytes cuts the session off");
    wait_for(&person, "attach_refused", "larger than this connection allows", 1);
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

#[test]
fn another_user_is_refused() {
    if !process::is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let person = Person::settled();
    let node = person.node();
    let stranger = || {
        let mut stranger = Command::new("python3");
        stranger.arg("-c").arg(
            "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.settimeout(20)\ntry:\n s.connect(sys.argv[1])\n print('heard', len(s.recv(4096)))\nexcept PermissionError:\n print('kept out')\nexcept ConnectionResetError:\n print('heard 0')",
        );
        let output = stranger.arg(&node.socket).uid(65534).gid(65534).output().unwrap();
        text(&output.stdout) + &text(&output.stderr)
    };
    let said = stranger();
    assert!(said.contains("kept out"), "the folder's mode keeps another user out: {said}");

    // Someone opened every door on the way: who it is still counts.
    for (path, mode) in [(person.path(""), 0o755), (person.home(), 0o755), (node.socket.clone(), 0o777)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let said = stranger();
    assert!(said.contains("heard 0"), "the node hangs up without a word: {said}");
    wait_for(&person, "attach_refused", "another user", 1);
}

fn grant(purpose: &str) -> Op {
    Op::Grant {
        draft: GrantDraft {
            asker: Asker::App("editor".into()),
            capability: Capability::Converse,
            scope: Scope { everything: true, ..Scope::default() },
            filter: Filter::default(),
            limits: Limits::default(),
            purpose: purpose.into(),
        },
    }
}

fn is_refused(event: Option<Event>) -> bool {
    matches!(event, Some(Event::Failed { failure }) if failure.kind == ErrorKind::Refused && !failure.hint.is_empty())
}

fn app_grants(person: &Person) -> usize {
    let listed = person.json(["consent", "list"]);
    listed["grants"].as_array().unwrap().iter().filter(|grant| grant["terms"]["asker"]["kind"] == "app").count()
}

#[test]
fn an_approval_needs_the_owners_proof() {
    let person = Person::settled();
    let node = person.node();
    let mut guest = Guest::attach(&person, &node.socket);
    let (one, other) = (grant("to try"), grant("to try something else"));

    // Without a proof there is a challenge, and nothing is granted.
    let nonce = guest.challenge(&one);
    assert_eq!(app_grants(&person), 0);

    // Made up; over a nonce nobody handed out; for another approval; each uses its nonce up.
    assert!(is_refused(guest.ask(&one, Some(OwnerProof { nonce, mac: Hash([3; 32]) }))));
    let right_but_late = guest.prove(nonce, &one);
    assert!(is_refused(guest.ask(&one, Some(right_but_late))), "a nonce is good for one try");
    let own_nonce = guest.prove(Hash([9; 32]), &one);
    assert!(is_refused(guest.ask(&one, Some(own_nonce))));
    let nonce = guest.challenge(&one);
    let for_one = guest.prove(nonce, &one);
    assert!(is_refused(guest.ask(&other, Some(for_one))), "a proof is for one approval only");
    assert_eq!(app_grants(&person), 0, "nothing was granted");
    assert_eq!(entries(&person, "refused", "owner's proof"), 4, "each is in the ledger");

    // The real one works once.
    let nonce = guest.challenge(&one);
    let proof = guest.prove(nonce, &one);
    assert!(matches!(guest.ask(&one, Some(proof.clone())), Some(Event::Grants { .. })));
    assert_eq!(app_grants(&person), 1);
    assert!(is_refused(guest.ask(&one, Some(proof))), "a proof that was used does not work again");
    assert_eq!(app_grants(&person), 1);
    assert_eq!(entries(&person, "refused", "owner's proof"), 5);

    // An export and the lifting of the kill switch need it as well.
    guest.challenge(&Op::ExportLedger);
    person.json(["kill"]);
    guest.challenge(&Op::Lift);
    assert!(is_refused(guest.ask(&Op::Lift, Some(OwnerProof { nonce: Hash([0; 32]), mac: Hash([0; 32]) }))));
    let killed = person.command().args(["memory", "search", "anything"]).output().unwrap();
    assert_eq!(killed.status.code(), Some(3), "the switch is still on");
    // Who asked for approvals and went away without proving anything is written down when they go.
    drop(guest);
    wait_for(&person, "refused", "no owner's proof", 1);
    person.json(["kill", "--lift"]);
    assert_eq!(person.json(["audit", "verify"])["ok"], true);
}

#[test]
fn a_flood_of_strangers_does_not_fill_the_ledger() {
    let person = Person::settled();
    let mut node = person.node();
    let before = person.json(["memory", "stats"])["ledger"].as_u64().unwrap();
    for _ in 0..300 {
        let mut stream = connect(&node.socket);
        receive(&mut stream).expect("the node says hello");
        send(&mut stream, &json!({"version": PROTOCOL_VERSION, "nonce": hash("11"), "mac": hash("22")}));
        assert_eq!(receive(&mut stream).expect("a verdict")["verdict"], "refused");
    }
    let after = person.json(["memory", "stats"])["ledger"].as_u64().unwrap();
    assert!(after - before <= 110, "300 strangers made {} entries", after - before);
    assert!(after - before >= 10, "the first of them are written down one by one: {}", after - before);
    // Those that came in and left again leave nothing open.
    let open = || std::fs::read_dir(format!("/proc/{}/fd", node.child.id())).map(Iterator::count).ok();
    let before = open();
    for _ in 0..20 {
        assert!(matches!(Guest::attach(&person, &node.socket).ask(&Op::Stats, None), Some(Event::Stats { .. })));
    }
    process::eventually("the connections of those who left to close", || open() <= before.map(|count| count + 2));
    // Connections that say nothing do not keep the owner out.
    let silent: Vec<_> = (0..60).map(|_| connect(&node.socket)).collect();
    person.json(["memory", "stats"]);
    drop(silent);
    person.icore(["node", "--stop"]);
    assert!(process::ended(&mut node.child).success(), "the node stops");
    let log = person.json(["audit", "log", "-n", "5000"]);
    // The silent ones may count, where the node was just speaking when they left.
    let counted = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line["text"].as_str())
        .find_map(|said| said.strip_suffix(" more attaches were refused or cut off")?.parse::<u64>().ok());
    assert!(counted.is_some_and(|more| (200..=260).contains(&more)), "the rest are counted: {counted:?}");
}

/// Another `icore` works through whatever has the home open: the node, or the terminal's own.
#[test]
fn a_second_icore_attaches_to_the_node_and_to_the_terminal() {
    let person = Person::settled();
    person.file("note.md", "# Harbour\n\nThe pilot boat leaves at half past six.\n");
    person.json(["ingest", person.files().to_str().unwrap()]);
    let node = person.node();
    let unlocks = entries(&person, "unlock", "");
    let hits = person.json(["memory", "search", "pilot boat"]);
    assert!(hits["hits"][0]["text"].as_str().unwrap().contains("half past six"), "{hits}");
    assert_eq!(entries(&person, "unlock", ""), unlocks, "the home was not opened a second time");
    drop(node);

    let face = Face::open(&person);
    let socket = person.home().join("node.sock");
    process::eventually("the terminal's own socket", || UnixStream::connect(&socket).is_ok());
    let unlocks = entries(&person, "unlock", "");
    let hits = person.json(["memory", "search", "pilot boat"]);
    assert!(hits["hits"][0]["text"].as_str().unwrap().contains("half past six"), "{hits}");
    assert_eq!(entries(&person, "unlock", ""), unlocks, "the home was not opened a second time");
    assert_eq!(face.leave(), 0);
    assert!(!socket.exists(), "the socket goes with the terminal");
}
