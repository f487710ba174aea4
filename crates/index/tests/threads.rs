//! The messages of a thread, around one that was found; labels of a mailbox as labels.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod testkit;

use hinet_index::{Asked, Query, Stages, around};
use hinet_protocol::{Hit, ItemId};
use hinet_vault::records::Filing;
use testkit::{Kit, NOW};

fn put(kit: &Kit, name: &str, text: &str, at: i64, thread: Option<&str>, labels: &[&str]) -> ItemId {
    let mut item = kit.row(ItemId::new(), name, text);
    (item.kind, item.modified) = ("mail".to_owned(), NOW + at);
    item.hash.0[0] = at as u8;
    item.filing = Some(Filing {
        thread: thread.map(str::to_owned),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    });
    kit.vault.write(|tx| tx.put_item(&item, &hinet_index::chunk(text, &item.kind))).unwrap();
    item.id
}

#[test]
fn a_message_is_offered_with_those_around_it() {
    let kit = Kit::new();
    let asks = put(&kit, "1", "Subject: Culatra\n\nWhich ferry shall we take to the island?", 1, Some("t"), &["Trips"]);
    let long = "The one at seven, from the old pier. ".repeat(200);
    let answers = put(&kit, "2", &long, 2, Some("t"), &["Trips"]);
    let thanks = put(&kit, "3", "Splendid, see you there.", 3, Some("t"), &[]);
    let other = put(&kit, "4", "The ferry to the island was late again.", 4, None, &["Work/2024"]);
    let index = kit.open().0;
    let search = |line: &str, k: usize| -> Vec<Hit> {
        let asked = Asked::read(line, &jiff::tz::TimeZone::UTC).unwrap();
        let query = Query { text: asked.text(), k, now: NOW, filter: asked.filter.clone(), ..Query::default() };
        index.search(&kit.vault, &query).unwrap()
    };
    let hits = search("ferry island", 2);
    let all = around(&kit.vault, &hits, Stages::default()).unwrap();
    for (hit, around) in hits.iter().zip(&all) {
        let items: Vec<ItemId> = around.iter().map(|hit| hit.item).collect();
        assert_eq!(items, if hit.item == asks { vec![answers] } else { vec![] }, "{}", hit.title);
    }
    assert!(hits.iter().any(|hit| hit.item == asks) && hits.iter().any(|hit| hit.item == other));
    let beside = all.iter().flatten().next().unwrap();
    assert!(beside.text.starts_with("The one at seven") && beside.text.len() <= 2_000, "{}", beside.text.len());
    assert_eq!(long.get(beside.span.start..beside.span.end), Some(beside.text.as_str()));
    // A hit that stands beside another is given as it was found.
    let hits: Vec<Hit> = search("splendid", 1).into_iter().chain(search("seven pier", 1)).collect();
    let all = around(&kit.vault, &hits, Stages::default()).unwrap();
    assert_eq!((all[0].len(), all[0][0].span), (1, hits[1].span));
    assert_eq!(all[1].iter().map(|hit| hit.item).collect::<Vec<_>>(), [thanks, asks]);
    // And nothing is, where the stage is left out.
    let without = Stages { thread: false, ..Stages::default() };
    assert!(around(&kit.vault, &hits, without).unwrap().iter().all(Vec::is_empty));
}

#[test]
fn labels_of_a_mailbox_are_searched_as_the_owners_are() {
    let kit = Kit::new();
    let one = put(&kit, "1", "The ferry is late.", 1, None, &["Work/2024"]);
    let two = put(&kit, "2", "The ferry is early.", 2, None, &[]);
    kit.vault.write(|tx| tx.set_labels(two, &["work/2024".to_owned()])).unwrap();
    put(&kit, "3", "The ferry is on time.", 3, None, &["Work"]);
    let index = kit.open().0;
    for line in ["label:WORK/2024 ferry", "label:work/2024"] {
        let asked = Asked::read(line, &jiff::tz::TimeZone::UTC).unwrap();
        let query = Query { text: asked.text(), k: 9, now: NOW, filter: asked.filter.clone(), ..Query::default() };
        let hits = index.search(&kit.vault, &query).unwrap();
        let mut found: Vec<ItemId> = hits.iter().map(|hit| hit.item).collect();
        found.sort_unstable();
        let mut expected = [one, two];
        expected.sort_unstable();
        assert_eq!(found, expected, "{line}");
    }
}
