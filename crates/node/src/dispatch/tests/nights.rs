//! What the owner wishes of the nights: answers that were taken are learned from, vetoed sentences are not, and what was
//! learned from an answer goes with it.

use super::*;
use crate::flows::sleep::{Learnable, learnable};
use crate::protocol::{
    After, Asker, Capability, Changed, Citation, Competence, Composition, DeltaForm, DeltaKind, Feedback, Filter,
    GrantDraft, Limits, Message, MessageId, MessageStats, Mode, Night, Outcome, Role, Scope, SleepPlan, Span, Thumb,
    Turn,
};
use hinet_vault::records::{DeltaRow, SeatRow};

const NOTE: &str =
    "# Trip\n\nThe train to Porto leaves at 14:39 from platform 4.\n\nThe hotel costs 85 euros a night.\n";
const VETOED: &str = "The train to Porto leaves at 14:39 from platform 4.";

fn night(node: &Node, changed: Vec<Changed>) -> u64 {
    let report = Night {
        night: 1,
        began: 1,
        ended: Some(2),
        outcome: Outcome::Kept,
        why: "it passed the test".into(),
        plan: SleepPlan::default(),
        learned: vec![],
        answers: 1,
        refused: vec![],
        views: 1,
        steps: 1,
        losses: vec![],
        scores: None,
        changed,
        delta: None,
        wore: None,
        strength: 1.0,
        shared: None,
    };
    node.vault
        .write(|tx| {
            let n = tx.begin_night(1, &serde_json::to_string(&report).unwrap())?;
            let mut row = tx.night(n)?.unwrap();
            row.open = false;
            tx.put_night(&row, &[])?;
            Ok::<_, hinet_vault::VaultError>(n)
        })
        .unwrap()
}

impl Desk {
    async fn may_learn(&mut self) {
        self.may_learn_from(Scope { everything: true, ..Scope::default() }, Filter::default()).await;
    }

    async fn may_learn_from(&mut self, scope: Scope, filter: Filter) {
        let draft = GrantDraft {
            asker: Asker::Own,
            capability: Capability::Train,
            scope,
            filter,
            limits: Limits::default(),
            purpose: "sleep".into(),
        };
        let said = self.owner(Op::Grant { draft }).await;
        assert!(matches!(said, Event::Grants { .. }), "{said:?}");
    }

    async fn learnable(&self) -> Result<Learnable, crate::failure::NodeError> {
        self.node.apart("what may be learned from", learnable).await
    }

    async fn nights(&mut self, op: Op) -> Vec<Night> {
        match self.one(op).await {
            Event::Nights { nights, .. } => nights,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_were_taken_are_learned_from_and_what_was_learned_goes_with_them() {
    let mut desk = Desk::open().await;
    let mut said = Vec::new();
    for (question, feedback) in [
        ("What can you do?", Feedback { accepted: true, ..Feedback::default() }),
        ("What is your name?", Feedback { edited: Some(" I am called icore. ".into()), ..Feedback::default() }),
        ("Who are you?", Feedback { thumb: Some(Thumb::Down), ..Feedback::default() }),
    ] {
        let op = Op::Chat { session: None, text: question.into(), turn: Turn::default(), params: Default::default() };
        let Event::ChatDone { answer } = desk.one(op).await else { panic!("an answer") };
        let op = Op::Feedback { message: answer.message, feedback };
        assert!(matches!(desk.one(op).await, Event::Done));
        said.push(answer);
    }
    let refused = desk.learnable().await.unwrap_err();
    assert!(refused.to_string().contains("No grant lets icore learn"), "{refused}");
    desk.may_learn().await;
    let (texts, answers, refused) = desk.learnable().await.unwrap();
    assert!(texts.is_empty() && refused.is_empty(), "{refused:?}");
    let mut questions: Vec<&str> = answers.iter().map(|[question, _]| question.as_str()).collect();
    questions.sort_unstable();
    assert_eq!(questions, ["What can you do?", "What is your name?"]);
    assert!(answers.contains(&["What is your name?".into(), "I am called icore.".into()]), "{answers:?}");

    // The night that learned from the second answer goes with its conversation, and with no other one.
    let n = night(&desk.node, vec![]);
    let message = said[1].message;
    desk.node.vault.write(|tx| tx.put_night_messages(n, &[message])).unwrap();
    // What it made for others takes part in an assembly, beside a delta of somebody else's.
    let learned = Hash([9; 32]);
    desk.node
        .vault
        .write(|tx| {
            for (hash, name, kind) in [
                (Hash([6; 32]), "night 1", DeltaKind::Private),
                (learned, "night 1 for others", DeltaKind::Public),
                (Hash([8; 32]), "kitchen", DeltaKind::Imported),
            ] {
                let (name, said) = (name.to_owned(), String::new());
                tx.put_delta(&DeltaRow { hash, kind, object: hash, at: 1, name, said, bytes: 1, worn: false })?;
                if kind == DeltaKind::Private {
                    continue;
                }
                let (assembly, none) = ("house".to_owned(), "{}".to_owned());
                let (signature, admitted) = (none.clone(), none);
                tx.put_seat(&SeatRow { assembly, delta: hash, anchor: Hash([7; 32]), at: 1, signature, admitted })?;
            }
            let mut row = tx.night(n)?.unwrap();
            (row.delta, row.shared) = (Some(Hash([6; 32])), Some(learned));
            tx.put_night(&row, &[])
        })
        .unwrap();
    let left = "the delta night 1 for others has left the assembly house, of which 1 are left";
    for (gone, outcome) in [(0, Outcome::Kept), (1, Outcome::Forgotten)] {
        let target = ForgetTarget::Session { session: said[gone].session };
        let forgotten = desk.one(Op::Forget { target, dry_run: false }).await;
        assert!(matches!(forgotten, Event::Forgotten { .. }), "{forgotten:?}");
        assert_eq!(desk.nights(Op::Nights { limit: 9 }).await[0].outcome, outcome);
        let seats = desk.node.vault.read(|r| r.seats()).unwrap();
        let (said, seated) = (desk.ledger().await.iter().any(|line| line == left), seats.len());
        assert_eq!((said, seated), if outcome == Outcome::Kept { (false, 2) } else { (true, 1) });
    }
    assert_eq!(desk.node.vault.read(|r| r.deltas()).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vetoed_sentence_is_not_learned_from_until_the_veto_is_taken_back() {
    let mut desk = Desk::open().await;
    let path = desk.file("trip.md", NOTE);
    desk.ingest(&path).await;
    desk.may_learn().await;
    let changed = Changed {
        question: "When does the train leave?".into(),
        old: "At noon.".into(),
        new: "At 14:39.".into(),
        right: true,
        item: crate::protocol::ItemId::new(),
        source: path.display().to_string(),
        fact: VETOED.into(),
        vetoed: false,
    };
    let old = Changed { fact: String::new(), ..changed.clone() };
    let n = night(&desk.node, vec![changed, old]);
    for (night, line) in [(n, 0), (n, 2), (n, 3), (n, u64::MAX), (n + 1, 1)] {
        let said = desk.one(Op::Veto { night, line, vetoed: true }).await;
        assert!(matches!(&said, Event::Failed { failure } if !failure.hint.is_empty()), "{night} {line}: {said:?}");
    }
    assert!(desk.nights(Op::Veto { night: n, line: 1, vetoed: true }).await[0].changed[0].vetoed);
    let (texts, _, refused) = desk.learnable().await.unwrap();
    assert!(!texts[0].contains("14:39") && texts[0].contains("85 euros"), "{texts:?}");
    assert_eq!(refused, ["1 sentence: you vetoed it"]);
    // The memory still has it, and the ledger does not.
    let Event::Hits { hits } = desk.one(Op::Search { query: "train".into(), k: 1 }).await else { panic!("hits") };
    assert!(hits[0].text.contains("14:39"), "{hits:?}");
    assert!(desk.ledger().await.iter().all(|line| !line.contains("14:39")));

    assert!(!desk.nights(Op::Veto { night: n, line: 1, vetoed: false }).await[0].changed[0].vetoed);
    let (texts, _, refused) = desk.learnable().await.unwrap();
    assert!(texts[0].contains("14:39") && refused.is_empty(), "{texts:?} {refused:?}");
}

/// An answer with nothing around it.
fn said(text: &str) -> Message {
    Message {
        id: MessageId::new(),
        role: Role::Assistant,
        text: text.into(),
        at: 1,
        citations: vec![],
        stats: None,
        parent: None,
        siblings: vec![],
        onward: 0,
        attached: vec![],
        feedback: Feedback::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_members_of_an_assembly_said_is_not_learned_unless_it_is_written_anew() {
    let mut desk = Desk::open().await;
    let op = Op::Chat { session: None, text: "Who are you?".into(), turn: Turn::default(), params: Default::default() };
    let Event::ChatDone { answer } = desk.one(op).await else { panic!("an answer") };
    desk.may_learn().await;
    let mut learned = Vec::new();
    for (mode, edited) in
        [(Mode::Own, None), (Mode::Route, None), (Mode::Mix, Some("It lies at pier nine.".to_owned()))]
    {
        let composed = Composition {
            assembly: "house".into(),
            hash: crate::protocol::Hash([1; 32]),
            mode,
            why: "it is nearest".into(),
            near: vec![],
        };
        let stats = MessageStats { composed: Some(composed), ..MessageStats::default() };
        let said = Message { stats: Some(stats), ..said(mode.word()) };
        desk.node.vault.write(|tx| tx.put_message(answer.session, &said, After::Message(answer.question))).unwrap();
        let feedback = Feedback { accepted: true, edited, ..Feedback::default() };
        assert!(matches!(desk.one(Op::Feedback { message: said.id, feedback }).await, Event::Done));
        let (_, answers, refused) = desk.learnable().await.unwrap();
        learned.push((answers.len(), refused.len()));
    }
    assert_eq!(learned, [(1, 0), (1, 1), (2, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_without_what_the_grant_of_anything_it_stands_on_withholds() {
    let mut desk = Desk::open().await;
    let path = desk.file("ana/ana.md", "# Ana\n\nAna is at ana.reis@example.org on Mondays.\n");
    desk.ingest(&path).await;
    let Event::Hits { hits } = desk.one(Op::Search { query: "Ana".into(), k: 1 }).await else { panic!("hits") };
    let op = Op::Chat { session: None, text: "Who are you?".into(), turn: Turn::default(), params: Default::default() };
    let Event::ChatDone { answer } = desk.one(op).await else { panic!("an answer") };
    let cited = Citation {
        item: hits[0].item,
        source: hits[0].source.clone(),
        span: Span { ..hits[0].span },
        text: hits[0].text.clone(),
        member: None,
    };
    let said = Message { citations: vec![cited], ..said("Write to ana.reis@example.org.") };
    desk.node.vault.write(|tx| tx.put_message(answer.session, &said, After::Message(answer.question))).unwrap();
    let taken = Feedback { accepted: true, ..Feedback::default() };
    assert!(matches!(desk.one(Op::Feedback { message: said.id, feedback: taken }).await, Event::Done));

    let nothing = Filter { withhold: vec![], ..Filter::default() };
    desk.may_learn_from(Scope { everything: true, ..Scope::default() }, nothing).await;
    let (_, answers, _) = desk.learnable().await.unwrap();
    assert!(answers[0][1].contains("ana.reis@example.org"), "{answers:?}");
    let folder = path.parent().unwrap().display().to_string();
    let mail = Filter { withhold: vec!["email".into()], ..Filter::default() };
    desk.may_learn_from(Scope { folders: vec![folder], ..Scope::default() }, mail).await;
    let (_, answers, _) = desk.learnable().await.unwrap();
    assert!(!answers[0][1].contains("example.org") && answers[0][1].starts_with("Write to"), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_night_learned_is_signed_seated_and_let_out_for_nobody_else() {
    let mut desk = Desk::open().await;
    let (private, public) = (Hash([6; 32]), Hash([9; 32]));
    desk.node
        .vault
        .write(|tx| {
            for (hash, kind) in [(private, DeltaKind::Private), (public, DeltaKind::Public)] {
                let (name, said) = (format!("{kind:?}"), String::new());
                tx.put_delta(&DeltaRow { hash, kind, object: hash, at: 1, name, said, bytes: 1, worn: false })?;
            }
            Ok::<_, hinet_vault::VaultError>(())
        })
        .unwrap();
    let folder = desk.dir.path().join("out").display().to_string();
    for (hash, refused) in [(private, [true, true, true, false]), (public, [false; 4])] {
        let sign = Op::DeltaSign { hash, prompts: vec![], published: "the page".into() };
        let competence = Competence::Signature { signature: String::new() };
        let join = Op::AssemblyJoin { assembly: "house".into(), delta: hash, competence };
        let export = |private: bool| Op::DeltaExport { hash, folder: folder.clone(), form: DeltaForm::Peft, private };
        let said = [
            desk.one(sign).await,
            desk.one(join).await,
            desk.owner(export(false)).await,
            // The owner's own word is enough for a copy; here there are no numbers to copy.
            desk.owner(export(true)).await,
        ];
        assert!(said.iter().all(|event| matches!(event, Event::Failed { .. })), "{said:?}");
        let alone = |event: &Event| matches!(event, Event::Failed { failure } if failure.message.contains("you alone"));
        assert_eq!(said.iter().map(alone).collect::<Vec<_>>(), refused, "{said:?}");
    }
}
