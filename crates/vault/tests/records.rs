//! Rows go in and come out as they were; items, chunks, vectors, queue, chats and ledger keep together.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod testkit;

use hinet_protocol::{After, DeltaKind, GrantId, Hash, ItemId, Role, SessionId, SourceState, Span};
use hinet_vault::VaultError;
use hinet_vault::records::{ChunkDraft, ItemRow, LeafDraft, PersonRow, PersonWord};
use testkit::{Outcome, create, item, message, source, whole};

#[test]
fn a_home_is_made_and_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    assert_eq!(vault.owner(), "Ada");
    let (identity, device) = (vault.identity(), vault.device().public());
    vault.write(|tx| -> Outcome { tx.set_meta("greeting", "hello") }).unwrap();
    drop(vault);
    let vault = testkit::open(dir.path()).unwrap();
    assert_eq!((vault.identity(), vault.device().public()), (identity, device));
    assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("greeting") }).unwrap().as_deref(), Some("hello"));
    assert!(vault.notices().is_empty(), "{:?}", vault.notices());
    assert!(vault.check().iter().all(|f| f.ok), "{:?}", vault.check());
}

#[test]
fn items_chunks_vectors_and_queue_move_together() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let source = source();
    let text = "Grüße aus dem Süden. Zweiter Satz.";
    let row = item(source.id, "/notes/a", text);
    let at = text.find("Zweiter").unwrap();
    let chunks = [
        ChunkDraft { span: Span { start: 0, end: at }, heading: String::new() },
        ChunkDraft { span: Span { start: at, end: text.len() }, heading: "H".into() },
    ];
    let embedder = Hash([1; 32]);
    let ids = vault
        .write(|tx| -> Outcome<_> {
            tx.put_source(&source)?;
            let ids = tx.put_item(&row, &chunks)?;
            tx.put_vectors(embedder, &[(ids[0], vec![1, 2, 3])])?;
            Ok(ids)
        })
        .unwrap();
    vault
        .read(|r| -> Outcome {
            assert_eq!(r.sources()?, std::slice::from_ref(&source));
            assert_eq!(r.source_items(source.id)?, 1);
            assert_eq!(r.item(row.id)?.as_ref(), Some(&row));
            assert_eq!(r.item_by_key(source.id, "/notes/a")?, Some(row.head()));
            assert_eq!(r.items_between(10, 11)?, [row.id]);
            assert_eq!(r.items_between(11, 12)?, []);
            assert_eq!(r.item_texts(&[ItemId::new(), row.id])?, [text]);
            let views = r.chunk_views(&[ids[1], 999, ids[0]])?;
            assert_eq!(views.iter().map(|v| v.text.as_str()).collect::<Vec<_>>(), [&text[at..], &text[..at]]);
            assert_eq!(views[0].item, row.head());
            assert_eq!(r.chunks_of(row.id)?.iter().map(|c| c.id).collect::<Vec<_>>(), ids);
            let waiting = r.chunks_unembedded(embedder, 10)?;
            assert_eq!(waiting.iter().map(|v| v.chunk.id).collect::<Vec<_>>(), [ids[1]]);
            let mut seen = Vec::new();
            r.vectors(embedder, &mut |chunk, item, v| seen.push((chunk, item, v.to_vec())))?;
            assert_eq!(seen, [(ids[0], row.id, vec![1, 2, 3])]);
            let queue = r.index_queue(0, 10)?;
            assert_eq!(queue.iter().map(|q| (q.chunk, q.add)).collect::<Vec<_>>(), [(ids[0], true), (ids[1], true)]);
            assert_eq!(r.index_queue_max()?, 2);
            let stats = r.counts()?;
            assert_eq!((stats.items, stats.chunks, stats.embedded, stats.text_bytes), (1, 2, 1, text.len() as u64));
            Ok(())
        })
        .unwrap();
    let newer = ItemRow { text: "short".into(), ..row.clone() };
    let new_ids = vault
        .write(|tx| -> Outcome<_> {
            tx.index_applied(2)?;
            tx.put_item(&newer, &whole("short"))
        })
        .unwrap();
    assert!(new_ids[0] > ids[1]);
    vault
        .write(|tx| -> Outcome {
            let queue: Vec<_> = tx.index_queue(0, 10)?.iter().map(|q| (q.chunk, q.add)).collect();
            assert_eq!(queue, [(ids[0], false), (ids[1], false), (new_ids[0], true)]);
            let mut left = 0;
            tx.vectors(embedder, &mut |_, _, _| left += 1)?;
            assert_eq!((left, tx.index_applied_up_to()?), (0, 2));
            tx.set_source_state(source.id, SourceState::Paused)?;
            tx.set_source_synced(source.id, 77)?;
            assert_eq!(tx.delete_source(source.id)?, 1);
            assert!(tx.item(row.id)?.is_none() && tx.sources()?.is_empty() && tx.all_chunk_ids()?.is_empty());
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_is_wrong_is_refused_and_undone() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let before = vault.head();
    let source = source();
    let row = item(source.id, "k", "äöü");
    let cut = [ChunkDraft { span: Span { start: 0, end: 1 }, heading: String::new() }];
    let refused = vault.write(|tx| -> Outcome<_> {
        tx.put_source(&source)?;
        tx.put_item(&row, &cut)
    });
    assert!(matches!(refused, Err(VaultError::BadSpan { ordinal: 0 })), "{refused:?}");
    let missing = vault.write(|tx| -> Outcome { tx.set_source_state(source.id, SourceState::Active) });
    assert!(matches!(missing, Err(VaultError::Missing { what: "source" })));
    assert_eq!(vault.head(), before);
    assert!(vault.read(|r| -> Outcome<_> { r.sources() }).unwrap().is_empty());
    // A write that changes nothing is no commit.
    vault.write(|tx| -> Outcome { tx.delete_meta("nothing") }).unwrap();
    assert_eq!(vault.head(), before);
}

#[test]
fn a_panic_in_a_write_leaves_the_vault_usable_and_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        vault.write(|tx| -> Outcome {
            tx.set_meta("half", "done")?;
            panic!("planned")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("half") }).unwrap(), None);
    vault.write(|tx| -> Outcome { tx.set_meta("whole", "done") }).unwrap();
}

#[test]
fn conversations_keep_citations_and_forget() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let (a, b, cited) = (SessionId::new(), SessionId::new(), ItemId::new());
    let question = message(Role::User, "Where is the harbour?", 100, None);
    let mut answer = message(Role::Assistant, "In the north.", 101, Some(cited));
    answer.parent = Some(question.id);
    vault
        .write(|tx| -> Outcome {
            tx.put_session(a, "Where is the harb…", 100)?;
            tx.put_message(a, &question, After::Head)?;
            tx.put_message(a, &answer, After::Head)?;
            tx.put_session(b, "Other", 200)?;
            tx.put_message(b, &message(Role::User, "something ELSE", 200, None), After::Head)?;
            assert!(matches!(
                tx.put_message(SessionId::new(), &question, After::Head),
                Err(VaultError::Missing { .. })
            ));
            Ok(())
        })
        .unwrap();
    vault
        .write(|tx| -> Outcome {
            assert_eq!(tx.messages(a)?, [question.clone(), answer.clone()]);
            assert_eq!(tx.sessions()?.iter().map(|s| (s.id, s.messages)).collect::<Vec<_>>(), [(b, 1), (a, 2)]);
            assert_eq!(tx.answers_citing(cited)?, 1);
            assert_eq!(tx.delete_answers_citing(cited)?, 1);
            assert_eq!(tx.messages(a)?, std::slice::from_ref(&question));
            assert_eq!(tx.delete_messages_containing(&["Something else".into(), String::new()])?, 1);
            assert_eq!(tx.sessions()?.iter().map(|s| s.id).collect::<Vec<_>>(), [a]);
            tx.put_message(a, &message(Role::User, "more", 300, None), After::Head)?;
            assert_eq!(tx.delete_messages_between(100, 101)?, 1);
            // The title came from the message that went.
            assert_eq!(tx.sessions()?[0].title, "");
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_ledger_only_grows_and_forgets_bodies() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let (source, grant) = (source(), GrantId::new());
    let row = item(source.id, "k", "text");
    let leaf = |item| LeafDraft { commitment: Hash([3; 32]), item, salt: [4; 32], body: "what happened".into() };
    vault
        .write(|tx| -> Outcome {
            tx.put_source(&source)?;
            tx.put_item(&row, &whole("text"))?;
            tx.put_grant(grant, "{\"v\":1}")?;
            assert_eq!(tx.ledger_append(b"zero", Hash([8; 32]), &[])?, 0);
            assert_eq!(tx.ledger_append(b"one", Hash([9; 32]), &[leaf(Some(row.id)), leaf(None)])?, 1);
            Ok(())
        })
        .unwrap();
    let head = vault.head();
    assert_eq!((head.entries, head.ledger_hash), (2, Hash([9; 32])));
    assert!(head.verify());
    vault
        .write(|tx| -> Outcome {
            tx.delete_item(row.id)?;
            let leaves = tx.ledger_leaves(1)?;
            assert_eq!((leaves[0].item, leaves[0].salt, leaves[0].body.as_deref()), (None, None, None));
            assert_eq!(leaves[0].commitment, Hash([3; 32]));
            assert_eq!(leaves[1].body.as_deref(), Some("what happened"));
            assert_eq!(tx.ledger_entries(1, 9)?[0].bytes, b"one");
            assert_eq!((tx.ledger_len()?, tx.ledger_last()?), (2, Some((1, Hash([9; 32])))));
            assert_eq!(tx.grants()?, ["{\"v\":1}"]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn readers_see_a_snapshot_while_a_write_runs() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    vault
        .write(|tx| -> Outcome {
            tx.set_meta("a", "1")?;
            assert_eq!(vault.read(|r| -> Outcome<_> { r.meta("a") })?, None);
            Ok(())
        })
        .unwrap();
    vault
        .read(|r| -> Outcome {
            assert_eq!(r.meta("a")?.as_deref(), Some("1"));
            vault.write(|tx| -> Outcome { tx.set_meta("a", "2") })?;
            assert_eq!(r.meta("a")?.as_deref(), Some("1"));
            assert_eq!(vault.read(|inner| -> Outcome<_> { inner.meta("a") })?.as_deref(), Some("2"));
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_object_is_sealed_whole_and_found_by_its_hash() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let words = b"factors that only the owner may read".repeat(5000);
    let hash = vault.put_object(&words).unwrap();
    assert_eq!(vault.put_object(&words).unwrap(), hash);
    assert_eq!(*vault.object(hash).unwrap(), words);
    let other = vault.put_object(b"another").unwrap();
    let files = || -> Vec<_> {
        std::fs::read_dir(vault.home().objects_dir()).unwrap().map(|file| file.unwrap().path()).collect()
    };
    assert_eq!(files().len(), 2);
    for file in files() {
        let sealed = std::fs::read(&file).unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"factors" || window == b"another"));
        assert!(!file.to_string_lossy().contains(&hash.to_string()), "the name says nothing");
    }
    // What a kill left behind, and what nobody names any more, goes.
    std::fs::write(vault.home().objects_dir().join("half.tmp"), b"x").unwrap();
    vault.keep_objects(&[hash]).unwrap();
    assert_eq!(files().len(), 1);
    assert!(matches!(vault.object(other), Err(VaultError::Damaged { .. })));
    // A changed bit, and one object under another's name.
    let file = files().remove(0);
    let mut sealed = std::fs::read(&file).unwrap();
    let middle = sealed.len() / 2;
    sealed[middle] ^= 1;
    std::fs::write(&file, &sealed).unwrap();
    assert!(matches!(vault.object(hash), Err(VaultError::Damaged { .. })));
}

fn delta(n: u8) -> hinet_vault::records::DeltaRow {
    hinet_vault::records::DeltaRow {
        hash: Hash([n; 32]),
        kind: DeltaKind::Imported,
        object: Hash([n + 100; 32]),
        at: i64::from(n),
        name: format!("delta {n}"),
        said: "LoRA".into(),
        bytes: 7,
        worn: false,
    }
}

#[test]
fn at_most_one_delta_is_worn() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    vault.write(|tx| -> Outcome { (1..=2).try_for_each(|n| tx.put_delta(&delta(n))) }).unwrap();
    assert_eq!(vault.read(|r| -> Outcome<_> { r.deltas() }).unwrap(), [delta(2), delta(1)]);
    let worn = || vault.read(|r| -> Outcome<_> { r.worn_delta() }).unwrap().map(|row| row.hash);
    assert_eq!(worn(), None);
    vault.write(|tx| -> Outcome { tx.wear_delta(Some(Hash([1; 32]))) }).unwrap();
    vault.write(|tx| -> Outcome { tx.wear_delta(Some(Hash([2; 32]))) }).unwrap();
    assert_eq!(worn(), Some(Hash([2; 32])));
    let missing = vault.write(|tx| -> Outcome { tx.wear_delta(Some(Hash([9; 32]))) });
    assert!(matches!(missing, Err(VaultError::Missing { .. })));
    assert_eq!(worn(), Some(Hash([2; 32])), "a refused change changes nothing");
    // Taken in again it stays worn.
    vault.write(|tx| -> Outcome { tx.put_delta(&delta(2)) }).unwrap();
    assert_eq!(worn(), Some(Hash([2; 32])));
    // What was learned from the owner's texts stays the owner's, from wherever it comes back.
    let again = |kind: DeltaKind| {
        vault.write(|tx| -> Outcome { tx.put_delta(&hinet_vault::records::DeltaRow { kind, ..delta(1) }) }).unwrap();
        vault.read(|r| -> Outcome<_> { r.deltas() }).unwrap()[1].kind
    };
    let kinds = [DeltaKind::Public, DeltaKind::Imported, DeltaKind::Private, DeltaKind::Public, DeltaKind::Imported];
    assert_eq!(
        kinds.map(again),
        [DeltaKind::Public, DeltaKind::Public, DeltaKind::Private, DeltaKind::Private, DeltaKind::Private]
    );
    vault
        .write(|tx| -> Outcome {
            tx.wear_delta(None)?;
            tx.delete_delta(Hash([2; 32]))
        })
        .unwrap();
    assert_eq!((worn(), vault.read(|r| -> Outcome<_> { r.deltas() }).unwrap().len()), (None, 1));
}

fn seat(assembly: &str, n: u8) -> hinet_vault::records::SeatRow {
    hinet_vault::records::SeatRow {
        assembly: assembly.into(),
        delta: Hash([n; 32]),
        anchor: Hash([7; 32]),
        at: 1,
        signature: "{}".into(),
        admitted: String::new(),
    }
}

/// A pre-merge of these members, and who they are.
fn premerge(assembly: &str, members: &[u8]) -> (hinet_vault::records::PremergeRow, Vec<Hash>) {
    let hash = Hash(*blake3::hash(members).as_bytes());
    let (object, recipe) = (hash, format!("{members:?}"));
    let row = hinet_vault::records::PremergeRow { assembly: assembly.into(), hash, object, bytes: 9, at: 3, recipe };
    (row, members.iter().map(|n| Hash([*n; 32])).collect())
}

#[test]
fn a_pre_merge_goes_with_the_seat_of_any_of_its_members_whatever_takes_that() {
    // By the seat itself and by the delta under it, of every member in turn.
    for (gone, by_delta) in (1..=4).flat_map(|n| [(n, false), (n, true)]) {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (vault, never) = (create(dir.path()), create(other.path()));
        let all = [premerge("house", &[1, 2]), premerge("house", &[1, 2, 3]), premerge("house", &[3, 4])];
        let works = premerge("work", &[1, 2]);
        let put = |vault: &hinet_vault::Vault, premerges: &[(hinet_vault::records::PremergeRow, Vec<Hash>)]| {
            vault
                .write(|tx| -> Outcome {
                    (1..=4).try_for_each(|n| tx.put_delta(&delta(n)))?;
                    (1..=4).try_for_each(|n| tx.put_seat(&seat("house", n)))?;
                    (1..=2).try_for_each(|n| tx.put_seat(&seat("work", n)))?;
                    premerges.iter().try_for_each(|(row, members)| tx.put_premerge(row, members))
                })
                .unwrap();
        };
        put(&vault, &[all.as_slice(), std::slice::from_ref(&works)].concat());
        // One that never had those of whoever goes.
        let has = |members: &[Hash]| members.contains(&Hash([gone; 32]));
        let mut left: Vec<_> = all.iter().filter(|(_, members)| !has(members)).cloned().collect();
        left.extend((!by_delta || !has(&works.1)).then_some(works));
        put(&never, &left);
        for vault in [&vault, &never] {
            vault
                .write(|tx| -> Outcome {
                    let delta = Hash([gone; 32]);
                    if by_delta { tx.delete_delta(delta) } else { tx.delete_seat("house", delta) }
                })
                .unwrap();
        }
        let rows = |vault: &hinet_vault::Vault| {
            vault.read(|r| -> Outcome<_> { Ok((r.deltas()?, r.seats()?, r.premerges()?)) }).unwrap()
        };
        assert_eq!(rows(&vault), rows(&never), "{gone} {by_delta}");
        assert_eq!(rows(&vault).2.len(), left.len(), "{gone} {by_delta}");
    }
}

#[test]
fn another_home_is_a_member_once_and_what_it_handed_out_is_known_as_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let home = |assembly: &str, n: u8, name: &str| hinet_vault::records::HomeRow {
        assembly: assembly.into(),
        identity: Hash([n; 32]),
        anchor: Hash([7; 32]),
        at: 1,
        name: name.into(),
        path: format!("/homes/{name}"),
    };
    vault
        .write(|tx| -> Outcome {
            [home("work", 2, "tom"), home("house", 2, "tom"), home("house", 1, "ana"), home("house", 1, "eva")]
                .iter()
                .try_for_each(|home| tx.put_home(home))
        })
        .unwrap();
    let homes = || vault.read(|r| -> Outcome<_> { r.homes() }).unwrap();
    assert_eq!(homes(), [home("house", 1, "eva"), home("house", 2, "tom"), home("work", 2, "tom")]);
    vault.write(|tx| -> Outcome { tx.delete_home("house", Hash([2; 32])) }).unwrap();
    let missing = vault.write(|tx| -> Outcome { tx.delete_home("house", Hash([2; 32])) });
    assert!(matches!(missing, Err(VaultError::Missing { .. })));
    assert_eq!(homes(), [home("house", 1, "eva"), home("work", 2, "tom")]);

    let session = SessionId::new();
    let mut answer = message(Role::Assistant, "At nine. [1]", 5, Some(ItemId::new()));
    answer.citations[0].member = Some("ana".into());
    vault
        .write(|tx| -> Outcome {
            tx.put_session(session, "boats", 1)?;
            tx.put_message(session, &answer, After::Head)
        })
        .unwrap();
    let read = vault.read(|r| -> Outcome<_> { r.messages(session) }).unwrap();
    assert_eq!(read[0].citations, answer.citations);
    let copy = SessionId::new();
    vault.write(|tx| -> Outcome { tx.fork(session, answer.id, copy, 9) }).unwrap();
    let read = vault.read(|r| -> Outcome<_> { r.messages(copy) }).unwrap();
    assert_eq!(read[0].citations, answer.citations, "a copy knows it too");
}

#[test]
fn a_pre_merge_is_of_members_that_have_a_seat_and_is_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    vault
        .write(|tx| -> Outcome {
            (1..=3).try_for_each(|n| tx.put_delta(&delta(n)))?;
            (1..=2).try_for_each(|n| tx.put_seat(&seat("house", n)))
        })
        .unwrap();
    let put = |(row, members): (hinet_vault::records::PremergeRow, Vec<Hash>)| {
        vault.write(|tx| -> Outcome { tx.put_premerge(&row, &members) })
    };
    assert!(put(premerge("house", &[1, 3])).is_err(), "3 has no seat");
    assert!(put(premerge("work", &[1, 2])).is_err(), "nobody has a seat there");
    let (mut row, members) = premerge("house", &[1, 2]);
    put((row.clone(), members.clone())).unwrap();
    row.at = 8;
    put((row.clone(), members)).unwrap();
    assert_eq!(vault.read(|r| -> Outcome<_> { r.premerges() }).unwrap(), [row]);
    // A seat that is given anew is the same seat.
    vault.write(|tx| -> Outcome { tx.put_seat(&seat("house", 1)) }).unwrap();
    assert_eq!(vault.read(|r| -> Outcome<_> { r.premerges() }).unwrap().len(), 1);
}

#[test]
fn a_member_has_one_seat_and_goes_with_its_delta_while_its_receipts_stay() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let seat = |assembly: &str, n: u8, at: i64| hinet_vault::records::SeatRow {
        assembly: assembly.into(),
        delta: Hash([n; 32]),
        anchor: Hash([7; 32]),
        at,
        signature: "{}".into(),
        admitted: format!("{n}"),
    };
    vault
        .write(|tx| -> Outcome {
            (1..=3).try_for_each(|n| tx.put_delta(&delta(n)))?;
            [seat("work", 3, 1), seat("house", 2, 1), seat("house", 1, 1), seat("house", 2, 5)]
                .iter()
                .try_for_each(|seat| tx.put_seat(seat))?;
            tx.put_receipt(Hash([4; 32]), "who", &[5; 64])?;
            tx.put_receipt(Hash([6; 32]), "else", &[7; 64]).map(|_| ())
        })
        .unwrap();
    let seats = || vault.read(|r| -> Outcome<_> { r.seats() }).unwrap();
    assert_eq!(seats(), [seat("house", 1, 1), seat("house", 2, 5), seat("work", 3, 1)]);
    assert!(vault.write(|tx| -> Outcome { tx.put_seat(&seat("house", 9, 1)) }).is_err(), "there is no such delta");
    let missing = vault.write(|tx| -> Outcome { tx.delete_seat("work", Hash([1; 32])) });
    assert!(matches!(missing, Err(VaultError::Missing { .. })));
    vault
        .write(|tx| -> Outcome {
            tx.delete_seat("house", Hash([1; 32]))?;
            tx.delete_delta(Hash([2; 32]))
        })
        .unwrap();
    assert_eq!(seats(), [seat("work", 3, 1)]);
    let receipts = vault.read(|r| -> Outcome<_> { r.receipts() }).unwrap();
    let found: Vec<_> =
        receipts.iter().map(|row| (row.n, row.assembly.0[0], row.body.as_str(), row.signature[0])).collect();
    assert_eq!(found, [(2, 6, "else", 7), (1, 4, "who", 5)]);
}

#[test]
fn spellings_and_the_owners_words_about_them_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let source = source();
    let (one, other) = (item(source.id, "/notes/a", "a"), item(source.id, "/notes/b", "b"));
    let named = |person: &str, wrote| PersonRow { person: person.into(), wrote };
    let word =
        |step, one: &str, other: Option<&str>| PersonWord { step, one: one.into(), other: other.map(Into::into) };
    vault
        .write(|tx| -> Outcome {
            tx.put_source(&source)?;
            tx.put_item(&one, &[])?;
            tx.put_item(&other, &[])?;
            tx.set_people(one.id, &[named("Ana <ana@x.pt>", true), named("Bo", false)])?;
            tx.set_people(other.id, &[named("ana <ANA@x.pt>", false)])?;
            tx.set_person_words(&[word(2, "bo", None), word(1, "ana@x.pt", Some("bo"))])
        })
        .unwrap();
    vault
        .read(|r| -> Outcome {
            let mut all = Vec::new();
            r.each_named(&mut |folded, person, _| all.push(format!("{folded}: {person}")))?;
            assert_eq!(all, ["ana <ana@x.pt>: Ana <ana@x.pt>", "ana <ana@x.pt>: ana <ANA@x.pt>", "bo: Bo"]);
            let count = |wrote, spellings: &[&str]| r.items_spelled(wrote, spellings).map(|items| items.len());
            assert_eq!((count(false, &["ana <ana@x.pt>", "bo"])?, count(true, &["ana <ana@x.pt>", "bo"])?), (2, 1));
            assert_eq!(r.person_words()?, [word(1, "ana@x.pt", Some("bo")), word(2, "bo", None)]);
            Ok(())
        })
        .unwrap();
    vault.write(|tx| -> Outcome { tx.set_person_words(&[]) }).unwrap();
    assert_eq!(vault.read(|r| -> Outcome<_> { r.person_words() }).unwrap(), []);
}
