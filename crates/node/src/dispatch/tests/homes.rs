//! One home asks another: without a grant, with one, for somebody else, after it was taken back, and when all is stopped.

use super::*;
use crate::peer::{self, Said};
use crate::protocol::{Asker, Capability, Filter, GrantDraft, Limits, Scope};
use tokio::io::duplex;

const TRAIN: &str = "The train to Porto leaves Oriente at 14:39. Tickets are with ana.costa@example.org until Friday.";

/// Asks one home as another, over a socket of bytes; gives the answer, and what the node would write down.
async fn asks(
    from: &Desk,
    at: &Desk,
    to: Option<Hash>,
    about: Option<&str>,
) -> (Result<(Hash, Said), String>, Option<String>) {
    let (mut here, mut there) = duplex(1 << 16);
    let about = about.map(str::to_owned);
    let node = async {
        let greeted = handshake::greet(&mut there, &at.node.vault.attach_key()).await.unwrap();
        let refused = match greeted {
            Ok(handshake::Guest::Peer(asked)) => peer::serve(&at.node, &mut there, asked).await,
            Ok(handshake::Guest::Client(_)) => panic!("it is no client"),
            Err(why) => Some(why.to_owned()),
        };
        // The asker is to hear that nothing more comes.
        drop(there);
        refused
    };
    tokio::join!(peer::ask(&mut here, from.node.vault.device(), to, about), node)
}

fn identity(desk: &Desk) -> Hash {
    Hash(desk.node.vault.identity())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_home_hands_out_what_its_owner_granted_and_nothing_else() {
    let (maya, mut ana) = (Desk::open().await, Desk::open().await);
    let path = ana.file("trip/porto.md", TRAIN);
    ana.ingest(path.parent().unwrap()).await;
    let here = Some(identity(&ana));
    let about = Some("the train to Porto");

    // Who is there is said to everybody; excerpts are not.
    let (said, refused) = asks(&maya, &ana, None, None).await;
    assert_eq!((said, refused), (Ok((identity(&ana), Said::Here)), None));
    let (said, refused) = asks(&maya, &ana, here, about).await;
    let message = format!("Its owner has granted nothing to peer:{}.", identity(&maya));
    assert_eq!(said, Ok((identity(&ana), Said::Refused { message })));
    assert!(refused.unwrap().contains("nothing is granted to peer:"));

    let asker = Asker::Peer(identity(&maya).to_string());
    let draft = GrantDraft {
        asker,
        capability: Capability::Retrieve,
        scope: Scope { everything: true, ..Scope::default() },
        filter: Filter::default(),
        limits: Limits::default(),
        purpose: "the trip".into(),
    };
    let Event::Grants { grants } = ana.owner(Op::Grant { draft }).await else { panic!("a grant") };
    let (said, refused) = asks(&maya, &ana, here, about).await;
    let Ok((who, Said::Excerpts { text })) = said else { panic!("excerpts: {said:?}") };
    assert_eq!((who, refused), (identity(&ana), None));
    assert!(text.contains("14:39") && text.contains("⟦EMAIL-1⟧") && !text.contains("example.org"), "{text}");
    let disclosed = ana.ledger().await.iter().filter(|line| line.starts_with("disclosed")).count();
    assert_eq!(disclosed, 1, "every excerpt is a line in its ledger");
    // What it knows nothing about, it says nothing about.
    let (said, _) = asks(&maya, &ana, here, Some("the colour of the bicycle")).await;
    assert!(matches!(said, Ok((_, Said::Refused { .. }))), "{said:?}");

    // A question for another home is not answered, and an answer of another home is not believed.
    let (said, refused) = asks(&maya, &ana, Some(identity(&maya)), about).await;
    assert_eq!(said, Err("hung up".to_owned()));
    assert!(refused.unwrap().contains("meant for somebody else"));
    let (said, _) = asks(&maya, &ana, None, about).await;
    assert!(said.is_err(), "excerpts are asked of a home that is named");
    let long = "a".repeat(peer::ABOUT_MAX + 1);
    let (said, _) = asks(&maya, &ana, here, Some(&long)).await;
    assert!(matches!(said, Ok((_, Said::Refused { message })) if message.contains("longer")));

    ana.one(Op::Kill).await;
    let (said, _) = asks(&maya, &ana, here, about).await;
    assert!(matches!(said, Ok((_, Said::Refused { .. }))), "{said:?}");
    ana.owner(Op::Lift).await;
    let grant = grants.iter().find(|grant| grant.terms.purpose == "the trip").unwrap().id;
    ana.one(Op::Revoke { grant }).await;
    let (said, refused) = asks(&maya, &ana, here, about).await;
    assert!(matches!(said, Ok((_, Said::Refused { message })) if message.contains("nothing")));
    assert!(refused.is_some());
    let disclosed = ana.ledger().await.iter().filter(|line| line.starts_with("disclosed")).count();
    assert_eq!(disclosed, 1, "nothing left after that");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_or_an_answer_that_was_changed_on_the_way_does_not_hold() {
    let (maya, ana) = (Desk::open().await, Desk::open().await);
    for (from_asker, word, other) in
        [(true, "\"about\":null", "\"about\":\"you\""), (true, "\"v\":1", "\"v\":2"), (false, "\"here\"", "\"gone\"")]
    {
        let (mut here, mut inner) = duplex(1 << 16);
        let (mut outer, mut there) = duplex(1 << 16);
        let key = ana.node.vault.attach_key();
        let node = async {
            if let Ok(Ok(handshake::Guest::Peer(asked))) = handshake::greet(&mut there, &key).await {
                peer::serve(&ana.node, &mut there, asked).await;
            }
            drop(there);
        };
        // Somebody in between changes one word.
        let between = async {
            let mut pass = async |from_node: bool| {
                let frame: Result<serde_json::Value, _> = if from_node {
                    crate::wire::receive(&mut outer, None, 1 << 16).await
                } else {
                    crate::wire::receive(&mut inner, None, 1 << 16).await
                };
                let Ok(frame) = frame else { return };
                let text = frame.to_string();
                let text = if from_node != from_asker { text.replace(word, other) } else { text };
                let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
                let sent = if from_node {
                    crate::wire::send(&mut inner, None, &frame).await
                } else {
                    crate::wire::send(&mut outer, None, &frame).await
                };
                sent.unwrap();
            };
            pass(true).await;
            pass(false).await;
            pass(true).await;
            drop((inner, outer));
        };
        let asked = peer::ask(&mut here, maya.node.vault.device(), None, None);
        let (said, (), ()) = tokio::join!(asked, node, between);
        assert!(said.is_err(), "{word}: {said:?}");
    }
}
