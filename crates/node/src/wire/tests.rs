//! Frames: whole and in order, or not at all.

use tokio::io::duplex;

use super::*;

const KEY: [u8; 32] = [7; 32];

/// The bytes of some frames, as they go over the socket.
async fn frames(values: &[&str]) -> Vec<Vec<u8>> {
    let mut lane = Lane::new(KEY);
    let mut out = Vec::new();
    for value in values {
        let mut bytes = std::io::Cursor::new(Vec::new());
        send(&mut bytes, Some(&mut lane), value).await.unwrap();
        out.push(bytes.into_inner());
    }
    out
}

async fn read(bytes: &[u8], max: usize) -> Vec<Result<String, WireError>> {
    let mut input = bytes;
    let mut lane = Lane::new(KEY);
    let mut heard = Vec::new();
    loop {
        let frame = receive::<String>(&mut input, Some(&mut lane), max).await;
        let over = frame.is_err();
        heard.push(frame);
        if over {
            return heard;
        }
    }
}

#[tokio::test]
async fn frames_arrive_in_order_and_then_the_end() {
    let sent = frames(&["one", "two", ""]).await.concat();
    let mut heard = read(&sent, FRAME_MAX).await;
    assert!(matches!(heard.pop(), Some(Err(WireError::Closed))));
    let heard: Vec<String> = heard.into_iter().map(Result::unwrap).collect();
    assert_eq!(heard, ["one", "two", ""]);
}

#[tokio::test]
async fn reordered_repeated_and_dropped_frames_are_forged() {
    let [one, two, three]: [Vec<u8>; 3] = frames(&["one", "two", "three"]).await.try_into().unwrap();
    let cases = [
        ("reordered", vec![&two, &one], 0),
        ("repeated", vec![&one, &one], 1),
        ("one left out", vec![&one, &three], 1),
    ];
    for (what, order, good) in cases {
        let sent: Vec<u8> = order.into_iter().flatten().copied().collect();
        let mut heard = read(&sent, FRAME_MAX).await;
        assert!(matches!(heard.pop(), Some(Err(WireError::Forged))), "{what}");
        assert_eq!(heard.len(), good, "{what}");
    }
}

#[tokio::test]
async fn any_flipped_bit_is_noticed() {
    let sent = frames(&["forty-two"]).await.concat();
    for bit in 0..sent.len() * 8 {
        let mut altered = sent.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let heard = read(&altered, 1 << 16).await;
        assert!(heard.first().is_some_and(Result::is_err), "bit {bit} went by");
    }
}

#[tokio::test]
async fn a_truncated_frame_is_a_closed_connection() {
    let sent = frames(&["forty-two"]).await.concat();
    for end in 0..sent.len() {
        let heard = read(&sent[..end], FRAME_MAX).await;
        assert!(matches!(heard.first(), Some(Err(WireError::Closed | WireError::Io(_)))), "cut at {end}");
    }
}

#[tokio::test]
async fn a_frame_over_the_cap_is_refused_before_its_body() {
    // Nothing but the length is there: a reader that asked for the body first would wait for ever.
    let (mut here, mut there) = duplex(64);
    here.write_all(&1025u32.to_le_bytes()).await.unwrap();
    let heard = receive::<String>(&mut there, Some(&mut Lane::new(KEY)), 1024).await;
    assert!(matches!(heard, Err(WireError::TooLarge(1025))));
    // What this end would send is held to the same cap.
    let long = "x".repeat(FRAME_MAX);
    let refused = send(&mut std::io::Cursor::new(Vec::new()), None, &long).await;
    assert!(matches!(refused, Err(WireError::TooLarge(_))));
}
