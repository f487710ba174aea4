//! Attaching to a running node: without the challenge, with another version, by replaying a recorded session, and an
//! approval without the owner's proof are each refused and logged. (Another user is refused by the socket's mode and
//! the peer's uid; it is tried where the tests run as root.)
#![allow(clippy::disallowed_types, reason = "this test is the stranger at the node's door")]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Person, text};

fn connect(person: &support::RunningNode) -> UnixStream {
    let stream = UnixStream::connect(&person.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn send(stream: &mut UnixStream, value: &Value) {
    let body = serde_json::to_vec(value).unwrap();
    stream.write_all(&(body.len() as u32).to_le_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}

/// The next frame; `None` where the node hung up.
fn receive(stream: &mut UnixStream) -> Option<Value> {
    let mut length = [0u8; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0u8; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

fn hash(byte: &str) -> String {
    byte.repeat(32)
}

fn refusals(person: &Person) -> usize {
    let log = person.json(["audit", "log", "-n", "200"]);
    log["lines"].as_array().unwrap().iter().filter(|line| line["text"].as_str().unwrap().contains("refused")).count()
}

#[test]
fn strangers_are_refused_and_logged() {
    let person = Person::settled();
    let node = person.node();

    // A wrong answer to the challenge.
    let mut stream = connect(&node);
    let hello = receive(&mut stream).expect("the node says hello");
    send(&mut stream, &json!({"version": hello["version"], "nonce": hash("11"), "mac": hash("22")}));
    let verdict = receive(&mut stream).expect("the node gives its verdict");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");
    assert!(receive(&mut stream).is_none(), "the connection is over");

    // No answer at all, but an op.
    let mut stream = connect(&node);
    receive(&mut stream).expect("the node says hello");
    send(&mut stream, &json!({"id": 1, "op": {"op": "stats"}}));
    let verdict = receive(&mut stream).expect("the node gives its verdict");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");

    // Another version.
    let mut stream = connect(&node);
    receive(&mut stream).expect("the node says hello");
    send(&mut stream, &json!({"version": 9999, "nonce": hash("11"), "mac": hash("22")}));
    let verdict = receive(&mut stream).expect("the node gives its verdict");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");
    assert!(verdict["failure"]["message"].as_str().unwrap().contains("version"), "{verdict}");

    // A frame that claims to be huge.
    let mut stream = connect(&node);
    receive(&mut stream).expect("the node says hello");
    stream.write_all(&u32::MAX.to_le_bytes()).unwrap();
    let verdict = receive(&mut stream).expect("the node gives its verdict");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");

    assert_eq!(refusals(&person), 4, "each is in the ledger");
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
    let recorder = std::thread::spawn(move || {
        let (mut client, _) = between.accept().unwrap();
        let mut server = UnixStream::connect(target).unwrap();
        let (mut client_in, mut server_out) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let up = std::thread::spawn(move || {
            let mut said = Vec::new();
            let mut buffer = [0u8; 4096];
            while let Ok(n) = client_in.read(&mut buffer) {
                if n == 0 || server_out.write_all(&buffer[..n]).is_err() {
                    break;
                }
                said.extend_from_slice(&buffer[..n]);
            }
            let _ = server_out.shutdown(std::net::Shutdown::Write);
            said
        });
        let _ = std::io::copy(&mut server, &mut client);
        let _ = client.shutdown(std::net::Shutdown::Both);
        up.join().unwrap()
    });
    // A relay that changes nothing is harmless: the owner's command works through it.
    person.json(["memory", "stats"]);
    let said = recorder.join().unwrap();
    assert!(said.len() > 100, "the client's half was recorded");
    std::fs::remove_file(&node.socket).unwrap();
    std::fs::rename(&real, &node.socket).unwrap();

    let mut stream = connect(&node);
    receive(&mut stream).expect("the node says hello");
    stream.write_all(&said).unwrap();
    let verdict = receive(&mut stream).expect("the node gives its verdict");
    assert_eq!(verdict["verdict"], "refused", "{verdict}");
    assert_eq!(refusals(&person), 1);
}

#[test]
fn another_user_is_refused() {
    let person = Person::settled();
    let node = person.node();
    if std::fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m)).ok() != Some(0) {
        eprintln!("skipped: only root can become another user");
        return;
    }
    // The folders above must be passable for the other user to reach the socket at all.
    let mut stranger = Command::new("python3");
    stranger.arg("-c").arg(
        "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ntry:\n s.connect(sys.argv[1])\n print('in', len(s.recv(4096)))\nexcept PermissionError:\n print('kept out')",
    );
    stranger.arg(&node.socket).uid(65534).gid(65534);
    let output = stranger.output().unwrap();
    let said = text(&output.stdout);
    assert!(said.contains("kept out") || said.contains("in 0"), "{said} {}", text(&output.stderr));
}

#[test]
fn an_approval_needs_the_owners_proof() {
    let person = Person::settled();
    let _node = person.node();
    std::fs::write(person.path("wrong"), "not the passphrase").unwrap();
    let grant = [
        "consent",
        "grant",
        "--asker",
        "app:editor",
        "--capability",
        "converse",
        "--scope",
        "all",
        "--purpose",
        "to try",
    ];
    let refused = person.command().env("ICORE_PASSPHRASE_FILE", person.path("wrong")).args(grant).output().unwrap();
    assert!(!refused.status.success());
    let given = person.command().args(grant).output().unwrap();
    assert!(given.status.success(), "{}", text(&given.stderr));
    let listed = person.json(["consent", "list"]);
    let apps = listed["grants"].as_array().unwrap().iter().filter(|g| g["terms"]["asker"]["kind"] == "app").count();
    assert_eq!(apps, 1, "{listed}");
}
