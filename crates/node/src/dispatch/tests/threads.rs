//! Mail of a thread: read once more where an older iCore read it, and shown with what stands beside it.

use hinet_vault::VaultError;
use hinet_vault::records::ItemRow;

use super::*;
use crate::protocol::{ItemId, ItemView, ThreadLine, ThreadView};

const NOTED: &str = "noted the thread and the labels of 2 messages that were known";

fn letter(n: u32, header: &str, words: &str) -> String {
    format!(
        "From a@x.org Mon Mar  4 10:00:00 2024\nMessage-ID: <{n}@x.org>\n{header}\nFrom: Ana <ana@x.pt>\n\
         Date: Mon, 4 Mar 2024 10:0{n}:00 +0000\n\n{words}\n\n"
    )
}

fn mailbox() -> String {
    let asks = letter(1, "Subject: Ferry\nX-Gmail-Labels: Inbox", "Which pier is it?");
    asks + &letter(2, "Subject: Re: Ferry\nIn-Reply-To: <1@x.org>", "The one behind the fish market.")
}

impl Desk {
    fn rows(&self, items: &[ItemId]) -> Vec<ItemRow> {
        let rows = |r: &hinet_vault::Reader<'_>| -> Result<Vec<ItemRow>, VaultError> {
            items.iter().map(|item| Ok(r.item(*item)?.unwrap())).collect()
        };
        self.node.vault.read(rows).unwrap()
    }

    fn chunks(&self) -> Vec<i64> {
        self.node.vault.read(|r| r.all_chunk_ids()).unwrap()
    }

    async fn shown(&mut self, item: ItemId) -> ItemView {
        match self.one(Op::Show { item }).await {
            Event::Item { item } => *item,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_threads_gets_its_thread_and_keeps_its_passages() {
    let mut desk = Desk::open().await;
    let path = desk.file("Trips.mbox", &mailbox());
    desk.ingest(&path).await;
    let items: Vec<ItemId> = desk.items("label:trips").await.iter().map(|line| line.item).collect();
    assert_eq!(items.len(), 2);
    let rows = desk.rows(&items);
    assert!(rows[0].filing.as_ref().unwrap().thread.is_some());
    assert_eq!(rows[0].filing.as_ref().unwrap().thread, rows[1].filing.as_ref().unwrap().thread);
    // As a home looks that was filled by an older iCore.
    desk.node
        .vault
        .write(|tx| -> Result<(), VaultError> {
            for row in &rows {
                let older = ItemRow { filing: None, ..row.clone() };
                tx.put_item(&older, &hinet_index::chunk(&row.text, &row.kind))?;
            }
            Ok(())
        })
        .unwrap();
    let chunks = desk.chunks();
    assert!(desk.items("label:trips").await.is_empty());
    desk.ingest(&path).await;
    assert_eq!((desk.rows(&items), desk.chunks()), (rows, chunks));
    assert_eq!(desk.items("label:trips").await.len(), 2);
    // Once is enough.
    desk.ingest(&path).await;
    assert_eq!(desk.ledger().await.iter().filter(|line| *line == NOTED).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_shown_with_those_beside_it_and_what_it_is_filed_under() {
    let mut desk = Desk::open().await;
    let path = desk.file("Trips.mbox", &mailbox());
    let note = desk.file("note.md", "a note about the pier");
    desk.ingest(&path).await;
    desk.ingest(&note).await;
    // The newest first.
    let items: Vec<ItemId> = desk.items("type:mail").await.iter().map(|line| line.item).collect();
    let (asks, answers) = (desk.shown(items[1]).await, desk.shown(items[0]).await);
    let line =
        |view: &ItemView| Some(ThreadLine { item: view.item, title: view.title.clone(), modified: view.modified });
    assert_eq!(asks.thread, Some(ThreadView { messages: 2, before: None, after: line(&answers) }));
    assert_eq!(answers.thread, Some(ThreadView { messages: 2, before: line(&asks), after: None }));
    assert_eq!((asks.filed, asks.labels), (vec!["Inbox".to_owned(), "Trips".to_owned()], vec![]));
    let alone = desk.items("type:md").await[0].item;
    let alone = desk.shown(alone).await;
    assert_eq!((alone.thread, alone.filed), (None, vec![]));
    // With the question the thread is gone.
    desk.one(Op::Forget { target: ForgetTarget::Item { item: asks.item }, dry_run: false }).await;
    assert_eq!(desk.shown(answers.item).await.thread, None);
    assert!(desk.items("label:inbox").await.is_empty());
}
