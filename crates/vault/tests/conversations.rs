//! Conversations branch, are turned, copied and thought about; whatever is forgotten of them, what is left is a tree.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod testkit;

use hinet_protocol::{
    After, Draft, Feedback, Hit, Message, MessageId, MessageStats, Role, ScoreParts, SessionChange, SessionId, Span,
    Thumb,
};
use hinet_vault::records::Tx;
use hinet_vault::{Vault, VaultError};
use std::collections::HashSet;
use testkit::{Outcome, create, item, message, source, whole};

fn user(text: &str) -> Message {
    message(Role::User, text, 1, None)
}

fn icore(text: &str) -> Message {
    message(Role::Assistant, text, 1, None)
}

fn ids(messages: &[Message]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

fn home() -> (tempfile::TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    (dir, vault)
}

#[test]
fn branches_stand_side_by_side_and_a_conversation_is_on_one() {
    let (_dir, vault) = home();
    let session = SessionId::new();
    let (q, a, b, next, edited) = (user("q"), icore("a"), icore("b"), user("next"), user("q, edited"));
    vault
        .write(|tx| -> Outcome {
            tx.put_session(session, "q", 1)?;
            tx.put_message(session, &q, After::Head)?;
            tx.put_message(session, &a, After::Head)?;
            tx.put_message(session, &next, After::Head)?;
            tx.put_message(session, &b, After::Message(q.id))?;
            let seen = tx.messages(session)?;
            assert_eq!(ids(&seen), [q.id, b.id]);
            assert_eq!((seen[1].parent, seen[1].siblings.as_slice()), (Some(q.id), &[a.id, b.id][..]));
            assert!(seen[0].siblings.is_empty());
            // The branch through the first answer ends where it was added to.
            tx.turn_to(session, a.id)?;
            assert_eq!(ids(&tx.messages(session)?), [q.id, a.id, next.id]);
            // Rewound: what follows is a branch that is not shown.
            tx.set_head(session, Some(q.id))?;
            let seen = tx.messages(session)?;
            assert_eq!((ids(&seen), seen[0].onward), (vec![q.id], 2));
            tx.set_head(session, None)?;
            assert!(tx.messages(session)?.is_empty());
            assert_eq!(tx.head(session)?, None);
            // A first message beside the first.
            tx.put_message(session, &edited, After::Start)?;
            let seen = tx.messages(session)?;
            assert_eq!((seen.len(), seen[0].siblings.as_slice()), (1, &[q.id, edited.id][..]));
            // Through a message in the middle, to the youngest end below it.
            tx.turn_to(session, q.id)?;
            assert_eq!(tx.head(session)?, Some(b.id));
            assert_eq!(ids(&tx.path(session, next.id, 2)?), [a.id, next.id]);
            assert_eq!(tx.path(session, next.id, 2)?[0].parent, Some(q.id));
            assert!(tx.is_below(session, next.id, q.id)? && !tx.is_below(session, b.id, a.id)?);
            assert_eq!(tx.sessions()?[0].messages, 5);
            Ok(())
        })
        .unwrap();
}

#[test]
fn nothing_hangs_on_what_is_not_in_the_conversation() {
    let (_dir, vault) = home();
    let (one, other, q) = (SessionId::new(), SessionId::new(), user("q"));
    let missing = |outcome: Outcome| assert!(matches!(outcome, Err(VaultError::Missing { .. })), "{outcome:?}");
    vault
        .write(|tx| -> Outcome {
            tx.put_session(one, "one", 1)?;
            tx.put_session(other, "other", 1)?;
            tx.put_message(one, &q, After::Head)?;
            missing(tx.put_message(other, &icore("a"), After::Message(q.id)));
            missing(tx.turn_to(other, q.id));
            missing(tx.set_head(other, Some(q.id)));
            missing(tx.fork(other, q.id, SessionId::new(), 1));
            missing(tx.change_session(SessionId::new(), &SessionChange::default()));
            missing(tx.put_feedback(MessageId::new(), &Feedback::default(), 1));
            missing(tx.put_draft(&Draft { session: Some(SessionId::new()), text: "x".into() }, 1));
            missing(tx.delete_session(SessionId::new()).map(drop));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_copy_has_ids_of_its_own_and_everything_else() {
    let (_dir, vault) = home();
    let source = source();
    let row = item(source.id, "/notes/a", "the 14:39 from Oriente, then a walk");
    let hit = Hit {
        item: row.id,
        source: row.key.clone(),
        title: row.title.clone(),
        text: "the 14:39 from Oriente".into(),
        span: Span { start: 0, end: 22 },
        score: 0.5,
        parts: ScoreParts { bm25: 0.25, vector: 0.75, recency: 1.0 },
        modified: row.modified,
        kind: row.kind.clone(),
        pinned: false,
    };
    let (session, copy) = (SessionId::new(), SessionId::new());
    let mut q = user("when?");
    q.attached = vec!["tickets.pdf".into()];
    let mut a = message(Role::Assistant, "At 14:39. [1]", 2, Some(row.id));
    a.stats = Some(MessageStats { how: "generated".into(), recalled: vec![hit.clone()], ..MessageStats::default() });
    let changed = "another text of the same length, ok";
    vault
        .write(|tx| -> Outcome {
            tx.put_source(&source)?;
            tx.put_item(&row, &whole(&row.text))?;
            tx.put_session(session, "when?", 1)?;
            tx.put_message(session, &q, After::Head)?;
            tx.put_message(session, &a, After::Head)?;
            tx.put_message(session, &user("later"), After::Head)?;
            tx.put_feedback(a.id, &Feedback { thumb: Some(Thumb::Up), ..Feedback::default() }, 3)?;
            tx.fork(session, a.id, copy, 9)?;
            let (old, new) = (tx.messages(session)?, tx.messages(copy)?);
            assert_eq!(old[1].stats.as_ref().unwrap().recalled, std::slice::from_ref(&hit));
            assert_eq!(old[0].attached, ["tickets.pdf"]);
            assert_eq!(old[1].feedback.thumb, Some(Thumb::Up));
            assert_eq!(new.len(), 2);
            assert!(new.iter().all(|message| old.iter().all(|other| other.id != message.id)));
            assert_eq!(new[1].parent, Some(new[0].id));
            assert_eq!((&new[1].citations, &new[1].stats), (&old[1].citations, &old[1].stats));
            assert_eq!((&new[0].attached, new[1].feedback.is_empty()), (&old[0].attached, true));
            let line = tx.session(copy)?.unwrap();
            assert_eq!((line.title.as_str(), line.messages, line.created), ("when?", 2, 9));
            // Where the text is another one now, the span would show words that were never recalled.
            let mut newer = row.clone();
            (newer.text, newer.hash) = (changed.into(), hinet_protocol::Hash([8; 32]));
            tx.put_item(&newer, &whole(changed))?;
            assert!(tx.messages(session)?[1].stats.as_ref().unwrap().recalled.is_empty());
            // Forgotten in both.
            assert_eq!(tx.delete_answers_citing(row.id)?, 2);
            tx.delete_item(row.id)?;
            tx.erase_attached(&["tickets.pdf".into()])?;
            assert!(tx.messages(session)?.iter().chain(&tx.messages(copy)?).all(|said| said.attached.is_empty()));
            assert_eq!((tx.messages(session)?.len(), tx.messages(copy)?.len()), (2, 1));
            Ok(())
        })
        .unwrap();
    assert!(vault.check().iter().all(|f| f.ok), "{:?}", vault.check());
}

#[test]
fn pinned_ones_come_first_and_a_draft_lives_with_its_conversation() {
    let (_dir, vault) = home();
    let (old, new) = (SessionId::new(), SessionId::new());
    let draft = |session, text: &str| Draft { session, text: text.into() };
    vault
        .write(|tx| -> Outcome {
            tx.put_session(old, "old", 1)?;
            tx.put_session(new, "new", 5)?;
            let change = SessionChange { pinned: Some(true), archived: Some(true), title: None };
            tx.change_session(old, &change)?;
            let lines = tx.sessions()?;
            assert_eq!(lines.iter().map(|line| line.id).collect::<Vec<_>>(), [old, new]);
            assert_eq!((lines[0].pinned, lines[0].archived, lines[0].updated), (true, true, 1));
            tx.change_session(old, &SessionChange { title: Some("renamed".into()), ..SessionChange::default() })?;
            let line = tx.session(old)?.unwrap();
            assert_eq!((line.title.as_str(), line.pinned), ("renamed", true));
            for (at, text) in [(1, "half"), (2, "half a thought")] {
                tx.put_draft(&draft(None, text), at)?;
                tx.put_draft(&draft(Some(old), text), at)?;
            }
            assert_eq!(tx.drafts()?, [draft(Some(old), "half a thought"), draft(None, "half a thought")]);
            tx.put_draft(&draft(None, ""), 3)?;
            tx.delete_session(old)?;
            assert!(tx.drafts()?.is_empty());
            Ok(())
        })
        .unwrap();
}

#[test]
fn feedback_is_replaced_and_goes_with_its_answer() {
    let (_dir, vault) = home();
    let (session, a) = (SessionId::new(), icore("a"));
    let thought = |tx: &Tx<'_>| -> Outcome<Feedback> { Ok(tx.messages(session)?[1].feedback.clone()) };
    vault
        .write(|tx| -> Outcome {
            tx.put_session(session, "q", 1)?;
            tx.put_message(session, &user("q"), After::Head)?;
            tx.put_message(session, &a, After::Head)?;
            let all = Feedback { thumb: Some(Thumb::Down), edited: Some("Better.".into()), accepted: true };
            tx.put_feedback(a.id, &all, 2)?;
            assert_eq!(thought(tx)?, all);
            let less = Feedback { edited: Some("the estuary at dawn".into()), ..Feedback::default() };
            tx.put_feedback(a.id, &less, 3)?;
            assert_eq!(thought(tx)?, less);
            // What was edited in goes with what is forgotten; the answer does not hold it and stays.
            assert_eq!(tx.delete_messages_containing(&["The Estuary".into()])?, 0);
            assert!(thought(tx)?.is_empty());
            tx.put_feedback(a.id, &all, 4)?;
            tx.put_feedback(a.id, &Feedback::default(), 5)?;
            assert!(thought(tx)?.is_empty());
            Ok(())
        })
        .unwrap();
}

/// The next of a fixed sequence of numbers below `n`.
fn draw(state: &mut u64, n: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % n
}

/// What a tree must be, whatever was done to it: read from every message that is left, by turning to it.
fn assert_sound(tx: &Tx<'_>, session: SessionId, left: &HashSet<MessageId>) {
    let Some(line) = tx.session(session).unwrap() else {
        assert!(left.is_empty(), "a conversation goes with its last message");
        return;
    };
    assert!(!left.is_empty(), "an empty conversation does not stay");
    assert_eq!(line.messages, left.len() as u64);
    let head = tx.head(session).unwrap();
    assert!(head.is_some_and(|head| left.contains(&head)), "the head is one of those left");
    for id in left {
        tx.set_head(session, Some(*id)).unwrap();
        let path = tx.messages(session).unwrap();
        assert_eq!(path.last().unwrap().id, *id);
        assert_eq!(path[0].parent, None, "each path begins at a first message");
        assert!(path.iter().all(|message| left.contains(&message.id)));
        for pair in path.windows(2) {
            assert_eq!(pair[1].parent, Some(pair[0].id));
        }
    }
    tx.set_head(session, head).unwrap();
}

#[test]
fn whatever_is_forgotten_of_a_random_tree_leaves_a_tree() {
    let (_dir, vault) = home();
    for seed in 0..40u64 {
        let mut state = seed;
        vault
            .write(|tx| -> Outcome {
                let session = SessionId::new();
                tx.put_session(session, "a tree", 1)?;
                let mut said: Vec<Message> = Vec::new();
                for n in 0..3 + draw(&mut state, 24) {
                    let role = if n % 2 == 0 { Role::User } else { Role::Assistant };
                    let mut one = message(role, &format!("tree {seed} message {n}."), n as i64, None);
                    let after = match draw(&mut state, 6) {
                        0 => After::Start,
                        1 | 2 if !said.is_empty() => After::Message(said[draw(&mut state, said.len())].id),
                        _ => After::Head,
                    };
                    tx.put_message(session, &one, after)?;
                    one.parent = tx.parent(one.id)?;
                    said.push(one);
                }
                let mut left: HashSet<MessageId> = said.iter().map(|message| message.id).collect();
                let mut parents: std::collections::HashMap<_, _> =
                    said.iter().map(|message| (message.id, message.parent)).collect();
                assert_sound(tx, session, &left);
                while !left.is_empty() {
                    let present = tx.head(session)?;
                    let turned = said[draw(&mut state, said.len())].id;
                    if left.contains(&turned) {
                        tx.set_head(session, Some(turned))?;
                    } else {
                        tx.set_head(session, present)?;
                    }
                    // One by its words, or a stretch of time.
                    let at = draw(&mut state, said.len());
                    let gone: Vec<&Message> = if draw(&mut state, 3) == 0 {
                        let to = (at + 4).min(said.len());
                        tx.delete_messages_between(at as i64, to as i64).map(|_| &said[at..to])?.iter().collect()
                    } else {
                        tx.delete_messages_containing(std::slice::from_ref(&said[at].text))?;
                        vec![&said[at]]
                    };
                    for message in gone.into_iter().filter(|message| left.remove(&message.id)) {
                        // Who hung on it hangs on whom it hung on.
                        let above = parents[&message.id];
                        parents.values_mut().filter(|p| **p == Some(message.id)).for_each(|p| *p = above);
                    }
                    assert_sound(tx, session, &left);
                    for id in &left {
                        assert_eq!(tx.parent(*id)?, parents[id]);
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    assert!(vault.check().iter().all(|f| f.ok), "{:?}", vault.check());
}

#[test]
fn what_was_taken_is_listed_and_nights_that_learned_from_what_is_gone_are_found() {
    let (_dir, vault) = home();
    let session = SessionId::new();
    let (q, good, bad, edited) = (user("q"), icore("good"), icore("bad"), icore("a secret"));
    let feedback = |thumb, edited: Option<&str>| Feedback { thumb, edited: edited.map(Into::into), accepted: false };
    let lost =
        |tx: &Tx<'_>| -> Outcome<Vec<u64>> { Ok(tx.nights_of_lost_answers()?.into_iter().map(|row| row.n).collect()) };
    vault
        .write(|tx| -> Outcome {
            tx.put_session(session, "q", 1)?;
            tx.put_message(session, &q, After::Head)?;
            for answer in [&good, &bad, &edited] {
                tx.put_message(session, answer, After::Message(q.id))?;
            }
            tx.put_feedback(good.id, &feedback(Some(Thumb::Up), None), 2)?;
            tx.put_feedback(bad.id, &feedback(Some(Thumb::Down), None), 3)?;
            tx.put_feedback(edited.id, &feedback(None, Some("Better.")), 4)?;
            let taken: Vec<_> = tx.taken()?.into_iter().map(|taken| (taken.question, taken.answer.id)).collect();
            assert_eq!(taken, [("q".to_owned(), edited.id), ("q".to_owned(), good.id)]);

            let (first, second) = (tx.begin_night(1, "{}")?, 2);
            let mut row = tx.night(first)?.unwrap();
            row.open = false;
            tx.put_night(&row, &[])?;
            assert_eq!(tx.begin_night(2, "{}")?, second);
            tx.put_night_messages(first, &[good.id])?;
            tx.put_night_messages(second, &[good.id, edited.id])?;
            assert!(lost(tx)?.is_empty());
            // An answer whose new wording goes counts like one that goes.
            tx.delete_messages_containing(&["better".into()])?;
            assert_eq!((lost(tx)?, tx.taken()?.len()), (vec![second], 1));
            tx.drop_night_messages(second)?;
            assert!(lost(tx)?.is_empty());
            tx.delete_session(session)?;
            assert_eq!(lost(tx)?, [first]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_veto_is_kept_once_and_taken_back() {
    let (_dir, vault) = home();
    vault
        .write(|tx| -> Outcome {
            tx.set_veto([1; 32], true, 1)?;
            tx.set_veto([1; 32], true, 2)?;
            tx.set_veto([2; 32], false, 2)?;
            assert_eq!(tx.vetoes()?.into_iter().collect::<Vec<_>>(), [[1; 32]]);
            tx.set_veto([1; 32], false, 3)?;
            assert!(tx.vetoes()?.is_empty());
            Ok(())
        })
        .unwrap();
}
