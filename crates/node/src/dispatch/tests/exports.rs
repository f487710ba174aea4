//! Mailboxes and other files of many items: what is new, what is the same, what is gone, what stays forgotten.

use super::*;
use crate::flows::ingest;
use crate::protocol::{IngestReport, Trust};

fn message(n: u32, body: &str) -> String {
    format!(
        "From a@x.org Sat Jan  3 01:05:34 1996\nMessage-ID: <{n}@x.org>\nFrom: Ana Costa <ana@x.pt>\nTo: Maya\n\
         Date: Mon, 4 Mar 2024 10:0{n}:00 +0000\nSubject: Letter {n}\n\n{body}\n\n"
    )
}

impl Desk {
    /// Reads a path, and gives what it came to.
    async fn read(&self, path: &std::path::Path, forced: bool) -> IngestReport {
        let root = path.canonicalize().unwrap();
        let source = ingest::source_for(&self.node, &root).unwrap();
        let cancel = tokio_util::sync::CancellationToken::new();
        ingest::run(&self.node, source, ingest::Pass { root, forced }, None, &cancel).await.unwrap()
    }

    /// Writes a file that was changed a while ago.
    fn settled(&self, name: &str, text: &str, age: u64) -> PathBuf {
        let path = self.file(name, text);
        let then = std::time::SystemTime::now() - Duration::from_secs(age);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        path
    }
}

fn counts(report: &IngestReport) -> (u64, u64, u64, u64, usize) {
    (report.seen, report.new, report.same, report.updated, report.skipped.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_grows_shrinks_and_forgets() {
    let mut desk = Desk::open().await;
    let two = format!("{}{}", message(1, "the ferry to Almada"), message(2, "the tram to Graça"));
    let path = desk.settled("mail/box.mbox", &two, 1000);
    let folder = path.parent().unwrap().to_owned();
    assert_eq!(counts(&desk.read(&folder, true).await), (2, 2, 0, 0, 0));
    // Not opened again, and opened again.
    assert_eq!(counts(&desk.read(&folder, true).await), (2, 0, 2, 0, 0));
    desk.settled("mail/box.mbox", &two, 900);
    assert_eq!(counts(&desk.read(&folder, true).await), (2, 0, 2, 0, 0));
    // Grown, with one message twice.
    let grown = format!("{}{two}{}", message(3, "the bus to Belém"), message(1, "the ferry to Almada"));
    desk.settled("mail/box.mbox", &grown, 800);
    assert_eq!(counts(&desk.read(&folder, true).await), (4, 1, 3, 0, 0));
    let items = desk.items("").await;
    assert_eq!(items.len(), 3);
    let ferry = items.iter().find(|item| item.title == "Letter 1").unwrap().clone();
    assert!(ferry.kind == "mail" && ferry.modified == 1_709_546_460_000, "{ferry:?}");
    assert!(ferry.source.ends_with(|c: char| c.is_ascii_hexdigit()) && ferry.source.contains("box.mbox/1@x.org "));
    assert_eq!(desk.items("from:ana").await.len(), 3);
    let Event::Item { item } = desk.one(Op::Show { item: ferry.item }).await else { panic!("an item") };
    assert_eq!(item.trust, Trust::Untrusted);
    // What was forgotten stays out, whether the box was touched or not.
    desk.one(Op::Forget { target: ForgetTarget::Item { item: ferry.item }, dry_run: false }).await;
    for age in [800, 700] {
        desk.settled("mail/box.mbox", &grown, age);
        let report = desk.read(&folder, true).await;
        assert_eq!((report.new, report.same), (0, 2), "{report:?}");
        assert!(report.skipped.iter().all(|skipped| skipped.why.contains("forgotten")), "{report:?}");
        assert_eq!(desk.items("").await.len(), 2);
    }
    // A message that left the box leaves the memory, and all of them with the box.
    desk.settled("mail/box.mbox", &message(3, "the bus to Belém"), 600);
    assert_eq!(counts(&desk.read(&folder, true).await), (1, 0, 1, 0, 0));
    assert_eq!(desk.items("").await.len(), 1);
    std::fs::remove_file(&path).unwrap();
    desk.read(&folder, true).await;
    assert!(desk.items("").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flagged_message_of_a_maildir_is_the_same_message() {
    let mut desk = Desk::open().await;
    let mail = "From: Ana <ana@x.pt>\nSubject: Tides\nDate: Mon, 4 Mar 2024 10:00:00 +0000\n\nhigh at nine\n";
    let path = desk.settled("Mail/new/1.M2.host", mail, 1000);
    let root = path.parent().unwrap().parent().unwrap().to_owned();
    for name in ["cur", "tmp", ".Sent/cur", ".Sent/new"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    desk.settled("Mail/.Sent/cur/3.M4.host:2,S", &mail.replace("Tides", "Sent"), 1000);
    assert_eq!(counts(&desk.read(&root, true).await), (2, 2, 0, 0, 0));
    let id = desk.items("tides").await[0].item;
    let moved = root.join("cur/1.M2.host:2,RS");
    std::fs::rename(&path, &moved).unwrap();
    let source = desk.sources().await.remove(0).id;
    let report = ingest::read_changes(&desk.node, source, &[path.clone(), moved.clone()]).unwrap();
    assert_eq!(counts(&report), (1, 0, 1, 0, 0));
    assert_eq!(counts(&desk.read(&root, true).await), (2, 0, 2, 0, 0));
    assert_eq!(desk.items("tides").await[0].item, id);
    std::fs::remove_file(&moved).unwrap();
    ingest::read_changes(&desk.node, source, &[moved]).unwrap();
    assert_eq!(desk.items("").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_out_of_a_mailbox_is_remembered_as_long_as_it_is_unchanged() {
    let mut desk = Desk::open().await;
    let part = "--b\n\nwords\n--b\nContent-Type: application/pdf; name=r.pdf\n\nno pdf\n--b--";
    let mail = message(1, part).replace("Subject:", "Content-Type: multipart/mixed; boundary=b\nSubject:");
    let path = desk.settled("mail/box.mbox", &format!("{mail}{}", message(2, "more")), 1000);
    let folder = path.parent().unwrap().to_owned();
    for _ in 0..2 {
        let report = desk.read(&folder, true).await;
        assert_eq!(report.new + report.same, 2, "{report:?}");
        let source = desk.sources().await.remove(0);
        let Event::Skips { skipped } = desk.one(Op::Skips { source: source.id }).await else { panic!("the skips") };
        assert_eq!((source.skipped, skipped.len()), (1, 1), "{skipped:?}");
        assert!(skipped[0].what.ends_with("/r.pdf"), "{skipped:?}");
    }
}
