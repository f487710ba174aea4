//! Whatever the bytes, reading ends in a document or a sentence; the process never goes down.

mod support;

use hinet_connectors::normalised;
use proptest::{prelude::*, test_runner::TestRunner};
use support::{Opened, docx, docx_body};

fn check(opened: &Opened, name: &str, bytes: &[u8]) {
    match opened.read_bytes(name, bytes) {
        Ok(document) => {
            assert!(!document.title.is_empty() && document.title.lines().count() == 1);
            assert_eq!(normalised(&document.text), document.text);
        }
        Err(skipped) => assert!(skipped.why.ends_with('.') && skipped.why.len() < 400, "{}", skipped.why),
    }
}

fn run(cases: u32, strategy: impl Strategy<Value = Vec<u8>>, names: &[&str]) {
    let opened = Opened::new();
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    runner
        .run(&strategy, |bytes| {
            names.iter().for_each(|name| check(&opened, name, &bytes));
            Ok(())
        })
        .expect("no bytes bring a parser down");
}

#[test]
fn random_bytes_in_every_format() {
    run(
        200,
        prop::collection::vec(any::<u8>(), 0..600),
        &["a.md", "a.txt", "a.rs", "a.csv", "a.html", "a.docx", "a.odt", "a.epub", "noname"],
    );
}

#[test]
fn random_markup() {
    let piece = prop::sample::select(vec![
        "<",
        ">",
        "</",
        "/>",
        "<p>",
        "</p>",
        "<pre>",
        "</pre>",
        "<li>",
        "<ol start=9>",
        "</ol>",
        "<td>",
        "<tr>",
        "<table>",
        "</table>",
        "<h1>",
        "</h1>",
        "<!--",
        "-->",
        "<script>",
        "</script",
        "<title>",
        "</title>",
        "<svg>",
        "&amp;",
        "&#",
        "&#x110000;",
        "&",
        ";",
        "\"",
        "'",
        "=",
        "a",
        " ",
        "\n",
        "é",
        "<br>",
        "<img alt='x'",
        "\u{0}",
        "]]>",
        "<?",
        "<!",
    ]);
    let markup = prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes());
    run(400, markup, &["a.html"]);
}

#[test]
fn random_markdown() {
    let text = "[-+#*=`~\\[\\]()!: \nat\u{e9}|]{0,80}".prop_map(String::into_bytes);
    run(300, text, &["a.md", "a.txt"]);
}

#[test]
fn random_word_parts() {
    let piece = prop::sample::select(vec![
        "<w:p>",
        "</w:p>",
        "<w:p/>",
        "<w:t>",
        "</w:t>",
        "<w:tbl>",
        "</w:tbl>",
        "<w:tr>",
        "</w:tr>",
        "<w:tc>",
        "</w:tc>",
        "<w:pPr>",
        "</w:pPr>",
        "<w:tab/>",
        "<w:br/>",
        "<w:numId w:val='0'/>",
        "<w:ilvl w:val='99999999999'/>",
        "<w:pStyle w:val='Heading1'/>",
        "<mc:Fallback>",
        "</mc:Fallback>",
        "text",
        "&amp;",
        "&#65;",
        "&#0;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<w:outlineLvl w:val='8'/>",
    ]);
    let body = prop::collection::vec(piece, 0..40).prop_map(|pieces| docx_body(&pieces.concat()));
    run(300, body, &["a.docx"]);
    // The same without closing anything: end tags that match nothing must not get in the way of the rest.
    let rels = prop::collection::vec(any::<char>(), 0..40).prop_map(|chars| {
        let text: String = chars.into_iter().collect();
        docx(&[("_rels/.rels", &text), ("word/document.xml", &text), ("docProps/core.xml", &text)])
    });
    run(100, rels, &["a.docx"]);
}

#[test]
fn flipped_bits_of_a_word_file() {
    let whole = docx_body("<w:p><w:r><w:t>flip me</w:t></w:r></w:p>");
    let length = whole.len();
    let flipped = (0..length, 0..8u8).prop_map(move |(at, bit)| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        bytes
    });
    run(300, flipped, &["a.docx"]);
}

#[test]
fn random_pdfs_kill_at_most_the_child() {
    let piece = prop::sample::select(vec![
        "1 0 obj",
        "endobj",
        "<<",
        ">>",
        "/Type /Catalog",
        "/Pages 2 0 R",
        "/Kids [1 0 R]",
        "stream\n",
        "\nendstream",
        "/Length 9999999999",
        "trailer",
        "/Root 1 0 R",
        "xref\n0 9\n",
        "startxref\n0\n",
        "%%EOF",
        "[",
        "]",
        "(",
        ")",
        "2 0 obj",
        "/Filter /FlateDecode",
        "/Count -1",
        "/Type /Page",
        "/MediaBox [0 0]",
        "/Contents 1 0 R",
        " ",
        "\n",
        "/Encrypt 1 0 R",
    ]);
    let body = prop::collection::vec(piece, 0..40)
        .prop_map(|pieces| [b"%PDF-1.7\n".to_vec(), pieces.join(" ").into_bytes()].concat());
    run(60, body, &["a.pdf"]);
    run(20, prop::collection::vec(any::<u8>(), 0..300), &["a.pdf"]);
}

#[test]
fn nesting_costs_nothing() {
    let opened = Opened::new();
    let n = 100_000;
    let nested = |open: &str, close: &str| format!("{}deep{}", open.repeat(n), close.repeat(n));
    for (open, close) in [
        ("<div>", "</div>"),
        ("<ul><li>", "</ul>"),
        ("<table><tr><td>", "</table>"),
        ("<svg>", "</svg>"),
        ("<b>", ""),
        ("<pre>", ""),
        ("<h1>", "</h1>"),
    ] {
        match opened.read_bytes("deep.html", nested(open, close)) {
            Ok(document) => assert!(document.text.contains("deep"), "{open}"),
            Err(skipped) => assert_eq!((open, skipped.why.as_str()), ("<svg>", "It is empty.")),
        }
    }
    for (name, unit) in [("a.md", "> "), ("b.md", "["), ("c.md", "- "), ("d.md", "![](")] {
        assert!(opened.read_bytes(name, format!("{}deep", unit.repeat(n))).expect("text").text.contains("deep"));
    }
}

/// Sources on which a careless tokenizer takes quadratic time. Were one of them quadratic, this test would run for
/// many minutes.
#[test]
fn repetition_takes_linear_time() {
    let opened = Opened::new();
    for unit in [
        "<a ",
        "<a b=\"",
        "<a b='c' ",
        "<!--",
        "</",
        "<!",
        "<script>",
        "<title>",
        "&",
        "&#",
        "&amp",
        "<",
        "<a\"",
        "a=b ",
        "<img alt ",
        "<pre>\n",
    ] {
        let page = format!("<p>begin {}", unit.repeat((1 << 18) / unit.len()));
        let document = opened.read_bytes("long.html", page).unwrap_or_else(|why| panic!("{unit}: {why:?}"));
        assert!(document.text.starts_with("begin"), "{unit}");
    }
    opened.read_bytes("attributes.html", format!("<p>begin<img {}>", "a=b ".repeat(100_000))).expect("a page");
}
