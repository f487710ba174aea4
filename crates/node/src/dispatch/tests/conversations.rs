//! Conversations at the node: branches, answering again, copies, finding, feedback, drafts, incognito, forgetting.
//! Questions about icore itself are answered without a model, so none is needed here.

use super::*;
use crate::protocol::{
    After, Answer, Draft, Feedback, Found, Message, MessageId, Said, SessionChange, SessionId, SessionLine, Thumb, Turn,
};

const ABOUT: &str = "What can you do?";
const ABOUT_TOO: &str = "What is your name?";

impl Desk {
    async fn say(&mut self, session: Option<SessionId>, text: &str, turn: Turn) -> Answer {
        let op = Op::Chat { session, text: text.into(), turn, params: Default::default() };
        match self.one(op).await {
            Event::ChatDone { answer } => *answer,
            other => panic!("{other:?}"),
        }
    }

    async fn again(&mut self, session: SessionId, message: MessageId) -> Event {
        self.one(Op::Regenerate { session, message, turn: Turn::default(), params: Default::default() }).await
    }

    async fn seen(&mut self, op: Op) -> Vec<Message> {
        match self.one(op).await {
            Event::Messages { messages } => messages,
            other => panic!("{other:?}"),
        }
    }

    async fn sessions(&mut self) -> Vec<SessionLine> {
        match self.one(Op::Sessions).await {
            Event::Sessions { sessions } => sessions,
            other => panic!("{other:?}"),
        }
    }

    async fn found(&mut self, query: &str) -> Vec<Found> {
        match self.one(Op::Find { query: query.into(), k: 10 }).await {
            Event::Found { found } => found,
            other => panic!("{other:?}"),
        }
    }

    async fn done(&mut self, op: Op) {
        let said = self.one(op).await;
        assert!(matches!(said, Event::Done), "{said:?}");
    }

    fn holds(&self, marker: &str) -> bool {
        let mut all = Vec::new();
        self.node.vault.for_each_page(&mut |page| all.extend_from_slice(page)).unwrap();
        assert!(all.starts_with(b"SQLite format 3\0"), "these are decrypted pages");
        all.windows(marker.len()).any(|window| window == marker.as_bytes())
    }
}

fn ids(messages: &[Message]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

fn failed(event: &Event) -> &Failure {
    match event {
        Event::Failed { failure } => {
            assert!(!failure.message.is_empty() && !failure.hint.is_empty(), "a sentence and a hint: {failure:?}");
            failure
        }
        other => panic!("a failure was expected, not {other:?}"),
    }
}

fn after(message: MessageId) -> Turn {
    Turn { after: After::Message(message), ..Turn::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_question_and_an_answer_made_again_stand_beside_the_old_ones() {
    let mut desk = Desk::open().await;
    let turn = Turn { attached: vec!["plan.pdf".into()], ..Turn::default() };
    let first = desk.say(None, ABOUT, turn).await;
    let session = first.session;
    let second = desk.say(Some(session), ABOUT_TOO, Turn::default()).await;
    let all = desk.seen(Op::Messages { session }).await;
    assert_eq!(ids(&all), [first.question, first.message, second.question, second.message]);
    assert_eq!((all[0].attached.as_slice(), all[2].parent), (&["plan.pdf".to_owned()][..], Some(first.message)));

    // Edited: a message after the same parent.
    let edited = desk.say(Some(session), "Who are you?", after(first.message)).await;
    let seen = desk.seen(Op::Messages { session }).await;
    assert_eq!(seen[2].siblings, [second.question, edited.question]);
    let start = Turn { after: After::Start, ..Turn::default() };
    let other = desk.say(Some(session), ABOUT_TOO, start).await;
    let seen = desk.seen(Op::Messages { session }).await;
    assert_eq!(
        (ids(&seen), &seen[0].siblings),
        (vec![other.question, other.message], &vec![first.question, other.question])
    );

    // By the answer, or by its question; each time one more.
    let seen = desk.seen(Op::Branch { session, message: second.question }).await;
    assert_eq!(ids(&seen), ids(&all));
    let mut answers = vec![second.message];
    for message in [second.message, second.question] {
        let Event::ChatDone { answer } = desk.again(session, message).await else { panic!("an answer") };
        assert_eq!(answer.question, second.question);
        answers.push(answer.message);
    }
    let seen = desk.seen(Op::Messages { session }).await;
    assert_eq!((seen[3].id, &seen[3].siblings), (answers[2], &answers));

    let seen = desk.seen(Op::Rewind { session, message: Some(first.message) }).await;
    assert_eq!((ids(&seen), seen[1].onward), (vec![first.question, first.message], 2));
    assert!(desk.seen(Op::Rewind { session, message: None }).await.is_empty());
    assert_eq!(desk.sessions().await[0].messages, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_does_not_pull_a_conversation_away_from_where_it_was_turned() {
    let mut desk = Desk::open().await;
    let one = desk.say(None, ABOUT, Turn::default()).await;
    let session = one.session;
    let two = desk.say(Some(session), ABOUT_TOO, Turn { after: After::Start, ..Turn::default() }).await;
    // Answered again from another branch: it is where the conversation was asked to go.
    let Event::ChatDone { answer } = desk.again(session, one.question).await else { panic!("an answer") };
    assert_eq!(desk.seen(Op::Messages { session }).await.last().unwrap().id, answer.message);
    // Two at once: both are kept.
    let again = Op::Regenerate { session, message: two.question, turn: Turn::default(), params: Default::default() };
    let (a, b) = (desk.ask(again.clone(), None).await, desk.ask(again, None).await);
    for id in [a, b] {
        let said = desk.answer(id).await;
        assert!(matches!(said, Event::ChatDone { .. }), "{said:?}");
    }
    let seen = desk.seen(Op::Messages { session }).await;
    assert_eq!((seen[0].id, seen[1].siblings.len()), (two.question, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_with_a_hint() {
    let mut desk = Desk::open().await;
    let said = desk.say(None, ABOUT, Turn::default()).await;
    let (session, nowhere) = (said.session, MessageId::new());
    let (turn, params) = (after(nowhere), crate::protocol::ChatParams::default());
    let chat = |session| Op::Chat { session, text: ABOUT.into(), turn: turn.clone(), params: params.clone() };
    let gone = SessionId::new();
    for op in [
        chat(None),
        chat(Some(session)),
        chat(Some(gone)),
        Op::Regenerate { session, message: nowhere, turn: Turn::default(), params: params.clone() },
        Op::Regenerate { session: gone, message: said.message, turn: Turn::default(), params: params.clone() },
        Op::Messages { session: gone },
        Op::Branch { session, message: nowhere },
        Op::Rewind { session, message: Some(nowhere) },
        Op::Fork { session: gone, message: said.message },
        Op::SessionChange { session: gone, change: SessionChange::default() },
        Op::SessionChange {
            session,
            change: SessionChange { title: Some("x".repeat(1000)), ..SessionChange::default() },
        },
        Op::Feedback { message: nowhere, feedback: Feedback::default() },
        Op::Feedback { message: said.question, feedback: Feedback { accepted: true, ..Feedback::default() } },
        Op::Draft { draft: Draft { session: Some(gone), text: "x".into() } },
        Op::Forget { target: ForgetTarget::Session { session: gone }, dry_run: true },
        Op::Forget { target: ForgetTarget::Session { session: gone }, dry_run: false },
        Op::LetOut { way: "by \u{1b}[2J pigeon".into(), bytes: 1 },
    ] {
        failed(&desk.one(op).await);
    }
    assert_eq!(desk.sessions().await.len(), 1, "no conversation was begun by any of them");
    assert_eq!(desk.seen(Op::Messages { session }).await.len(), 2);
    // An answer whose question was forgotten by itself.
    let (question, orphan) = (MessageId::new(), MessageId::new());
    let seen = desk.seen(Op::Messages { session }).await;
    let written: Result<u64, NodeError> = desk.node.vault.write(|tx| {
        tx.put_message(session, &Message { id: question, at: 5, ..seen[0].clone() }, After::Head)?;
        tx.put_message(session, &Message { id: orphan, ..seen[1].clone() }, After::Head)?;
        Ok(tx.delete_messages_between(5, 6)?)
    });
    assert_eq!(written.unwrap(), 1);
    let said = desk.again(session, orphan).await;
    assert!(failed(&said).message.contains("question"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_a_conversation_of_its_own() {
    let mut desk = Desk::open().await;
    let one = desk.say(None, ABOUT, Turn::default()).await;
    desk.say(Some(one.session), ABOUT_TOO, Turn::default()).await;
    let Event::Sessions { sessions } = desk.one(Op::Fork { session: one.session, message: one.message }).await else {
        panic!("its line")
    };
    let [copy] = sessions.as_slice() else { panic!("its line alone: {sessions:?}") };
    assert_eq!((copy.title.as_str(), copy.messages), (ABOUT, 2));
    let seen = desk.seen(Op::Messages { session: copy.id }).await;
    assert!(seen[0].id != one.question && seen[1].parent == Some(seen[0].id));
    let change = SessionChange { title: Some("  two\nlines ".into()), pinned: Some(true), archived: None };
    desk.done(Op::SessionChange { session: one.session, change }).await;
    // What goes of the copy does not go of the original.
    let (target, dry_run) = (ForgetTarget::Session { session: copy.id }, false);
    let said = desk.one(Op::Forget { target, dry_run }).await;
    assert!(matches!(&said, Event::Forgotten { report } if report.messages == 2), "{said:?}");
    assert_eq!(desk.seen(Op::Messages { session: one.session }).await.len(), 4);
    let lines = desk.sessions().await;
    assert_eq!((lines[0].title.as_str(), lines[0].pinned, lines.len()), ("two lines", true, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_conversations_are_found_newest_first() {
    let mut desk = Desk::open().await;
    let one = desk.say(None, ABOUT, Turn::default()).await;
    let two = desk.say(None, ABOUT_TOO, Turn::default()).await;
    desk.done(Op::SessionChange {
        session: one.session,
        change: SessionChange { archived: Some(true), title: Some("kept away".into()), pinned: None },
    })
    .await;
    let found = desk.found("\"CAN you\" what").await;
    let places: Vec<_> = found.iter().filter(|hit| hit.role == crate::protocol::Role::User).collect();
    assert_eq!((places.len(), places[0].message, places[0].title.as_str()), (1, one.question, "kept away"));
    assert_eq!(places[0].excerpt, ABOUT);
    let found = desk.found("your").await;
    assert!(found.windows(2).all(|pair| pair[0].at >= pair[1].at), "{found:?}");
    assert!(found.iter().any(|hit| hit.session == two.session));
    assert!(desk.found("\"you can what\"").await.is_empty() && desk.found(" \" ").await.is_empty());
    let Event::Typed { said, drafts } = desk.one(Op::Typed { limit: 10 }).await else { panic!("what was typed") };
    assert_eq!((said, drafts), (vec![ABOUT_TOO.to_owned(), ABOUT.to_owned()], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_is_kept_and_nobody_else_comes_upon_it() {
    let mut desk = Desk::open().await;
    let said = desk.say(None, ABOUT, Turn::default()).await;
    let marker = "cormorant ledger seven";
    let feedback = Feedback { thumb: Some(Thumb::Down), edited: Some(marker.into()), accepted: true };
    desk.done(Op::Feedback { message: said.message, feedback: feedback.clone() }).await;
    assert_eq!(desk.seen(Op::Messages { session: said.session }).await[1].feedback, feedback);
    assert!(desk.holds(marker), "the search finds what is there");
    // Not in the search, in no item, in no line of the ledger, in no conversation that is searched.
    let Event::Hits { hits } = desk.one(Op::Search { query: marker.into(), k: 10 }).await else { panic!("hits") };
    assert!(hits.is_empty() && desk.found(marker).await.is_empty());
    assert!(desk.ledger().await.iter().all(|line| !line.contains("cormorant")));
    desk.done(Op::Feedback { message: said.message, feedback: Feedback::default() }).await;
    assert!(desk.seen(Op::Messages { session: said.session }).await[1].feedback.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incognito_turn_leaves_no_trace() {
    let mut desk = Desk::open().await;
    let before = (desk.node.vault.head(), desk.ledger().await.len());
    let marker = "quagga under the viaduct";
    let said = |role, text: &str| Said { role, text: text.into() };
    let history = vec![
        said(crate::protocol::Role::User, &format!("tell me of the {marker}")),
        said(crate::protocol::Role::Assistant, &format!("{marker}, gladly")),
    ];
    let turn = Turn { incognito: Some(history), attached: vec![marker.into()], ..Turn::default() };
    let answer = desk.say(None, ABOUT, turn.clone()).await;
    assert!(!answer.answer.is_empty());
    // One that needs the model fails here, and leaves nothing either.
    let text = format!("Write a poem about the {marker}");
    let op = Op::Chat { session: Some(answer.session), text, turn, params: Default::default() };
    failed(&desk.one(op).await);
    assert!(desk.sessions().await.is_empty());
    failed(&desk.one(Op::Messages { session: answer.session }).await);
    assert!(desk.found("quagga").await.is_empty());
    assert_eq!((desk.node.vault.head(), desk.ledger().await.len()), before, "nothing was written at all");
    assert!(!desk.holds(marker));
    let mut folders = vec![desk.dir.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                files += 1;
                assert!(!bytes.windows(marker.len()).any(|w| w == marker.as_bytes()), "{}", path.display());
            }
        }
    }
    assert!(files > 3, "the home was looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_conversation_is_gone_with_its_draft_and_what_was_thought_of_it() {
    let mut desk = Desk::open().await;
    let said = desk.say(None, ABOUT, Turn::default()).await;
    let session = said.session;
    let Event::ChatDone { .. } = desk.again(session, said.question).await else { panic!("an answer") };
    let kept = desk.say(None, ABOUT_TOO, Turn::default()).await;
    let (draft, edited, title) = ("heron draft text", "heron edited text", "heron title text");
    desk.done(Op::Draft { draft: Draft { session: Some(session), text: draft.into() } }).await;
    desk.done(Op::Draft { draft: Draft { session: None, text: "stays".into() } }).await;
    let feedback = Feedback { edited: Some(edited.into()), ..Feedback::default() };
    desk.done(Op::Feedback { message: said.message, feedback }).await;
    let change = SessionChange { title: Some(title.into()), ..SessionChange::default() };
    desk.done(Op::SessionChange { session, change }).await;
    assert!([draft, edited, title].iter().all(|marker| desk.holds(marker)));

    let target = ForgetTarget::Session { session };
    let Event::Forgotten { report } = desk.one(Op::Forget { target: target.clone(), dry_run: true }).await else {
        panic!("a preview")
    };
    assert_eq!((report.messages, report.items, report.done), (3, 0, false));
    assert_eq!(desk.sessions().await.len(), 2);
    let Event::Forgotten { report } = desk.one(Op::Forget { target, dry_run: false }).await else {
        panic!("forgotten")
    };
    assert_eq!((report.messages, report.items, report.done), (3, 0, true));
    for marker in [draft, edited, title] {
        assert!(!desk.holds(marker), "{marker}");
    }
    let lines = desk.ledger().await;
    assert_eq!(lines.last().unwrap(), "a conversation of 3 messages was forgotten at the owner's word");
    let left = desk.sessions().await;
    assert_eq!((left.len(), left[0].id), (1, kept.session));
    let Event::Typed { said, drafts } = desk.one(Op::Typed { limit: 10 }).await else { panic!("what was typed") };
    assert_eq!((said.len(), drafts.len(), drafts[0].text.as_str()), (1, 1, "stays"));
    failed(&desk.again(session, kept.message).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_let_out_is_a_line_without_its_words_and_no_switch_hides_it() {
    let mut desk = Desk::open().await;
    desk.done(Op::Kill).await;
    desk.done(Op::LetOut { way: "editor".into(), bytes: 120 }).await;
    desk.done(Op::LetOut { way: "file".into(), bytes: 1 }).await;
    let lines = desk.ledger().await;
    let last: Vec<&str> = lines.iter().rev().take(2).map(String::as_str).collect();
    assert_eq!(
        last,
        ["1 byte was saved to a file where the owner put it", "120 bytes of a draft were handed to an editor"]
    );
    let op = Op::Regenerate {
        session: SessionId::new(),
        message: MessageId::new(),
        turn: Turn::default(),
        params: Default::default(),
    };
    assert!(refusal(&desk.one(op).await).contains("kill switch"));
}
