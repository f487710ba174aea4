//! OpenDocument files: what their text looks like, and the ones that are locked, broken or traps.

mod support;

use hinet_protocol::Trust;
use proptest::prelude::*;
use support::{Opened, docx as container};

fn content(kind: &str, body: &str) -> String {
    format!(
        "<?xml version='1.0' encoding='UTF-8'?><office:document-content><office:automatic-styles><style:style>\
         </style:style></office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body>\
         </office:document-content>"
    )
}

fn odt(body: &str) -> Vec<u8> {
    container(&[("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", &content("text", body))])
}

#[test]
fn structure_is_kept_as_markdown() {
    let opened = Opened::new();
    let body = "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:sequence-decls/>\
        <text:table-of-content><text:index-body><text:p>Contents</text:p></text:index-body></text:table-of-content>\
        <text:h text:outline-level='1'>The  <text:span>harbour</text:span></text:h>\n\
        <text:p>\n  Boats &amp; nets<text:s text:c='2'/>lie<text:tab/>here<text:line-break/>today<text:note \
        text:note-class='footnote'><text:note-citation>1</text:note-citation><text:note-body><text:p>Since <text:span>\
        1890</text:span>.</text:p></text:note-body></text:note>, mostly<office:annotation><dc:creator>Bo</dc:creator>\
        <dc:date>2024</dc:date><text:p>Really?</text:p></office:annotation>.</text:p><text:p/>\
        <text:list><text:list-item><text:p>one</text:p><text:p>still one</text:p><text:list><text:list-item>\
        <text:p>inner</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>two</text:p>\
        </text:list-item></text:list>\
        <table:table table:name='T'><table:table-row><table:table-cell><text:p>a</text:p><text:p>b</text:p>\
        </table:table-cell><table:covered-table-cell/><table:table-cell><table:table><table:table-row><table:table-cell>\
        <text:p>in</text:p></table:table-cell><table:table-cell><text:p>ner</text:p></table:table-cell></table:table-row>\
        </table:table></table:table-cell><table:table-cell table:number-columns-repeated='1000'/></table:table-row>\
        <table:table-row><table:table-cell table:number-columns-repeated='2'><text:p>7</text:p></table:table-cell>\
        </table:table-row></table:table>\
        <text:list><text:list-item><text:h text:outline-level='9'>Deep</text:h></text:list-item></text:list>\
        <text:p><draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box><svg:desc>a picture</svg:desc>\
        </draw:frame>around<text:note><text:note-citation/><text:note-body/></text:note></text:p>";
    let styles = "<office:document-styles><office:master-styles><style:master-page><style:header><text:p>Head of page\
        </text:p></style:header><style:footer><text:p>Page <text:page-number>1</text:page-number></text:p></style:footer>\
        <style:header-left><text:p>Head of page</text:p></style:header-left></style:master-page></office:master-styles>\
        </office:document-styles>";
    let bytes = container(&[
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        ("content.xml", &content("text", body)),
        ("styles.xml", styles),
        (
            "meta.xml",
            "<office:document-meta><office:meta><dc:title>Bread &amp; nets</dc:title></office:meta></office:document-meta>",
        ),
    ]);
    let document = opened.read_bytes("a.odt", &bytes).expect("an OpenDocument text");
    assert_eq!(
        document.text,
        "# The harbour\n\nBoats & nets  lie\there\ntoday[1], mostly.\n\n- one\n  still one\n  - inner\n- two\n\n\
         a b |  | in | ner\n7 | 7\n\n###### Deep\n\nboxed\naround\n\n[1] Since 1890.\n\nReally?\n\nHead of page\n\nPage 1\n"
    );
    assert_eq!((document.title.as_str(), document.kind, document.trust), ("Bread & nets", "odt", Trust::Own));
    assert_eq!(opened.read_bytes("unnamed", &bytes).expect("known by its first part").kind, "odt");
}

#[test]
fn sheets_slides_and_flat_files() {
    let opened = Opened::new();
    let row = |cells: &[&str]| {
        let cells: String =
            cells.iter().map(|cell| format!("<table:table-cell><text:p>{cell}</text:p></table:table-cell>")).collect();
        format!("<table:table-row>{cells}</table:table-row>")
    };
    let sheet = format!(
        "<table:table table:name='Costs'><table:table-column/>{}{}<table:table-row table:number-rows-repeated='1048570'>\
         <table:table-cell table:number-columns-repeated='16384'/></table:table-row></table:table>\
         <table:table table:name='Empty'><table:table-row/></table:table>",
        row(&["what", "sum"]),
        row(&["rope", "12.50"])
    );
    let slides = "<draw:page draw:name='page1'><draw:frame presentation:class='title'><draw:text-box><text:p>Winter plan\
        </text:p></draw:text-box></draw:frame><draw:frame presentation:class='outline'><draw:text-box><text:list>\
        <text:list-item><text:p>sell the boat</text:p></text:list-item></text:list></draw:text-box></draw:frame>\
        <presentation:notes><draw:frame><draw:text-box><text:p>say it slowly</text:p></draw:text-box></draw:frame>\
        </presentation:notes></draw:page>";
    let flat = "<?xml version='1.0'?><office:document><office:meta><dc:title>Flat</dc:title></office:meta><office:master-styles>\
         <style:footer><text:p>foot</text:p></style:footer></office:master-styles><office:body><office:text>\
         <text:p>flat words</text:p></office:text></office:body></office:document>";
    for (name, bytes, title, text) in [
        (
            "costs.ods",
            container(&[("content.xml", &content("spreadsheet", &sheet))]),
            "Costs",
            "## Costs\n\nwhat | sum\nrope | 12.50\n\n## Empty\n",
        ),
        (
            "plan.odp",
            container(&[("content.xml", &content("presentation", slides))]),
            "Winter plan",
            "## Winter plan\n\n- sell the boat\n\nsay it slowly\n",
        ),
        ("flat.fodt", flat.as_bytes().to_vec(), "Flat", "flat words\n\nfoot\n"),
    ] {
        let document = opened.read_bytes(name, bytes).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        assert_eq!((document.title.as_str(), document.text.as_str()), (title, text), "{name}");
    }
}

#[test]
fn locks_and_tricks_are_said() {
    let opened = Opened::new();
    let manifest = "<manifest:manifest><manifest:file-entry manifest:full-path='content.xml'><manifest:encryption-data/>\
        </manifest:file-entry></manifest:manifest>";
    let entities = "It declares XML entities, which office programs never write, so it was not read.";
    let deep = format!("{}{}", "<text:section>".repeat(100_000), "</text:section>".repeat(100_000));
    for (name, bytes, why) in [
        (
            "locked.odt",
            container(&[("META-INF/manifest.xml", manifest), ("content.xml", "\u{1}\u{2}")]),
            "It is encrypted with a password.",
        ),
        (
            "none.odt",
            container(&[("other.xml", "x")]),
            "It is not an OpenDocument file: the part that holds the document is missing.",
        ),
        (
            "text.odt",
            b"no zip".to_vec(),
            "It is not an OpenDocument file: the part that holds the document is missing.",
        ),
        ("empty.odt", odt("<text:p/>"), "It is empty."),
        ("entity.odt", odt("<text:p>&own;</text:p>"), entities),
        ("type.odt", container(&[("content.xml", "<!DOCTYPE d [<!ENTITY a 'lol'>]><office:body/>")]), entities),
        ("deep.odt", odt(&deep), "Its text is nested more than 512 levels deep, which no word processor writes."),
        (
            "bomb.ods",
            odt(&format!("<text:p>{}</text:p>", "a".repeat(24 << 20))),
            "It unpacks to far more than its size (a \"zip bomb\"), so it was not read.",
        ),
    ] {
        assert_eq!(opened.read_bytes(name, bytes).expect_err(name).why, why, "{name}");
    }
}

#[test]
fn repeated_cells_do_not_multiply() {
    let opened = Opened::new();
    let cell = |inner: &str| {
        format!(
            "<table:table><table:table-row><table:table-cell table:number-columns-repeated='64'>{inner}\
             </table:table-cell></table:table-row></table:table>"
        )
    };
    // Each level would make 64 of what is in it.
    let nested = (0..12).fold("<text:p>x</text:p>".to_owned(), |inner, _| cell(&inner));
    let document = opened.read_bytes("nested.odt", odt(&nested)).expect("a text");
    assert_eq!(document.text.matches('x').count(), 64, "{}", document.text.len());
    let long = cell(&format!("<text:p>{}</text:p>", "word ".repeat(1000)));
    let document = opened.read_bytes("long.odt", odt(&long)).expect("a text");
    assert_eq!(document.text.matches("word").count(), 1000);
    let mut small = Opened::new();
    small.limits.max_text_bytes = 4096;
    let many = cell(&format!("<text:p>{}</text:p>", "y".repeat(100)));
    let refused = small.read_bytes("many.odt", odt(&many)).expect_err("more text than is taken");
    assert!(refused.why.contains("of text"), "{}", refused.why);
}

#[test]
fn whatever_the_markup_reading_ends() {
    let opened = Opened::new();
    let piece = prop::sample::select(vec![
        "<text:p>",
        "</text:p>",
        "<text:h text:outline-level='99'>",
        "</text:h>",
        "<text:list>",
        "</text:list>",
        "<text:list-item>",
        "</text:list-item>",
        "<table:table table:name='x'>",
        "</table:table>",
        "<table:table-row>",
        "</table:table-row>",
        "<table:table-cell table:number-columns-repeated='99999999999'>",
        "</table:table-cell>",
        "<text:note>",
        "</text:note>",
        "<text:note-citation>",
        "</text:note-citation>",
        "<office:annotation>",
        "</office:annotation>",
        "<draw:frame presentation:class='title'>",
        "</draw:frame>",
        "<text:s text:c='4000000000'/>",
        "<office:body>",
        "</office:body>",
        "<svg:desc>",
        "</svg:desc>",
        "text",
        "&amp;",
        "&#0;",
        "<![CDATA[",
        "]]>",
    ]);
    let bodies = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let whole = odt("<text:p>flip me</text:p>");
    runner
        .run(&(bodies, 0..whole.len(), 0..8u8), |(body, at, bit)| {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            let cut = whole[..at].to_vec();
            for (name, bytes) in
                [("a.odt", odt(&body)), ("b.odt", flipped), ("c.odt", cut), ("d.fodt", body.clone().into_bytes())]
            {
                if let Err(skipped) = opened.read_bytes(name, bytes) {
                    assert!(skipped.why.ends_with('.') && skipped.why.len() < 400, "{}", skipped.why);
                }
            }
            Ok(())
        })
        .expect("no bytes bring a reader down");
}
