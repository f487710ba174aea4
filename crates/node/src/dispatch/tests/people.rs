//! Who is who, asked of a node that stays: what it keeps in memory follows every change.

use super::*;
use crate::protocol::{PersonLine, Within};

impl Desk {
    async fn people(&mut self, op: Op) -> Vec<PersonLine> {
        match self.one(op).await {
            Event::People { people, .. } => people,
            other => panic!("{other:?}"),
        }
    }

    async fn called(&mut self, name: &str) -> Vec<PersonLine> {
        self.people(Op::People { name: name.into(), limit: 50 }).await
    }

    async fn merge(&mut self, one: &str, other: &str) -> Vec<PersonLine> {
        self.people(Op::PersonMerge { one: one.into(), other: other.into() }).await
    }

    /// How many items somebody wrote.
    async fn written(&mut self, who: &str) -> usize {
        self.items(&format!("from:{who}")).await.len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_who_follows_every_change() {
    let mut desk = Desk::open().await;
    let first = desk.file("a.txt", "From: Ana Costa <ana@x.pt>\n\nthe ferry");
    desk.ingest(&first).await;
    assert_eq!((desk.called("ana").await.len(), desk.written("ana@x.pt").await), (1, 1));
    let second = desk.file("b.txt", "From: A. Costa <ac@work.pt>\nTo: Ana Costa\n\nthe invoice");
    desk.ingest(&second).await;
    assert_eq!((desk.called("costa").await.len(), desk.written("ana@x.pt").await), (2, 1));
    let card = desk.file("c.vcf", "BEGIN:VCARD\nFN:Ana Costa\nEMAIL:ana@x.pt\nEMAIL:ac@work.pt\nEND:VCARD\n");
    desk.ingest(&card).await;
    let all = desk.called("costa").await;
    assert_eq!((all.len(), all[0].items, desk.written("ana@x.pt").await), (1, 3, 2));
    let within = vec![Within::Person(all[0].spellings[0].clone())];
    let found = crate::flows::memory::find(&desk.node, "ferry invoice contact".into(), &within, 9).await.unwrap();
    assert_eq!(found.len(), 3, "the card is about her: {found:?}");

    let other = desk.file("d.txt", "From: Pelagia Quill <pq@y.org>\n\nthe choir");
    desk.ingest(&other).await;
    assert_eq!(desk.merge("pelagia", "ana@x.pt").await[0].items, 4);
    assert_eq!(desk.written("pq@y.org").await, 3);
    assert!(matches!(
        desk.one(Op::PersonMerge { one: "pelagia".into(), other: "ana".into() }).await,
        Event::Failed { .. }
    ));
    let apart = desk.people(Op::PersonSplit { spelling: "pq@y.org".into() }).await;
    assert_eq!((apart.len(), apart[0].items, desk.written("pq@y.org").await), (2, 1, 1));
    assert_eq!(desk.people(Op::PersonUndo).await.len(), 1);
    assert_eq!(desk.written("pq@y.org").await, 3);

    let item = desk.items("choir").await[0].item;
    desk.one(Op::Forget { target: ForgetTarget::Item { item }, dry_run: false }).await;
    assert_eq!((desk.called("pelagia").await.len(), desk.written("ana@x.pt").await), (0, 2));
    let words = desk.node.vault.read(|r| r.person_words()).unwrap();
    assert!(!format!("{words:?}").contains("pq@y.org"), "{words:?}");
}
