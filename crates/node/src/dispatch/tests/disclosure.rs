//! Disclosures: what a grant lets through, what waits for the owner, and that exactly the shown bytes leave.

use super::*;
use crate::protocol::{Asker, Asking, Capability, Filter, GrantDraft, Limits, Scope, Verdict};

const TRAIN: &str = "The train to Porto leaves Oriente at 14:39. Tickets are with ana.costa@example.org until Friday.";

fn editor() -> Asker {
    Asker::App("editor".into())
}

fn request(asker: Asker) -> Op {
    Op::Disclose { asker, capability: Capability::Retrieve, about: "the train to Porto".into() }
}

/// A home that knows about a train.
async fn with_train() -> Desk {
    let mut desk = Desk::open().await;
    let path = desk.file("porto.md", TRAIN);
    desk.file("cat.md", "The cat is called Miso and sleeps on the piano all day.");
    desk.ingest(path.parent().unwrap()).await;
    desk
}

impl Desk {
    /// What waits, once something does.
    async fn asking(&mut self) -> Asking {
        loop {
            match self.one(Op::Pending).await {
                Event::Asking { mut asking } if !asking.is_empty() => return asking.remove(0),
                Event::Asking { .. } => tokio::time::sleep(Duration::from_millis(5)).await,
                other => panic!("{other:?}"),
            }
        }
    }

    async fn disclosures(&mut self) -> usize {
        self.ledger().await.iter().filter(|line| line.starts_with("disclosed")).count()
    }
}

fn draft(scope: Scope, limits: Limits) -> GrantDraft {
    GrantDraft {
        asker: editor(),
        capability: Capability::Retrieve,
        scope,
        filter: Filter::default(),
        limits,
        purpose: "trip".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_that_leave_are_the_bytes_that_were_shown() {
    let mut desk = with_train().await;
    let waiting = desk.ask(request(editor()), None).await;
    let asking = desk.asking().await;
    assert!(asking.text.contains("14:39") && asking.text.contains("⟦EMAIL-1⟧"), "{asking:?}");
    assert!(!asking.text.contains("example.org") && !asking.text.contains("Miso"), "{asking:?}");
    assert_eq!((asking.withheld, asking.before, asking.known_since), (1, 0, None));
    assert!(asking.sources.len() == 1 && asking.sources[0].ends_with("porto.md"));
    assert_eq!(asking.until - asking.since, 60_000);
    assert!(asking.learns.starts_with("2 sentences from 1 item, 1 withheld"), "{}", asking.learns);

    // Without the owner's proof nothing but a no is taken.
    let yes = Op::Answer { id: asking.id, verdict: Verdict::Once };
    assert!(matches!(desk.one(yes.clone()).await, Event::Challenge { .. }));
    assert!(matches!(desk.owner(yes.clone()).await, Event::Done));
    let Event::Disclosed { text, entry } = desk.answer(waiting).await else { panic!("it was allowed") };
    assert_eq!(text, asking.text);
    assert_eq!(desk.node.consent.was_let_out(entry, text.as_bytes()).unwrap(), Some(true));
    assert_eq!(desk.disclosures().await, 1);
    let said = desk.owner(yes).await;
    assert!(matches!(&said, Event::Failed { .. }), "it waits no longer: {said:?}");

    // Once was once: the next request waits again, and knows of the first.
    let again = desk.ask(request(editor()), None).await;
    let second = desk.asking().await;
    assert!(second.id != asking.id && second.before == 1 && second.known_since.is_some(), "{second:?}");
    assert!(matches!(desk.one(Op::Answer { id: second.id, verdict: Verdict::No }).await, Event::Done));
    refusal(&desk.answer(again).await);
    let lines = desk.ledger().await;
    assert!(lines.last().unwrap().contains("the owner said no"), "{lines:?}");
    assert_eq!(desk.disclosures().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_covers_what_it_names_and_nothing_else() {
    let mut desk = with_train().await;
    let scope = Scope { topics: vec!["porto".into()], ..Scope::default() };
    let draft = draft(scope, Limits { uses: Some(2), ..Limits::default() });
    assert!(matches!(desk.owner(Op::Grant { draft }).await, Event::Grants { .. }));
    let Event::Disclosed { text, .. } = desk.one(request(editor())).await else { panic!("the grant covers it") };
    assert!(text.contains("14:39") && text.contains("⟦EMAIL-1⟧"), "{text}");
    // The cat is not about Porto: it waits, whatever the asker calls it.
    let cat = Op::Disclose { asker: editor(), capability: Capability::Retrieve, about: "the cat called Miso".into() };
    let waiting = desk.ask(cat, None).await;
    let asking = desk.asking().await;
    assert!(asking.text.contains("Miso"), "{asking:?}");
    desk.one(Op::Answer { id: asking.id, verdict: Verdict::No }).await;
    refusal(&desk.answer(waiting).await);
    // Another asker waits; this one is used up after its second time.
    let other = desk.ask(request(Asker::App("browser".into())), None).await;
    let asking = desk.asking().await;
    desk.one(Op::Answer { id: asking.id, verdict: Verdict::No }).await;
    refusal(&desk.answer(other).await);
    assert!(matches!(desk.one(request(editor())).await, Event::Disclosed { .. }));
    refusal(&desk.one(request(editor())).await);
    let lines = desk.ledger().await;
    assert!(lines.last().unwrap().contains("all it allows"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standing_answer_stands_until_it_is_revoked() {
    let mut desk = with_train().await;
    let waiting = desk.ask(request(editor()), None).await;
    let id = desk.asking().await.id;
    desk.owner(Op::Answer { id, verdict: Verdict::Standing }).await;
    assert!(matches!(desk.answer(waiting).await, Event::Disclosed { .. }));
    assert!(matches!(desk.one(request(editor())).await, Event::Disclosed { .. }), "nobody is asked again");
    let Event::Grants { grants } = desk.one(Op::Grants).await else { panic!("grants") };
    let grant = grants.iter().find(|grant| grant.terms.asker == editor()).unwrap();
    assert!(grant.terms.scope.sources.len() == 1 && grant.terms.limits == Limits::default());
    desk.one(Op::Revoke { grant: grant.id }).await;
    refusal(&desk.one(request(editor())).await);
    assert_eq!(desk.disclosures().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_answers_is_refused_and_what_is_dropped_goes_away() {
    let mut desk = with_train().await;
    desk.node.desk.patience.store(50, Ordering::SeqCst);
    refusal(&desk.one(request(editor())).await);
    assert!(desk.ledger().await.last().unwrap().contains("nobody answered"));
    desk.node.desk.patience.store(60_000, Ordering::SeqCst);

    let waiting = desk.ask(request(editor()), None).await;
    desk.asking().await;
    desk.requests.send(Request { id: 999, op: Op::Cancel { request: waiting }, proof: None }).await.unwrap();
    refusal(&desk.answer(waiting).await);
    assert_eq!(desk.node.desk.len(), 0);

    // Nothing about it, a nameless asker, the owner's own iCore: no.
    let about = |about: &str, asker| Op::Disclose { asker, capability: Capability::Retrieve, about: about.into() };
    refusal(&desk.one(about("zeppelins over Reykjavik", editor())).await);
    refusal(&desk.one(about("the train to Porto", Asker::App(" ".into()))).await);
    for op in [about(" ", editor()), about("the train to Porto", Asker::Own)] {
        let said = desk.one(op).await;
        assert!(matches!(&said, Event::Failed { failure } if failure.kind == ErrorKind::Usage), "{said:?}");
    }
    assert_eq!(desk.disclosures().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_refuses_what_waits_and_what_comes() {
    let mut desk = with_train().await;
    let waiting = desk.ask(request(editor()), None).await;
    desk.asking().await;
    desk.one(Op::Kill).await;
    refusal(&desk.answer(waiting).await);
    refusal(&desk.one(request(editor())).await);
    assert_eq!((desk.node.desk.len(), desk.disclosures().await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_meanwhile_does_not_leave() {
    let mut desk = with_train().await;
    let waiting = desk.ask(request(editor()), None).await;
    let asking = desk.asking().await;
    let Event::Hits { hits } = desk.one(Op::Search { query: "Porto".into(), k: 1 }).await else { panic!("hits") };
    let target = ForgetTarget::Item { item: hits[0].item };
    desk.one(Op::Forget { target, dry_run: false }).await;
    refusal(&desk.answer(waiting).await);
    assert_eq!(desk.node.desk.len(), 0);
    let said = desk.owner(Op::Answer { id: asking.id, verdict: Verdict::Once }).await;
    assert!(matches!(said, Event::Failed { .. }), "{said:?}");
    assert_eq!(desk.disclosures().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_wait() {
    let mut desk = with_train().await;
    let ids: Vec<u64> = {
        let mut ids = Vec::new();
        for n in 0..16 {
            ids.push(desk.ask(request(Asker::App(format!("app{n}"))), None).await);
        }
        ids
    };
    while desk.node.desk.len() < 16 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    refusal(&desk.one(request(editor())).await);
    assert!(desk.ledger().await.last().unwrap().contains("too many"));
    let Event::Status { status } = desk.one(Op::Status).await else { panic!("a status") };
    assert_eq!(status.asking, 16);
    desk.one(Op::Kill).await;
    for id in ids {
        refusal(&desk.answer(id).await);
    }
}
