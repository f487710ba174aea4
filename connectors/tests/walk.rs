//! Which files of a folder are found, in which order, and what is said about the others.

mod support;

use hinet_connectors::{ReadLimits, read, walk, walk_changed, walk_changes};
use std::{fs, os::unix::fs::PermissionsExt};
use support::{Opened, extractor, gather, leave, reference};

#[test]
fn order_ignores_and_hidden_files() {
    let opened = Opened::new();
    for name in
        ["b.md", "a.md", "sub/c.txt", "sub/.secret/d.md", ".env", "build/out.md", "sub/x.md", "B.md", "deep/keep.rs"]
    {
        opened.write(name, "text");
    }
    opened.write(".gitignore", "build/\n");
    opened.write("sub/.ignore", "x.md\n");
    let (files, skipped) = opened.walk();
    assert_eq!(files, ["B.md", "a.md", "b.md", "deep/keep.rs", "sub/c.txt"]);
    assert!(skipped.is_empty(), "{skipped:?}");
    assert_eq!(opened.walk().0, files, "the order is the same every time");
}

#[test]
fn a_repository_around_the_root_is_heard() {
    let opened = Opened::new();
    opened.write("repo/.gitignore", "target/\n");
    opened.write("repo/.git/HEAD", "ref");
    opened.write("repo/crate/target/x.rs", "no");
    opened.write("repo/crate/src.rs", "yes");
    let (files, _) = opened.sort(walk(&opened.reading, &opened.root.join("repo/crate"), &opened.limits));
    assert_eq!(files, ["repo/crate/src.rs"]);
}

#[test]
fn kinds_that_are_never_read_are_counted() {
    let opened = Opened::new();
    for name in ["a.jpg", "b.PNG", "c.tar", "d.md", "key.pem"] {
        opened.write(name, "x");
    }
    let (files, skipped) = opened.walk();
    assert_eq!(files, ["d.md"]);
    let said: Vec<_> = skipped.iter().map(|skipped| skipped.why.as_str()).collect();
    assert_eq!(
        said,
        [
            "1 file was passed over: HiNet does not read archives and disk images.",
            "1 file was passed over: HiNet does not read keys and certificates.",
            "2 files were passed over: HiNet does not read pictures.",
        ]
    );
}

#[test]
fn links_never_lead_out_nor_in_circles() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret.md"), "no").expect("a file");
    let opened = Opened::new();
    opened.write("in/a.md", "text");
    let link = |target: &std::path::Path, name: &str| {
        std::os::unix::fs::symlink(target, opened.root.join(name)).expect("a link");
    };
    link(outside.path(), "out");
    link(&outside.path().join("secret.md"), "out.md");
    link(&opened.root, "in/loop");
    link(&opened.root.join("in/a.md"), "alias.md");
    link(&opened.root.join("nowhere"), "broken");
    link(&opened.root.join("self"), "self");
    let (files, skipped) = opened.walk();
    assert_eq!(files, ["in/a.md"]);
    let said: Vec<_> = skipped
        .iter()
        .map(|skipped| (skipped.what.rsplit('/').next().unwrap_or_default(), skipped.why.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("broken", "It is a link to something that does not exist."),
            ("loop", "It is a link to a folder that it lies in (a loop), so it was not followed."),
            ("out", "It is a link to a place outside the folder; add that place itself to have it read."),
            ("out.md", "It is a link to a place outside the folder; add that place itself to have it read."),
            ("self", "It is a link to a folder that it lies in (a loop), so it was not followed."),
        ]
    );
    // Even handed over directly, a link is not read through.
    for name in ["out.md", "alias.md", "out/secret.md"] {
        assert!(opened.read(name).is_err(), "{name}");
    }
}

// Pipes and sockets are made without a shell or a listener only here.
#[cfg(target_os = "linux")]
#[test]
fn special_files_are_named_and_never_opened() {
    let opened = Opened::new();
    let pipe = opened.root.join("pipe.md");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)
        .expect("a pipe");
    let socket = opened.root.join("socket.md");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &socket,
        rustix::fs::FileType::Socket,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a socket");
    let (files, skipped) = opened.walk();
    assert!(files.is_empty());
    let said: Vec<_> = skipped.iter().map(|skipped| skipped.why.as_str()).collect();
    assert_eq!(
        said,
        ["It is a named pipe, not a file; it was not opened.", "It is a socket, not a file; it was not opened."]
    );
    // Nobody writes to the pipe: opening it to read would wait for ever.
    assert!(opened.read("pipe.md").expect_err("a pipe").why.contains("pipe"));
    assert!(opened.read("socket.md").is_err());
}

#[test]
fn depth_is_capped_and_said() {
    let mut opened = Opened::new();
    opened.limits.max_depth = 3;
    opened.write("1/2/3/4.md", "too deep");
    opened.write("1/2/x.md", "deep enough");
    let (files, skipped) = opened.walk();
    assert_eq!(files, ["1/2/x.md"]);
    assert_eq!(skipped.len(), 1);
    assert!(skipped[0].what.ends_with("1/2/3"));
    assert_eq!(skipped[0].why, "It lies more than 3 folders deep, so what is in it was not read.");
}

#[test]
fn what_is_excluded_is_not_even_listed() {
    let opened = Opened::new();
    opened.write("home/vault.md", "no");
    opened.write("notes.md", "yes");
    let reading = opened.reading.clone().without(&[opened.root.join("home")]);
    let (files, skipped) = opened.sort(walk(&reading, &opened.root, &opened.limits));
    assert_eq!((files, skipped), (vec!["notes.md".to_owned()], vec![]));
    let home = reference(&opened.root.join("home/vault.md"));
    assert!(read(&reading, &home, &opened.limits, &extractor()).is_err());
}

#[test]
fn what_consent_does_not_cover_is_refused() {
    let opened = Opened::new();
    opened.write("a.md", "text");
    let other = tempfile::tempdir().expect("a folder");
    let stranger = other.path().canonicalize().expect("its place").join("b.md");
    fs::write(&stranger, "text").expect("a file");
    let (files, skipped) = opened.sort(walk(&opened.reading, other.path(), &opened.limits));
    assert!(files.is_empty());
    assert_eq!(skipped[0].why, "It lies outside the folders that you opened to HiNet, so it was not read.");
    let refused = read(&opened.reading, &reference(&stranger), &opened.limits, &extractor()).expect_err("refused");
    assert_eq!(refused.why, skipped[0].why);
    opened.consent.kill(1_700_000_000_001).expect("killed");
    assert!(opened.read("a.md").expect_err("killed").why.contains("kill switch"));
    let (files, skipped) = opened.walk();
    assert!(files.is_empty() && skipped.len() == 1 && skipped[0].why.contains("kill switch"), "{skipped:?}");
}

#[test]
fn unreadable_folders_are_listed_and_stop_nothing() {
    let opened = Opened::new();
    opened.write("closed/a.md", "no");
    opened.write("open.md", "yes");
    let closed = opened.root.join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("closed");
    let blind = fs::read_dir(&closed).is_err();
    let (files, skipped) = opened.walk();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("open again");
    if !blind {
        eprintln!("skipped: this user may read everything");
        return;
    }
    assert_eq!(files, ["open.md"]);
    assert_eq!(skipped[0].why, "You have no permission to read it; change its permissions to have it read.");
}

#[test]
fn changes_follow_the_same_rules() {
    let opened = Opened::new();
    for name in ["a.md", "sub/b.md", "sub/c.md", "ignored/d.md", "moved/in/e.md"] {
        opened.write(name, "text");
    }
    opened.write(".gitignore", "ignored/\n");
    let look = |name: &str| {
        opened.sort(walk_changed(&opened.reading, &opened.root, &opened.root.join(name), &opened.limits)).0
    };
    assert_eq!(look("sub/b.md"), ["sub/b.md"]);
    assert_eq!(look("moved"), ["moved/in/e.md"]);
    assert_eq!(look("ignored/d.md"), [""; 0]);
    assert_eq!(look("gone.md"), [""; 0]);
    assert_eq!(look(".gitignore"), ["a.md", "moved/in/e.md", "sub/b.md", "sub/c.md"]);
    let both = [opened.root.join("a.md"), opened.root.join("sub"), opened.root.join("sub/b.md")];
    let (files, _) = opened.sort(walk_changes(&opened.reading, &opened.root, &both, &opened.limits));
    assert_eq!(files, ["a.md", "sub/b.md", "sub/c.md"]);
}

#[test]
fn a_single_file_can_be_a_root() {
    let opened = Opened::new();
    let path = opened.write("only.md", "text");
    let (reading, _consent, _home) = leave(&path);
    let found: Vec<_> = walk(&reading, &path, &ReadLimits::default()).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].as_ref().expect("a file").path, path);
    opened.write("beside.md", "text");
    assert!(read(&reading, &reference(&opened.root.join("beside.md")), &opened.limits, &extractor()).is_err());
}

#[test]
fn a_vault_of_notes_has_folders_without_notes() {
    let opened = Opened::new();
    for name in [
        "notes/.obsidian/app.json",
        "notes/.trash/old.md",
        "notes/day.md",
        "notes/sub/Templates/daily.md",
        "notes/sub/x.md",
        "other/.obsidian/app.json",
        "other/Meta/Forms/form.md",
        "other/Meta/note.md",
        "other/templates/about.md",
        "graph/logseq/config.edn",
        "graph/logseq/bak/pages/a.md",
        "graph/pages/a.md",
        "templates/letter.md",
    ] {
        opened.write(name, "text");
    }
    opened.write("other/.obsidian/templates.json", "{\"folder\": \"Meta/Forms/\"}");
    let (files, skipped) = opened.walk();
    assert_eq!(
        files,
        [
            "graph/logseq/config.edn",
            "graph/pages/a.md",
            "notes/day.md",
            "notes/sub/x.md",
            "other/Meta/note.md",
            "other/templates/about.md",
            "templates/letter.md"
        ]
    );
    let said: Vec<_> = skipped
        .iter()
        .map(|skipped| (skipped.what.strip_prefix(opened.root.to_str().expect("a name")), skipped.why.as_str()))
        .collect();
    let templates = "It holds templates for notes, so what is in it was not read.";
    assert_eq!(
        said,
        [
            (Some("/graph/logseq/bak"), "It holds older versions of notes, so what is in it was not read."),
            (Some("/notes/sub/Templates"), templates),
            (Some("/other/Meta/Forms"), templates),
        ]
    );
    // What is handed over itself is read all the same.
    let (files, _) = opened.sort(walk(&opened.reading, &opened.root.join("notes/sub/Templates"), &opened.limits));
    assert_eq!(files, ["notes/sub/Templates/daily.md"]);
    let changed = opened.root.join("notes/sub/Templates/daily.md");
    let (files, _) = opened.sort(walk_changed(&opened.reading, &opened.root, &changed, &opened.limits));
    assert!(files.is_empty());
}

#[test]
fn what_lies_in_the_cloud_is_named_and_not_fetched() {
    let opened = Opened::new();
    for name in [".away.md.icloud", "sheet.csv.nextcloud", "here.md", "plan.gdoc", ".hidden.md"] {
        opened.write(name, "x");
    }
    let hole =
        |name: &str| fs::File::create(opened.root.join(name)).and_then(|file| file.set_len(9000)).expect("a hole");
    hole("hollow.md");
    hole("hollow.mbox");
    opened.write("OneDrive - Home/none.md", "");
    let away = "It lies in the cloud and is not downloaded to this machine; download it to have it read.";
    let (files, skipped) = opened.walk();
    assert_eq!(files, ["OneDrive - Home/none.md", "here.md", "hollow.mbox", "hollow.md"]);
    let said: Vec<_> = skipped
        .iter()
        .map(|skipped| (skipped.what.rsplit('/').next().unwrap_or_default(), skipped.why.as_str()))
        .collect();
    assert_eq!(said[..2], [("away.md", away), ("sheet.csv", away)]);
    assert_eq!(said[2].1, "1 file was passed over: HiNet does not read documents that lie on Google Drive only.");
    let got = gather(&opened.root);
    let why = |name: &str| {
        let found = got.skipped.iter().find(|skipped| skipped.what.ends_with(name));
        found.map_or("read", |skipped| skipped.why.as_str())
    };
    assert_eq!(why("none.md"), "It is empty here; if there is something in it in the cloud, it is not downloaded yet.");
    // Not every file system tells a hole from zeros.
    for name in ["hollow.md", "hollow.mbox"] {
        assert!([away, "It is not text (it holds binary data)."].contains(&why(name)), "{name}: {}", why(name));
    }
    // Once it is here, it is what changed.
    opened.write("away.md", "words");
    fs::remove_file(opened.root.join(".away.md.icloud")).expect("gone");
    let (files, skipped) =
        opened.sort(walk_changed(&opened.reading, &opened.root, &opened.root.join("away.md"), &opened.limits));
    assert_eq!((files, skipped), (vec!["away.md".to_owned()], vec![]));
}
