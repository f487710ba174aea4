//! Attaching: who is let in, who is not, and why.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::protocol::SourceId;

fn key(byte: u8) -> AttachKey {
    Zeroizing::new([byte; 32])
}

/// The node's side, for what is a client.
async fn greet(stream: &mut DuplexStream, key: &AttachKey) -> Result<Result<Lanes, &'static str>, WireError> {
    Ok(super::greet(stream, key).await?.map(|guest| match guest {
        Guest::Client(lanes) => lanes,
        Guest::Peer(_) => panic!("a client was expected"),
    }))
}

fn message(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Welcome { .. } => "welcome",
        Verdict::Refused { failure } => &failure.message,
    }
}

/// Says `said` to a node and gives its verdict with what it would record.
async fn stranger(node: &AttachKey, answer: impl FnOnce(&Hello) -> Attach) -> (Verdict, Option<&'static str>) {
    let (mut here, mut there) = duplex(1 << 16);
    let client = async {
        let hello: Hello = receive(&mut here, None, HELLO_MAX).await.unwrap();
        send(&mut here, None, &answer(&hello)).await.unwrap();
        receive(&mut here, None, HELLO_MAX).await.unwrap()
    };
    let (verdict, greeted): (Verdict, _) = tokio::join!(client, greet(&mut there, node));
    (verdict, greeted.unwrap().err())
}

fn honest(key: &AttachKey, hello: &Hello, nonce: Hash) -> Attach {
    let mac = tag(key, &[b"client", &PROTOCOL_VERSION.to_le_bytes(), &hello.nonce.0, &nonce.0]);
    Attach { version: PROTOCOL_VERSION, nonce, mac }
}

#[tokio::test]
async fn both_ends_agree_on_keys_for_each_direction() {
    let (mut here, mut there) = duplex(1 << 16);
    let secret = key(1);
    let (client, node) = tokio::join!(attach(&mut here, &secret), greet(&mut there, &secret));
    let (mut client, mut node) = (client.unwrap(), node.unwrap().unwrap());
    send(&mut here, Some(&mut client.to_node), &"up").await.unwrap();
    send(&mut there, Some(&mut node.to_client), &"down").await.unwrap();
    assert_eq!(receive::<String>(&mut there, Some(&mut node.to_node), 64).await.unwrap(), "up");
    assert_eq!(receive::<String>(&mut here, Some(&mut client.to_client), 64).await.unwrap(), "down");
    // A frame sent back to where it came from does not pass for one of the other direction.
    send(&mut here, Some(&mut client.to_node), &"up").await.unwrap();
    assert!(matches!(receive::<String>(&mut there, Some(&mut node.to_client), 64).await, Err(WireError::Forged)));
}

#[tokio::test]
async fn another_key_is_refused() {
    let (mut here, mut there) = duplex(1 << 16);
    let (wrong, right) = (key(2), key(1));
    let (client, node) = tokio::join!(attach(&mut here, &wrong), greet(&mut there, &right));
    let Err(AttachError::Refused(failure)) = client else { panic!("the client is not in") };
    assert_eq!(failure.kind, ErrorKind::Refused);
    assert_eq!(node.unwrap().err(), Some("its answer to the challenge was wrong"));
}

#[tokio::test]
async fn an_answer_to_another_challenge_is_refused() {
    let secret = key(1);
    let nonce = fresh_nonce();
    let mut recorded = None;
    let (verdict, _) = stranger(&secret, |hello| {
        let attach = honest(&secret, hello, nonce);
        recorded = Some(attach.mac);
        attach
    })
    .await;
    assert_eq!(message(&verdict), "welcome");
    let (verdict, why) =
        stranger(&secret, |_| Attach { version: PROTOCOL_VERSION, nonce, mac: recorded.unwrap() }).await;
    assert!(message(&verdict).contains("challenge"), "{}", message(&verdict));
    assert_eq!(why, Some("its answer to the challenge was wrong"));
}

#[tokio::test]
async fn the_nodes_own_proof_is_no_answer() {
    // The node's MAC reflected: the labels keep the two directions apart.
    let secret = key(1);
    let nonce = fresh_nonce();
    let (verdict, why) = stranger(&secret, |hello| {
        let version = PROTOCOL_VERSION.to_le_bytes();
        Attach { version: PROTOCOL_VERSION, nonce, mac: tag(&secret, &[b"node", &version, &nonce.0, &hello.nonce.0]) }
    })
    .await;
    assert_ne!(message(&verdict), "welcome");
    assert!(why.is_some());
}

#[tokio::test]
async fn another_version_is_named() {
    let secret = key(1);
    for version in [0, PROTOCOL_VERSION + 1, u32::MAX] {
        let (verdict, why) =
            stranger(&secret, |hello| Attach { version, ..honest(&secret, hello, fresh_nonce()) }).await;
        let said = message(&verdict);
        assert!(said.contains(&PROTOCOL_VERSION.to_string()) && said.contains(&version.to_string()), "{said}");
        assert_eq!(why, Some("it spoke another protocol version"));
    }
}

#[tokio::test]
async fn what_is_no_protocol_is_refused_without_being_read_on() {
    let huge = u32::MAX.to_le_bytes().to_vec();
    let noise = [&12u32.to_le_bytes()[..], b"GET / HTTP/1"].concat();
    for said in [huge, noise] {
        let (mut here, mut there) = duplex(1 << 16);
        here.write_all(&said).await.unwrap();
        assert_eq!(greet(&mut there, &key(1)).await.unwrap().err(), Some("it did not speak the protocol"));
    }
}

#[tokio::test]
async fn a_false_node_learns_nothing_and_is_not_believed() {
    let (mut here, mut there) = duplex(1 << 16);
    let pretend = async |stream: &mut DuplexStream| {
        send(stream, None, &Hello { version: PROTOCOL_VERSION, nonce: fresh_nonce() }).await.unwrap();
        let _: Attach = receive(stream, None, HELLO_MAX).await.unwrap();
        send(stream, None, &Verdict::Welcome { mac: fresh_nonce() }).await.unwrap();
    };
    let secret = key(1);
    let (client, ()) = tokio::join!(attach(&mut here, &secret), pretend(&mut there));
    let Err(AttachError::Refused(failure)) = client else { panic!("the client must not believe it") };
    assert!(failure.message.contains("not this home's node"), "{failure:?}");
}

#[tokio::test]
async fn a_client_that_only_looked_is_no_refusal() {
    let (here, mut there) = duplex(1 << 16);
    let look = async {
        let mut here = here;
        let mut hello = [0u8; 4];
        here.read_exact(&mut hello).await.unwrap();
    };
    let secret = key(1);
    let (greeted, ()) = tokio::join!(greet(&mut there, &secret), look);
    assert!(matches!(greeted, Err(WireError::Closed)));
}

#[test]
fn a_proof_is_for_one_nonce_one_op_and_one_key() {
    let (secret, nonce) = (key(1), fresh_nonce());
    let op = Op::SourcePause { source: SourceId::new(), paused: true };
    let proof = prove(&secret, nonce, &op);
    assert!(proof_holds(&secret, &nonce, &op, &proof));
    let other_op = Op::SourcePause { source: SourceId::new(), paused: true };
    let moved = OwnerProof { nonce: fresh_nonce(), ..proof.clone() };
    assert!(!proof_holds(&secret, &nonce, &other_op, &proof), "another op");
    assert!(!proof_holds(&secret, &fresh_nonce(), &op, &proof), "another nonce");
    assert!(!proof_holds(&secret, &moved.nonce, &op, &moved), "a nonce swapped in");
    assert!(!proof_holds(&key(2), &nonce, &op, &proof), "another key");
}
