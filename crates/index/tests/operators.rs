//! Filters, phrases, pins and the timeline, on a home with a few hundred items.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod testkit;

use hinet_index::{Asked, Filter, Index, Query, people};
use hinet_protocol::{Hit, ItemId, Within};
use hinet_vault::VaultError;
use rand::{SeedableRng, rngs::StdRng};
use testkit::{Kit, NOW, meaning, prose};

/// Days in these tests begin at midnight UTC.
const UTC: jiff::tz::TimeZone = jiff::tz::TimeZone::UTC;
const DAY: i64 = 86_400_000;

fn put(kit: &Kit, name: &str, text: &str, modified: i64) -> ItemId {
    let mut item = kit.row(ItemId::new(), name, text);
    item.modified = modified;
    kit.vault
        .write(|tx| {
            tx.put_item(&item, &hinet_index::chunk(text, &item.kind))?;
            tx.set_people(item.id, &people(text))
        })
        .unwrap();
    item.id
}

fn search(index: &Index, kit: &Kit, line: &str, k: usize) -> Vec<Hit> {
    let asked = Asked::read(line, &UTC).unwrap();
    let vector = asked.says_something().then(|| meaning(&asked.text()));
    let query = Query {
        text: asked.text(),
        vector,
        k,
        now: NOW,
        phrases: asked.phrases.clone(),
        filter: asked.filter.clone(),
        ..Query::default()
    };
    index.search(&kit.vault, &query).unwrap()
}

fn names(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.title.as_str()).collect()
}

fn timeline(index: &Index, kit: &Kit, line: &str, before: Option<i64>, limit: usize) -> Vec<String> {
    let asked = Asked::read(line, &UTC).unwrap();
    index.timeline(&kit.vault, &asked, None, before, limit).unwrap().into_iter().map(|line| line.title).collect()
}

/// Three hundred texts about anything, and a few to find.
fn furnished() -> (Kit, Index) {
    let kit = Kit::new();
    let mut rng = StdRng::seed_from_u64(5);
    for n in 0..300 {
        put(&kit, &format!("noise-{n}.md"), &prose(&mut rng, 60), NOW - n * DAY);
    }
    put(&kit, "work/boat.txt", "From: Ana Costa <ana@x.pt>\nTo: Bo\n\nthe mooring  Beacon\nis out", NOW - 400 * DAY);
    put(&kit, "work/reply.txt", "From: Bo\nTo: Ana Costa\n\nmooring beacon, I know", NOW - 401 * DAY);
    put(&kit, "home/list.md", "a beacon for the mooring", NOW - 402 * DAY);
    kit.embed_all();
    let index = kit.open().0;
    (kit, index)
}

#[test]
fn a_narrow_filter_still_finds_what_it_leaves() {
    let (kit, index) = furnished();
    let cases: &[(&str, &[&str])] = &[
        ("from:ana mooring", &["work/boat.txt"]),
        ("from:\"costa ana\"", &["work/boat.txt"]),
        ("from:bo mooring", &["work/reply.txt"]),
        ("from:nobody mooring", &[]),
        ("source:HOME/ winter market", &["home/list.md"]),
        ("type:md after:1990 before:2024-12-01 river garden", &["home/list.md"]),
        ("\"mooring beacon\"", &["work/boat.txt", "work/reply.txt"]),
        ("\"MOORING   beacon IS\"", &["work/boat.txt"]),
        ("\"beacon mooring\"", &[]),
        ("\"mooring beacon\" from:bo", &["work/reply.txt"]),
        ("type:text before:2024-12-01", &["work/boat.txt", "work/reply.txt"]),
        ("source:work/ \"river\"", &[]),
        ("type:pdf", &[]),
    ];
    for (line, expected) in cases {
        let hits = search(&index, &kit, line, 5);
        let mut found = names(&hits);
        if !line.starts_with("type:text") {
            found.sort_unstable();
        }
        assert_eq!(found, *expected, "{line}");
    }
    assert_eq!(search(&index, &kit, "type:md", 7).len(), 7, "operators alone list by time");
    assert_eq!(names(&search(&index, &kit, "type:md", 2)), ["noise-0.md", "noise-1.md"]);
    assert!(search(&index, &kit, "", 5).is_empty());
    assert_eq!(search(&index, &kit, "river", 5).len(), 5, "without a filter all is ranked");
}

#[test]
fn a_turn_is_within_any_of_its_parts() {
    let (kit, index) = furnished();
    let boat = search(&index, &kit, "from:ana", 1).remove(0).item;
    let list = search(&index, &kit, "source:home/", 1).remove(0).item;
    kit.vault.write(|tx| tx.set_labels(list, &["Ship".to_owned()])).unwrap();
    let cases: Vec<(Vec<Within>, &[&str])> = vec![
        (vec![Within::Item(boat)], &["work/boat.txt"]),
        (vec![Within::Item(ItemId::new())], &[]),
        (vec![Within::Folder("/notes/work".into())], &["work/boat.txt", "work/reply.txt"]),
        (vec![Within::Folder("/notes/wor".into())], &[]),
        (vec![Within::Person("ana".into())], &["work/boat.txt", "work/reply.txt"]),
        (vec![Within::Label("SHIP".into()), Within::Item(boat)], &["home/list.md", "work/boat.txt"]),
        (
            vec![Within::Label("ship".into()), Within::Folder("/notes/work".into())],
            &["home/list.md", "work/boat.txt", "work/reply.txt"],
        ),
    ];
    for (within, expected) in cases {
        let filter = Filter { within, ..Filter::default() };
        let query = Query { text: "mooring beacon".into(), k: 9, now: NOW, filter, ..Query::default() };
        let hits = index.search(&kit.vault, &query).unwrap();
        let mut found = names(&hits);
        found.sort_unstable();
        assert_eq!(found, expected, "{:?}", query.filter.within);
    }
    let all = Filter { within: vec![Within::Source(kit.source)], ..Filter::default() };
    let query = Query { text: "river".into(), k: 400, now: NOW, filter: all, ..Query::default() };
    assert!(index.search(&kit.vault, &query).unwrap().len() > 10);
}

#[test]
fn a_pin_lifts_among_equals_and_not_over_what_says_more() {
    let kit = Kit::new();
    let one = put(&kit, "a.txt", "the ferry leaves at nine", NOW);
    let other = put(&kit, "b.txt", "the ferry leaves at nine", NOW);
    let poor = put(&kit, "c.txt", "somebody once took a boat called the ferry across the whole wide river", NOW);
    let index = kit.open().0;
    assert_eq!(search(&index, &kit, "ferry leaves nine", 3)[0].item, one);
    kit.vault.write(|tx| tx.set_pinned(other, true).and_then(|()| tx.set_pinned(poor, true))).unwrap();
    let hits = search(&index, &kit, "ferry leaves nine", 3);
    assert_eq!(hits.iter().map(|hit| hit.item).collect::<Vec<_>>(), [other, one, poor]);
    assert_eq!(hits.iter().map(|hit| hit.pinned).collect::<Vec<_>>(), [true, false, true]);
    let pinned = names(&search(&index, &kit, "is:pinned", 3)).len();
    assert_eq!(pinned, 2);
    // The text changes; what the owner said about it stays.
    kit.put_as(other, "b.txt", "the ferry leaves at ten");
    index.apply(&kit.vault).unwrap();
    let changed = search(&index, &kit, "is:pinned ten", 3);
    // The second search may bring what shares its other words, behind it.
    assert_eq!(changed.first().map(|hit| hit.item), Some(other));
    kit.vault.write(|tx| tx.set_pinned(other, false)).unwrap();
    assert_eq!(names(&search(&index, &kit, "is:pinned", 3)), ["c.txt"]);
}

#[test]
fn the_timeline_goes_back_page_by_page() {
    let (kit, index) = furnished();
    let list = search(&index, &kit, "source:home/", 1).remove(0).item;
    kit.vault
        .write(|tx| {
            tx.set_pinned(list, true)?;
            tx.set_labels(list, &["b".to_owned(), "A".to_owned(), "B".to_owned()])
        })
        .unwrap();
    assert_eq!(timeline(&index, &kit, "", None, 2), ["home/list.md", "noise-0.md", "noise-1.md"]);
    assert_eq!(timeline(&index, &kit, "", Some(NOW - DAY), 2), ["noise-2.md", "noise-3.md"]);
    assert_eq!(timeline(&index, &kit, "type:text", None, 9), ["work/boat.txt", "work/reply.txt"]);
    assert_eq!(timeline(&index, &kit, "moorings beacon source:work", None, 9), ["work/boat.txt", "work/reply.txt"]);
    assert_eq!(timeline(&index, &kit, "\"mooring beacon is\"", None, 9), ["work/boat.txt"]);
    assert_eq!(timeline(&index, &kit, "\"mooring beacon is\" \"no such\"", None, 9), Vec::<String>::new());
    assert_eq!(timeline(&index, &kit, "list beacon", None, 9), ["home/list.md"], "the path counts");
    assert_eq!(timeline(&index, &kit, "label:a", Some(NOW - DAY), 9), Vec::<String>::new(), "pinned ones come once");
    let line = index.timeline(&kit.vault, &Asked::default(), None, None, 1).unwrap().remove(0);
    assert!(line.pinned);
    assert_eq!(line.labels, ["A", "b"]);
}

#[test]
fn what_was_changed_in_one_instant_is_on_one_page() {
    let kit = Kit::new();
    for n in 0..50 {
        put(&kit, &format!("{n}.txt"), "same", NOW - if n < 40 { 0 } else { DAY });
    }
    let index = kit.open().0;
    assert_eq!(timeline(&index, &kit, "", None, 10).len(), 40);
    assert_eq!(timeline(&index, &kit, "", Some(NOW), 10).len(), 10);
}

#[test]
fn marks_of_a_forgotten_item_are_gone() {
    let (kit, index) = furnished();
    let boat = search(&index, &kit, "from:ana", 1).remove(0).item;
    kit.vault.write(|tx| tx.set_pinned(boat, true).and_then(|()| tx.set_labels(boat, &["ship".to_owned()]))).unwrap();
    kit.forget(boat);
    index.apply(&kit.vault).unwrap();
    kit.vault
        .read(|r| {
            assert!(r.pinned()?.is_empty() && r.labels()?.is_empty());
            let people: Vec<String> = r.people()?.into_iter().map(|(person, _)| person).collect();
            assert_eq!(people, ["Ana Costa", "Bo"], "the reply still names them");
            Ok::<_, VaultError>(())
        })
        .unwrap();
    assert!(search(&index, &kit, "from:ana", 3).is_empty());
}
