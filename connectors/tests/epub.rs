//! Books: what their text looks like, what is passed over, and the ones that are locked, broken or traps.

mod support;

use hinet_protocol::Trust;
use proptest::prelude::*;
use std::io::Write;
use support::{Opened, docx as container, gather};

const CONTAINER: &str = "<?xml version='1.0'?><container><rootfiles><rootfile full-path='OEBPS/book.opf' \
    media-type='application/oebps-package+xml'/></rootfiles></container>";

fn opf(manifest: &str, spine: &str, rest: &str) -> String {
    format!(
        "<?xml version='1.0'?><package xmlns:dc='d'><metadata><dc:title>The Salt Road</dc:title><dc:creator \
         id='c'>Costa, Ana</dc:creator><dc:creator>Bo Lee</dc:creator></metadata><manifest>{manifest}</manifest>\
         <spine>{spine}</spine>{rest}</package>"
    )
}

fn item(id: &str, href: &str, more: &str) -> String {
    format!("<item id='{id}' href='{href}' media-type='application/xhtml+xml' {more}/>")
}

/// A book whose chapters are `one.xhtml`, `two.xhtml` and so on.
fn book(chapters: &[&str]) -> Vec<u8> {
    let names: Vec<String> = (0..chapters.len()).map(|at| format!("{at}.xhtml")).collect();
    let manifest: String = names.iter().map(|name| item(name, name, "")).collect();
    let spine: String = names.iter().map(|name| format!("<itemref idref='{name}'/>")).collect();
    let opf = opf(&manifest, &spine, "");
    let places: Vec<String> = names.iter().map(|name| format!("OEBPS/{name}")).collect();
    let mut parts = vec![
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", CONTAINER),
        ("OEBPS/book.opf", opf.as_str()),
    ];
    parts.extend(places.iter().map(String::as_str).zip(chapters.iter().copied()));
    container(&parts)
}

#[test]
fn chapters_in_the_order_of_the_spine() {
    let opened = Opened::new();
    let manifest = [
        item("two", "text/two%20b.xhtml", ""),
        item("one", "text/one.xhtml", ""),
        item("cover", "cover.xhtml", ""),
        item("nav", "nav.xhtml", "properties='nav'"),
        item("toc", "toc.xhtml", ""),
        item("three", "three.xhtml", ""),
        item("gone", "gone.xhtml", ""),
        item("front", "front.xhtml", ""),
        "<item id='pic' href='p.svg' media-type='image/svg+xml'/>".to_owned(),
    ]
    .concat();
    let spine = ["cover", "toc", "nav", "one", "two", "pic", "three", "one", "gone", "front"]
        .map(|id| format!("<itemref idref='{id}'/>"))
        .concat();
    let opf = opf(
        &manifest,
        &spine,
        "<guide><reference type='toc' href='toc.xhtml'/><reference type='toc' href='front.xhtml#top'/></guide>",
    );
    let bytes = container(&[
        ("mimetype", "application/epub+zip"),
        ("META-INF/container.xml", CONTAINER),
        ("OEBPS/book.opf", &opf),
        ("OEBPS/cover.xhtml", "<html><body><p>The Salt Road</p><img src='c.jpg' alt='Cover'/></body></html>"),
        ("OEBPS/toc.xhtml", &"<p>I. <a href='text/one.xhtml'>A chapter of some length</a></p>".repeat(40)),
        ("OEBPS/front.xhtml", &format!("<p><a href='a'>One</a></p><p>{}</p>", "It is told in full. ".repeat(20))),
        (
            "OEBPS/nav.xhtml",
            "<nav epub:type='toc'><ol><li><a href='text/two%20b.xhtml#x'>II. The <b>Pass</b></a></li></ol></nav>",
        ),
        (
            "OEBPS/text/one.xhtml",
            "<?xml version='1.0'?><!DOCTYPE html><html><head><title/><script src='x.js'/></head><body>\
             <h2>I.<br/>The Coast</h2><p>They left &nbsp;at <i>dawn</i>.</p><p>It rained.</p></body></html>",
        ),
        ("OEBPS/text/two b.xhtml", "<html><body><p class='h'>II</p><p>The pass was closed.</p></body></html>"),
        ("OEBPS/three.xhtml", "<html><body><table><tr><td>a</td><td>b</td></tr></table></body></html>"),
        ("OEBPS/p.svg", "<svg><text>no</text></svg>"),
    ]);
    let document = opened.read_bytes("book.epub", &bytes).expect("a book");
    assert_eq!(
        document.text,
        "# The Salt Road\n\nAuthor: \"Costa, Ana\"; Bo Lee\n\n\n## I. The Coast\n\nThey left at dawn.\n\nIt rained.\n\n\
         ## II. The Pass\n\nII\n\nThe pass was closed.\n\na | b\n\nOne\n\n"
            .to_owned()
            + "It is told in full. ".repeat(20).trim_end() + "\n"
    );
    assert_eq!((document.title.as_str(), document.kind, document.trust), ("The Salt Road", "epub", Trust::Untrusted));
    assert_eq!(document.notes, ["Of its 7 parts 1 could not be read (missing or damaged)."]);
    // Without a telling name it is known by its first part.
    assert_eq!(opened.read_bytes("book", &bytes).expect("a book").kind, "epub");
    let got = gather(&opened.root);
    assert_eq!(got.documents.len(), 2, "{:?}", got.skipped);
}

#[test]
fn locked_books_are_named() {
    let opened = Opened::new();
    let lock = |uri: &str, algorithm: &str| {
        format!(
            "<encryption><enc:EncryptedData xmlns:enc='e'><enc:EncryptionMethod Algorithm='{algorithm}'/><enc:CipherData>\
             <enc:CipherReference URI='{uri}'/></enc:CipherData></enc:EncryptedData></encryption>"
        )
    };
    let aes = "http://www.w3.org/2001/04/xmlenc#aes128-cbc";
    let with = |encryption: &str| {
        let manifest = item("a", "a.xhtml", "") + &item("b", "b.xhtml", "");
        let opf = opf(&manifest, "<itemref idref='a'/><itemref idref='b'/>", "");
        container(&[
            ("META-INF/container.xml", CONTAINER),
            ("OEBPS/book.opf", &opf),
            ("META-INF/encryption.xml", encryption),
            ("OEBPS/a.xhtml", "\u{1}\u{2}\u{3}noise"),
            ("OEBPS/b.xhtml", "<p>plain words</p>"),
        ])
    };
    let both = lock("OEBPS/a.xhtml", aes) + &lock("OEBPS/b.xhtml", aes);
    let why = opened.read_bytes("locked.epub", with(&both)).expect_err("locked").why;
    assert_eq!(why, "It is protected against being read by other programs (DRM), so it was not read.");
    let half = opened.read_bytes("half.epub", with(&lock("OEBPS/a.xhtml", aes))).expect("half of it");
    assert_eq!(half.notes, ["Of its 2 parts 1 could not be read (protected by DRM)."]);
    let fonts =
        opened.read_bytes("fonts.epub", with(&lock("f.otf", "http://www.idpf.org/2008/embedding"))).expect("open");
    assert!(fonts.text.contains("plain words"));
}

#[test]
fn what_is_no_book_is_said() {
    let mut opened = Opened::new();
    let none = "It is not an EPUB book: the part that holds the document is missing.";
    for (name, bytes, why) in [
        ("none.epub", container(&[("a", "x")]), none),
        ("lost.epub", container(&[("META-INF/container.xml", CONTAINER)]), none),
        ("bare.epub", book(&[]), none),
        ("blank.epub", book(&["<p> </p>"]), "It is empty."),
        (
            "bomb.epub",
            book(&[&"a".repeat(24 << 20)]),
            "It unpacks to far more than its size (a \"zip bomb\"), so it was not read.",
        ),
    ] {
        assert_eq!(opened.read_bytes(name, bytes).expect_err(name).why, why, "{name}");
    }
    let why = opened.read_bytes("text.epub", "no zip").expect_err("text").why;
    assert!(why.starts_with("It cannot be read as an EPUB book: "), "{why}");
    opened.limits.max_zip_entries = 3;
    let why = opened.read_bytes("many.epub", book(&["a", "b"])).expect_err("many").why;
    assert_eq!(why, "It holds 5 parts, more than an EPUB book needs (at most 3 are accepted).");
}

#[test]
fn no_path_leads_out_of_a_book() {
    let opened = Opened::new();
    opened.write("secret.xhtml", "<p>secret</p>");
    let manifest = ["../../secret.xhtml", "/secret.xhtml", "file:///etc/passwd", "%2e%2e/%2e%2e/secret.xhtml"]
        .iter()
        .enumerate()
        .map(|(at, href)| item(&at.to_string(), href, ""))
        .collect::<String>()
        + &item("a", "a.xhtml", "");
    let spine: String = ["0", "1", "2", "3", "a"].map(|id| format!("<itemref idref='{id}'/>")).concat();
    let bytes = container(&[
        ("META-INF/container.xml", CONTAINER),
        ("OEBPS/book.opf", &opf(&manifest, &spine, "")),
        ("../secret.xhtml", "<p>climbed</p>"),
        ("OEBPS/a.xhtml", "<p>words</p>"),
    ]);
    let document = opened.read_bytes("out.epub", bytes).expect("a book");
    assert!(document.text.ends_with("Bo Lee\n\n\nwords\n") && !document.text.contains("secret"), "{}", document.text);
}

#[test]
fn a_book_cut_or_flipped_anywhere_brings_nothing_down() {
    let opened = Opened::new();
    let whole = book(&["<h1>One</h1><p>whole</p>", "<h1>Two</h1><p>more</p>"]);
    assert!(
        opened.read_bytes("whole.epub", &whole).expect("a book").text.ends_with("# One\n\nwhole\n\n# Two\n\nmore\n")
    );
    for length in 0..whole.len() {
        let mut file = std::fs::File::create(opened.root.join("cut.epub")).expect("a file");
        file.write_all(&whole[..length]).expect("a part");
        drop(file);
        assert!(opened.read("cut.epub").is_err(), "{length}");
    }
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let noise = prop::collection::vec(any::<char>(), 0..60).prop_map(|chars| chars.into_iter().collect::<String>());
    let flips = (0..whole.len(), 0..8u8, noise);
    runner
        .run(&flips, |(at, bit, noise)| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            let odd =
                container(&[("META-INF/container.xml", CONTAINER), ("OEBPS/book.opf", &opf(&noise, &noise, &noise))]);
            for bytes in [bytes, odd] {
                if let Err(skipped) = opened.read_bytes("odd.epub", bytes) {
                    assert!(skipped.why.ends_with('.') && skipped.why.len() < 400, "{}", skipped.why);
                }
            }
            Ok(())
        })
        .expect("no bytes bring a reader down");
}
