//! Files to documents: kinds, titles, encodings, caps.

mod support;

use hinet_connectors::{normalised, read};
use hinet_protocol::Trust;
use std::{fs::File, io::Write};
use support::{Opened, extractor, reference};

#[test]
fn kinds_titles_and_trust() {
    let opened = Opened::new();
    for (name, content, kind, title, text, trust) in [
        (
            "a.md",
            "---\ntitle: Front\n---\n# Head\r\n\r\n\r\n\r\n\r\nx  \n",
            "markdown",
            "Front",
            "---\ntitle: Front\n---\n# Head\n\n\nx\n",
            Trust::Own,
        ),
        ("b.md", "intro\n\n# Head\n", "markdown", "Head", "intro\n\n# Head\n", Trust::Own),
        ("plain note.txt", "words", "text", "plain note", "words\n", Trust::Own),
        ("table.csv", "a,b\n1,2\n", "text", "table.csv", "a,b\n1,2\n", Trust::Own),
        ("conf.toml", "a = 1", "text", "conf.toml", "a = 1\n", Trust::Own),
        ("main.rs", "fn main() {}\n", "code", "main.rs", "fn main() {}\n", Trust::Own),
        ("Makefile", "all:\n\ttrue\n", "code", "Makefile", "all:\n\ttrue\n", Trust::Own),
        ("page.html", "<title>T</title><h1>H</h1><p>x", "html", "T", "# H\n\nx\n", Trust::Untrusted),
        ("page.htm", "<p>x", "html", "page", "x\n", Trust::Untrusted),
        ("unnamed", "<!doctype html><p>sniffed", "html", "unnamed", "sniffed\n", Trust::Untrusted),
        ("strange.q7x", "just text", "text", "strange", "just text\n", Trust::Own),
    ] {
        let document = opened.read_bytes(name, content).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        assert_eq!((document.kind, document.title.as_str(), document.text.as_str()), (kind, title, text), "{name}");
        assert_eq!(document.trust, trust, "{name}");
        assert_eq!(document.key, opened.root.join(name).to_string_lossy());
        assert!(document.modified > 1_600_000_000_000, "{name}");
        assert_eq!(normalised(&document.text), document.text);
    }
}

#[test]
fn refusals_are_sentences() {
    let opened = Opened::new();
    for (name, bytes, why) in [
        ("empty.md", b"".as_slice(), "It is empty."),
        ("blank.md", b" \n\t\n", "It is empty."),
        ("binary.txt", b"MZ\x00\x01\x02", "It is not text (it holds binary data)."),
        ("noname", b"\x7fELF\x02\x01\x01\x00", "It is not text (it holds binary data)."),
        ("zip", b"PK\x03\x04....", "HiNet does not read archives and disk images."),
        ("a.jpg", b"\xff\xd8", "HiNet does not read pictures."),
        ("a.pdf", b"no pdf at all", "It could not be read: the PDF is damaged."),
        (
            "a.docx",
            b"\xd0\xcf\x11\xe0rest",
            "It is encrypted with a password, or in Word's old format; save it as a plain DOCX to have it read.",
        ),
    ] {
        assert_eq!(opened.read_bytes(name, bytes).expect_err(name).why, why, "{name}");
    }
    assert_eq!(opened.read("gone.md").expect_err("gone").why, "It is not there any more.");
    let broken = opened.read_bytes("b.docx", b"PK\x03\x04 no zip").expect_err("broken").why;
    assert!(broken.starts_with("It cannot be read as a Word file"), "{broken}");
}

#[test]
fn two_gigabytes_are_refused_unread() {
    let opened = Opened::new();
    for name in ["big.txt", "big.pdf", "big.docx", "big.html", "big"] {
        let path = opened.root.join(name);
        // A hole: no disk is used, and reading it would take 2 GB of memory.
        File::create(&path).and_then(|file| file.set_len(2 << 30)).expect("a hole");
        let why = opened.read(name).expect_err(name).why;
        assert!(why.starts_with("It is 2 GB large; files of this kind are read up to "), "{why}");
    }
}

#[test]
fn text_that_is_too_long_is_refused() {
    let mut opened = Opened::new();
    opened.limits.max_text_bytes = 1000;
    assert_eq!(
        opened.read_bytes("a.txt", "x\n".repeat(900)).expect_err("long").why,
        "It holds more than 1000 bytes of text."
    );
}

#[test]
fn encodings() {
    let opened = Opened::new();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("# Größe".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(opened.read_bytes("a.md", utf16).expect("UTF-16").title, "Größe");
    let latin = opened.read_bytes("b.txt", b"Die Stra\xdfe f\xfchrt \xfcber den Flu\xdf.").expect("Latin 1");
    assert_eq!(latin.text, "Die Straße führt über den Fluß.\n");
    assert!(latin.notes.is_empty());
    let broken = opened.read_bytes("c.txt", b"\xc3\xa9\xc3\xa8\xc3\xbc\xff.").expect("nearly UTF-8");
    assert_eq!(broken.text, "éèü\u{fffd}.\n");
    assert_eq!(broken.notes.len(), 1);
    let page =
        opened.read_bytes("d.html", b"<meta charset='windows-1251'><p>\xcf\xf0\xe8\xe2\xe5\xf2").expect("Cyrillic");
    assert_eq!(page.text, "Привет\n");
}

#[test]
fn a_file_that_never_holds_still_is_left_for_later() {
    let opened = Opened::new();
    let path = opened.write("log.txt", "line\n");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut file = File::options().append(true).open(&path).expect("the log");
            for _ in 0..20_000 {
                file.write_all(b"another line\n").expect("a line");
            }
        });
        while !writer.is_finished() {
            // Either what was there at one moment or the sentence; never two moments mixed.
            match read(&opened.reading, &reference(&path), &opened.limits, &extractor()) {
                Ok(document) => assert!(document.text.starts_with("line\n")),
                Err(skipped) => assert!(skipped.why.contains("being changed"), "{skipped:?}"),
            }
        }
    });
    assert_eq!(opened.read("log.txt").expect("still now").text.lines().count(), 20_001);
}

#[test]
fn notes_of_a_vault_are_called_by_their_files() {
    let opened = Opened::new();
    opened.write("vault/.obsidian/app.json", "{}");
    let note = "---\ntags: [boat, winter]\naliases:\n  - Hull\nauthor: \"[[Ana Costa]]\"\n---\n## Tasks\n\nAsk [[people/Bo Lee|him]] \
                about ![[plan.png|200]] `[[x]]`.\n";
    let document = opened.read_bytes("vault/The Boat.md", note).expect("a note");
    assert_eq!(document.title, "The Boat");
    assert_eq!(
        document.text,
        "---\ntags: [boat, winter]\naliases:\n  - Hull\nauthor: \"Ana Costa\"\n---\n## Tasks\n\nAsk him (Bo Lee) about \
         plan.png `[[x]]`.\n"
    );
    assert_eq!(opened.read_bytes("vault/b.md", "---\ntitle: Named\n---\nx\n").expect("a note").title, "Named");
    assert_eq!(opened.read_bytes("The Boat.md", note).expect("a note").title, "Tasks");
}
