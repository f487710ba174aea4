//! Search operators, marks, attachments, names, skips, the pause and the ledger's filters, asked of a node.

use super::*;
use crate::protocol::{Attachment, Hit, ItemId, ItemLine, ItemView, Name, NodeStatus, SourceLine, Within};

impl Desk {
    async fn hits(&mut self, query: &str) -> Vec<Hit> {
        match self.one(Op::Search { query: query.into(), k: 10 }).await {
            Event::Hits { hits } => hits,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn items(&mut self, query: &str) -> Vec<ItemLine> {
        match self.one(Op::Timeline { query: query.into(), before: None, limit: 10 }).await {
            Event::Items { items } => items,
            other => panic!("{other:?}"),
        }
    }

    async fn mark(&mut self, item: ItemId, pinned: Option<bool>, labels: Option<&[&str]>) -> Event {
        let labels = labels.map(|labels| labels.iter().map(|label| (*label).to_owned()).collect());
        self.one(Op::Mark { item, pinned, labels }).await
    }

    pub(super) async fn sources(&mut self) -> Vec<SourceLine> {
        match self.one(Op::Sources).await {
            Event::Sources { sources } => sources,
            other => panic!("{other:?}"),
        }
    }

    async fn names(&mut self, typed: &str) -> Vec<Name> {
        match self.one(Op::Names { typed: typed.into(), limit: 5 }).await {
            Event::Names { names } => names,
            other => panic!("{other:?}"),
        }
    }

    async fn status(&mut self) -> NodeStatus {
        match self.one(Op::Status).await {
            Event::Status { status } => status,
            other => panic!("{other:?}"),
        }
    }

    /// What the decrypted pages of the vault hold of these words.
    fn in_pages(&self, words: &[&str]) -> Vec<String> {
        let mut pages = Vec::new();
        self.node.vault.for_each_page(&mut |page| pages.extend_from_slice(page)).unwrap();
        let holds = |word: &&&str| pages.windows(word.len()).any(|window| window == word.as_bytes());
        words.iter().filter(holds).map(|word| (*word).to_owned()).collect()
    }
}

fn item(event: Event) -> ItemView {
    match event {
        Event::Item { item } => *item,
        other => panic!("{other:?}"),
    }
}

fn failure(event: Event) -> Failure {
    match event {
        Event::Failed { failure } => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_confine_and_a_bad_date_is_said() {
    let mut desk = Desk::open().await;
    desk.file("trip/porto.txt", "From: Ana Costa <ana@x.pt>\n\nThe late train leaves Oriente at 14:39.");
    let notes = desk.file("notes.md", "The late  TRAIN was missed.");
    desk.ingest(notes.parent().unwrap()).await;
    assert_eq!(desk.hits("train").await.len(), 2);
    for (query, expected) in [
        ("from:ana train", "porto.txt"),
        ("source:trip/", "porto.txt"),
        ("\"late train was\"", "notes.md"),
        ("type:md", "notes.md"),
    ] {
        let hits = desk.hits(query).await;
        assert!(hits.len() == 1 && hits[0].source.ends_with(expected), "{query}: {hits:?}");
        let items = desk.items(query).await;
        assert!(items.len() == 1 && items[0].source.ends_with(expected), "{query}: {items:?}");
    }
    let said = failure(desk.one(Op::Search { query: "x before:tomorrow".into(), k: 3 }).await);
    assert_eq!(said.kind, ErrorKind::Usage);
    assert!(said.message.contains("tomorrow") && said.hint.contains("2026-03"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_stay_with_a_changed_file_and_go_with_a_forgotten_one() {
    let mut desk = Desk::open().await;
    let path = desk.file("a.md", "From: Quillfeather Ambrose\n\nthe first version of this note");
    desk.ingest(path.parent().unwrap()).await;
    let id = desk.hits("version").await[0].item;
    let labels = [" Zirconium  work ", "zirconium WORK", "", "taxes"];
    let marked = item(desk.mark(id, Some(true), Some(&labels)).await);
    assert_eq!((marked.pinned, marked.labels), (true, vec!["taxes".to_owned(), "Zirconium work".to_owned()]));
    let said = failure(desk.mark(id, None, Some(&["x".repeat(41).as_str()])).await);
    assert_eq!(said.kind, ErrorKind::Usage);
    let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(failure(desk.mark(id, None, Some(&many)).await).kind, ErrorKind::Usage);
    failure(desk.mark(ItemId::new(), Some(true), None).await);

    std::fs::write(&path, "From: Quillfeather Ambrose\n\nthe second version, which is longer").unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    desk.ingest(path.parent().unwrap()).await;
    let shown = item(desk.one(Op::Show { item: id }).await);
    assert!(shown.text.contains("second") && shown.pinned && shown.labels.len() == 2, "{shown:?}");
    assert_eq!(desk.hits("label:TAXES from:ambrose is:pinned").await.len(), 1);

    let planted = ["Quillfeather", "Zirconium", "quillfeather", "zirconium"];
    assert_eq!(desk.in_pages(&planted), planted, "the search finds what is there");
    desk.one(Op::Forget { target: ForgetTarget::Item { item: id }, dry_run: false }).await;
    assert_eq!(desk.in_pages(&planted), Vec::<String>::new());
    assert!(desk.names("zirc").await.is_empty() && desk.names("quill").await.is_empty());
    assert!(desk.items("").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_is_remembered_and_forgotten() {
    let mut desk = Desk::open().await;
    let path = desk.file("good.md", "a note about the estuary");
    desk.file("chrysoberyl.md", "another note, about the harbour");
    let bad = desk.file("porphyry.txt", "");
    let binary = [0u8, 1, 2, 255, 0, 0];
    std::fs::write(&bad, binary).unwrap();
    let folder = path.parent().unwrap().to_owned();
    desk.ingest(&folder).await;
    let source = desk.sources().await.remove(0);
    let skips = |event: Event| match event {
        Event::Skips { skipped } => skipped,
        other => panic!("{other:?}"),
    };
    let skipped = skips(desk.one(Op::Skips { source: source.id }).await);
    assert_eq!((source.skipped, skipped.len()), (1, 1), "{skipped:?}");
    assert!(skipped[0].what.ends_with("porphyry.txt") && !skipped[0].why.is_empty(), "{skipped:?}");
    assert_eq!(source.waiting, 2, "no embedder is here");

    // What was forgotten is left out of the next reading, and its path is kept nowhere.
    let id = desk.hits("harbour").await[0].item;
    desk.one(Op::Forget { target: ForgetTarget::Item { item: id }, dry_run: false }).await;
    desk.ingest(&folder).await;
    assert_eq!(skips(desk.one(Op::Skips { source: source.id }).await).len(), 1);
    assert_eq!(desk.in_pages(&["chrysoberyl", "porphyry"]), ["porphyry"]);

    std::fs::write(&bad, "now it is text, and longer").unwrap();
    desk.ingest(&folder).await;
    assert_eq!(desk.sources().await[0].skipped, 0);
    // What is said of the folder as a whole is a line for each kind of file.
    std::fs::write(folder.join("a.png"), binary).unwrap();
    std::fs::write(folder.join("b.mp3"), binary).unwrap();
    std::fs::write(folder.join("porphyry.md"), binary).unwrap();
    desk.ingest(&folder).await;
    let skipped = skips(desk.one(Op::Skips { source: source.id }).await);
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    // A part that is read again says nothing of the rest.
    desk.ingest(&folder.join("porphyry.md")).await;
    assert_eq!(skips(desk.one(Op::Skips { source: source.id }).await), skipped);
    desk.one(Op::Forget { target: ForgetTarget::Source { source: source.id }, dry_run: false }).await;
    assert_eq!(desk.in_pages(&["porphyry", "estuary"]), Vec::<String>::new(), "they go with their source");
    failure(desk.one(Op::Skips { source: source.id }).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_takes_nothing_in_and_outlives_the_node() {
    let mut desk = Desk::open().await;
    let path = desk.file("a.md", "a note about the estuary").to_string_lossy().into_owned();
    assert!(matches!(desk.one(Op::MemoryPause { paused: true }).await, Event::Done));
    assert!(desk.status().await.paused);
    let attach = Op::Attach { what: Attachment::File { path: path.clone() } };
    let text = Op::Attach { what: Attachment::Text { name: "ls".into(), text: "a".into() } };
    for op in [Op::Ingest { paths: vec![path.clone()] }, Op::SourceAdd { path: path.clone() }, attach, text] {
        let said = failure(desk.one(op).await);
        assert!(said.kind == ErrorKind::Refused && said.hint.contains("Resume"), "{said:?}");
    }
    failure(desk.one(Op::SourceSync { source: None }).await);
    assert!(crate::flows::pause::was_paused(&desk.node.vault).unwrap());
    assert!(desk.items("").await.is_empty(), "looking goes on");
    desk.one(Op::MemoryPause { paused: true }).await;
    desk.one(Op::MemoryPause { paused: false }).await;
    desk.ingest(std::path::Path::new(&path)).await;
    assert_eq!(desk.hits("estuary").await.len(), 1);
    let lines = desk.ledger().await;
    let said: Vec<&String> = lines.iter().filter(|line| line.contains("remembering")).collect();
    assert_eq!(said, ["remembering was paused", "remembering was resumed"], "once each: {lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_become_items_that_a_turn_is_confined_to() {
    let mut desk = Desk::open().await;
    let path = desk.file("trip/porto.md", "the train leaves at 14:39");
    desk.file("trip/deep/lisbon.md", "the tram leaves at nine");
    let folder = path.parent().unwrap().to_string_lossy().into_owned();
    let file = Attachment::File { path: path.to_string_lossy().into_owned() };
    let text = |text: &str| Attachment::Text { name: "git  status".into(), text: text.into() };

    async fn attached(desk: &mut Desk, what: Attachment) -> Result<crate::protocol::Attached, Failure> {
        match desk.one(Op::Attach { what }).await {
            Event::Attached { attached } => Ok(attached),
            Event::Failed { failure } => Err(failure),
            other => panic!("{other:?}"),
        }
    }
    let all = attached(&mut desk, Attachment::Folder { path: folder.clone() }).await.unwrap();
    assert_eq!((all.name.as_str(), all.items, all.within), ("trip", 2, Within::Folder(folder.clone())));
    let one = attached(&mut desk, file).await.unwrap();
    assert_eq!((one.name.as_str(), one.items), ("porto.md", 1));
    assert!(matches!(one.within, Within::Item(_)));
    let first = attached(&mut desk, text("on branch quicksilver")).await.unwrap();
    assert_eq!((first.name.as_str(), first.items), ("git status", 1));
    assert_eq!(attached(&mut desk, text("on branch quicksilver")).await.unwrap(), first);
    assert_ne!(attached(&mut desk, text("on branch cinnabar")).await.unwrap().within, first.within);
    let items = desk.items("branch").await;
    assert_eq!(items.len(), 2, "the same output is the same item: {items:?}");
    assert!(items.iter().all(|item| item.title == "git status" && item.source.starts_with("git status · ")));
    assert_eq!(desk.items("leaves").await.len(), 2);
    let sources = desk.sources().await;
    let printed = sources.iter().find(|source| source.path == "git status").expect("a source called after the command");
    assert!(printed.state == crate::protocol::SourceState::Active && printed.grant.is_some() && printed.items == 2);
    let lines = desk.ledger().await;
    assert!(lines.iter().any(|line| line.starts_with("remembered git status · ")), "{lines:?}");
    let within = vec![Within::Folder(folder.clone())];
    let found = crate::flows::memory::find(&desk.node, "leaves branch".into(), &within, 9).await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");

    let long = "x".repeat((1 << 20) + 1);
    for (what, word) in [
        (text(" \n"), "nothing"),
        (text(&long), "1048577 bytes"),
        (Attachment::File { path: folder.clone() }, "not a file"),
        (Attachment::Folder { path: path.to_string_lossy().into_owned() }, "not a folder"),
        (Attachment::File { path: format!("{folder}/none.md") }, "cannot be opened"),
    ] {
        let failure = attached(&mut desk, what).await.unwrap_err();
        assert!(failure.message.contains(word) && !failure.hint.is_empty(), "{failure:?}");
    }
    // With the last of what a command printed its name goes too.
    for item in items {
        desk.one(Op::Forget { target: ForgetTarget::Item { item: item.item }, dry_run: false }).await;
    }
    assert_eq!(desk.in_pages(&["quicksilver", "cinnabar", "git status"]), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_fresh_after_every_change() {
    let mut desk = Desk::open().await;
    assert!(desk.names("").await.is_empty());
    let path = desk.file("trip/porto.txt", "From: Ana Costa <ana@x.pt>\n\nthe train leaves at 14:39");
    desk.ingest(path.parent().unwrap().parent().unwrap()).await;
    // A table may be a little older while an import runs.
    desk.node.names.clear();
    let kinds = |names: &[Name]| -> Vec<&'static str> {
        let kind = |name: &Name| match name.within {
            Within::Item(_) => "item",
            Within::Source(_) => "source",
            Within::Folder(_) => "folder",
            Within::Person(_) => "person",
            Within::Label(_) => "label",
        };
        names.iter().map(kind).collect()
    };
    assert_eq!(kinds(&desk.names("porto").await), ["item"]);
    assert_eq!(kinds(&desk.names("costa").await), ["person"]);
    assert_eq!(kinds(&desk.names("trip").await), ["folder", "item"]);
    assert_eq!(kinds(&desk.names("").await), ["person", "source", "folder", "item"]);
    let person = desk.names("costa").await.remove(0).within;
    let found = crate::flows::memory::find(&desk.node, "train".into(), &[person], 9).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_what_was_read_before_are_found_too() {
    let mut desk = Desk::open().await;
    for n in 0..70 {
        desk.file(&format!("{n}.txt"), &format!("From: Person{n}\n\nletter number {n}"));
    }
    let folder = desk.file("0.txt", "From: Person0\n\nletter number 0").parent().unwrap().to_owned();
    desk.ingest(&folder).await;
    // As a home looks that was filled by an older iCore.
    let ids: Vec<ItemId> = desk.node.vault.read(|r| r.texts_after(0, 99)).unwrap().iter().map(|it| it.1).collect();
    desk.node.vault.write(|tx| ids.iter().try_for_each(|id| tx.set_people(*id, &[]))).unwrap();
    assert_eq!(desk.node.vault.read(|r| r.people()).unwrap().len(), 0);
    assert_eq!(desk.hits("from:person69").await.len(), 1);
    assert_eq!(desk.node.vault.read(|r| r.people()).unwrap().len(), 70);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_filtered_from_its_newest_end() {
    let mut desk = Desk::open().await;
    let path = desk.file("a.md", "a note");
    desk.ingest(&path).await;
    desk.one(Op::MemoryPause { paused: true }).await;
    async fn lines(desk: &mut Desk, kinds: &[&str], matching: &str, before: Option<u64>, limit: usize) -> Event {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        desk.one(Op::Ledger { limit, kinds, matching: matching.into(), before }).await
    }
    let texts = |event: Event| -> Vec<(u64, String)> {
        match event {
            Event::Ledger { lines } => lines.into_iter().map(|line| (line.seq, line.kind)).collect(),
            other => panic!("{other:?}"),
        }
    };
    let all = texts(lines(&mut desk, &[], "", None, 99).await);
    assert!(all.windows(2).all(|pair| pair[0].0 == pair[1].0 + 1), "newest first: {all:?}");
    assert_eq!(texts(lines(&mut desk, &["ingest", "grant"], "", None, 99).await).len(), 2);
    assert_eq!(texts(lines(&mut desk, &[], "A.MD", None, 99).await).len(), 2, "the grant and the reading");
    let second = all[1].0;
    assert_eq!(texts(lines(&mut desk, &[], "", Some(second), 1).await), [all[2].clone()]);
    assert_eq!(texts(lines(&mut desk, &["kill"], "", None, 9).await), []);
    let said = failure(lines(&mut desk, &["gossip"], "", None, 9).await);
    assert!(said.kind == ErrorKind::Usage && said.hint.contains("disclose"), "{said:?}");
}
