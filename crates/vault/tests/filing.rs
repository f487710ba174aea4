//! Threads and the labels of mailboxes: apart from the owner's labels, kept with the item, gone with it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod testkit;

use hinet_protocol::{Hash, ItemId};
use hinet_vault::records::{Filing, ItemRow};
use testkit::{Outcome, create, item, source, whole};

fn filing(thread: Option<&str>, labels: &[&str]) -> Filing {
    Filing { thread: thread.map(str::to_owned), labels: labels.iter().map(|label| (*label).to_owned()).collect() }
}

#[test]
fn where_an_item_stands_comes_and_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let source = source();
    let row = ItemRow { filing: Some(filing(Some("a"), &["Inbox", "Trips"])), ..item(source.id, "/m/1", "one") };
    let old = item(source.id, "/m/2", "two");
    let ids = vault
        .write(|tx| -> Outcome<_> {
            tx.put_source(&source)?;
            tx.put_item(&old, &whole("two"))?;
            tx.put_item(&row, &whole("one"))
        })
        .unwrap();
    vault
        .read(|r| -> Outcome {
            assert_eq!(r.item(row.id)?.as_ref(), Some(&row));
            assert_eq!(r.item(old.id)?.as_ref(), Some(&old));
            assert_eq!((r.is_filed(row.id)?, r.is_filed(old.id)?, r.filing(ItemId::new())?), (true, false, None));
            Ok(())
        })
        .unwrap();
    vault
        .write(|tx| -> Outcome {
            // The owner's labels are others, and both are searched.
            tx.set_labels(row.id, &["inbox".to_owned(), "Mine".to_owned()])?;
            tx.set_labels(old.id, &["TRIPS".to_owned()])?;
            let (number, other) = (tx.item_number(row.id)?.unwrap(), tx.item_number(old.id)?.unwrap());
            assert_eq!(tx.labels_of(number)?, ["inbox", "Mine"]);
            assert_eq!((tx.labelled("Inbox")?, tx.labelled("mine")?), (vec![number], vec![number]));
            assert_eq!(tx.labelled("trips")?, [other, number]);
            let all: Vec<(String, u64)> = tx.labels()?;
            assert_eq!(all, [("Inbox".to_owned(), 1), ("Mine".to_owned(), 1), ("TRIPS".to_owned(), 2)]);
            // Said anew, the passages stay what they are.
            tx.set_filing(row.id, &filing(None, &["Done"]))?;
            assert_eq!(tx.filing(row.id)?, Some(filing(None, &["Done"])));
            assert_eq!(tx.chunks_of(row.id)?.iter().map(|chunk| chunk.id).collect::<Vec<_>>(), ids);
            assert!(tx.set_filing(ItemId::new(), &Filing::default()).is_err());
            // A text that comes without it has none.
            tx.put_item(&ItemRow { filing: None, ..row.clone() }, &whole("one"))?;
            assert_eq!((tx.filing(row.id)?, tx.labelled("done")?), (None, vec![]));
            tx.set_filing(row.id, &filing(Some("a"), &["Gone"]))?;
            tx.delete_item(row.id)?;
            assert_eq!((tx.thread_len("a")?, tx.labelled("gone")?), (0, vec![]));
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_messages_around_one_are_those_of_its_thread_by_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let vault = create(dir.path());
    let source = source();
    let at = |n: u8, modified: i64, thread: Option<&str>| ItemRow {
        modified,
        hash: Hash([n; 32]),
        filing: Some(filing(thread, &[])),
        ..item(source.id, &format!("/m/{n}"), "a letter")
    };
    let rows =
        [at(1, 30, Some("a")), at(2, 10, Some("a")), at(3, 20, Some("b")), at(4, 20, Some("a")), at(5, 20, None)];
    // The second message again, in another mailbox.
    let copy = ItemRow { key: "/other/2".to_owned(), id: ItemId::new(), ..rows[1].clone() };
    vault
        .write(|tx| -> Outcome {
            tx.put_source(&source)?;
            rows.iter().chain([&copy]).try_for_each(|row| tx.put_item(row, &whole("a letter")).map(|_| ()))
        })
        .unwrap();
    vault
        .read(|r| -> Outcome {
            let around = |item: ItemId| -> Outcome<_> {
                let (before, after) = r.thread_around(item)?;
                Ok((before.map(|head| head.key), after.map(|head| head.key)))
            };
            let key = |n: u8| Some(format!("/m/{n}"));
            assert_eq!(around(rows[3].id)?, (Some("/other/2".to_owned()), key(1)));
            assert_eq!(around(rows[0].id)?, (key(4), None));
            assert_eq!(around(rows[1].id)?, (None, key(4)));
            assert_eq!(around(copy.id)?, (None, key(4)));
            assert_eq!((around(rows[2].id)?, around(rows[4].id)?), ((None, None), (None, None)));
            assert_eq!((r.thread_len("a")?, r.thread_len("b")?, r.thread_len("c")?), (3, 1, 0));
            Ok(())
        })
        .unwrap();
}
