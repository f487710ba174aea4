//! Word files: what their text looks like, and the ones that are traps.

mod support;

use hinet_connectors::{ReadLimits, read};
use std::io::{Read, Write};
use support::{Opened, docx, docx_body, extractor, files, fixtures, leave, reference};

#[test]
fn structure_is_kept_as_markdown() {
    let opened = Opened::new();
    let styles = "<w:styles xmlns:w='w'><w:style w:styleId='berschrift1'><w:name w:val='heading 1'/></w:style>\
        <w:style w:styleId='Eigene'><w:name w:val='Eigene'/><w:basedOn w:val='berschrift1'/></w:style>\
        <w:style w:styleId='Kreis'><w:basedOn w:val='Kreis'/></w:style></w:styles>";
    let rels = "<Relationships><Relationship Id='1' Type='x/styles' Target='styles.xml'/>\
        <Relationship Id='2' Type='x/header' Target='/word/header1.xml'/>\
        <Relationship Id='3' Type='x/hyperlink' Target='http://example.org' TargetMode='External'/></Relationships>";
    let body = "<w:p><w:pPr><w:pStyle w:val='Eigene'/><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr><w:r><w:t>One </w:t></w:r><w:r><w:t>heading</w:t></w:r></w:p>\
        <w:p><w:pPr><w:pStyle w:val='Kreis'/></w:pPr><w:r><w:t xml:space='preserve'>Plain &amp; </w:t><w:tab/><w:t>tab</w:t><w:br/><w:t>line&#x21;</w:t></w:r></w:p>\
        <w:p/><w:p><w:pPr><w:numPr><w:ilvl w:val='0'/><w:numId w:val='1'/></w:numPr></w:pPr><w:r><w:t>first</w:t></w:r></w:p>\
        <w:p><w:pPr><w:numPr><w:ilvl w:val='1'/><w:numId w:val='1'/></w:numPr></w:pPr><w:r><w:t>second</w:t></w:r></w:p>\
        <w:p><w:hyperlink r:id='3'><w:r><w:t>link text</w:t></w:r></w:hyperlink><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>\
        <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc><w:tc><w:tbl><w:tr><w:tc><w:p><w:r><w:t>in</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>ner</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:tc></w:tr>\
        <w:tr><w:tc><w:p><w:r><w:t>c</w:t></w:r></w:p></w:tc></w:tr></w:tbl>\
        <w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent></mc:Choice><mc:Fallback><w:t>boxed</w:t></mc:Fallback></mc:AlternateContent><w:t>around</w:t></w:r></w:p>";
    let bytes = docx(&[
        (
            "_rels/.rels",
            "<Relationships><Relationship Type='x/officeDocument' Target='word/main.xml'/></Relationships>",
        ),
        ("word/main.xml", &format!("\u{feff}<?xml version='1.0'?><w:document><w:body>{body}</w:body></w:document>")),
        ("word/_rels/main.xml.rels", rels),
        ("word/styles.xml", styles),
        ("word/header1.xml", "<w:hdr><w:p><w:r><w:t>Head of page</w:t></w:r></w:p></w:hdr>"),
    ]);
    let document = opened.read_bytes("a.docx", bytes).expect("a Word file");
    assert_eq!(
        document.text,
        "# One heading\n\nPlain & \ttab\nline!\n\n- first\n  - second\n\nlink text\n\na b |  | in | ner\nc\n\nboxed\naround\n\nHead of page\n"
    );
    assert_eq!((document.title.as_str(), document.kind), ("One heading", "docx"));
}

#[test]
fn core_properties_give_the_title() {
    let opened = Opened::new();
    let bytes = docx(&[
        ("word/document.xml", "<w:document><w:body><w:p><w:r><w:t>x</w:t></w:r></w:p></w:body></w:document>"),
        ("docProps/core.xml", "<cp:coreProperties><dc:title>Bread &amp; butter</dc:title></cp:coreProperties>"),
    ]);
    assert_eq!(opened.read_bytes("a.docx", bytes).expect("a Word file").title, "Bread & butter");
}

#[test]
fn a_zip_bomb_is_refused() {
    let opened = Opened::new();
    let body = format!("<w:p><w:r><w:t>{}</w:t></w:r></w:p>", "a".repeat(24 << 20));
    let bomb = docx_body(&body);
    assert!(bomb.len() < 100_000, "a bomb is small: {}", bomb.len());
    let why = "It unpacks to far more than its size (a \"zip bomb\"), so it was not read.";
    assert_eq!(opened.read_bytes("bomb.docx", &bomb).expect_err("a bomb").why, why);
    // The directory of the container claims that the part is small.
    let mut liar = bomb;
    let real = ((24u32 << 20) + u32::try_from(body.len() - (24 << 20)).expect("small")).to_le_bytes();
    let size = u32::from_le_bytes(real)
        + u32::try_from("<w:document xmlns:w=\"w\"><w:body></w:body></w:document>".len()).expect("small");
    let mut changed = 0;
    for at in 0..liar.len() - 4 {
        if liar[at..at + 4] == size.to_le_bytes() {
            liar[at..at + 4].copy_from_slice(&100u32.to_le_bytes());
            changed += 1;
        }
    }
    assert!(changed >= 1, "the size is written down");
    assert!(opened.read_bytes("liar.docx", liar).is_err());
}

#[test]
fn totals_and_parts_are_capped() {
    let mut opened = Opened::new();
    opened.limits.max_zip_bytes = 1000;
    let long: String = (0..2000).map(|n| format!("{n} ")).collect();
    let why = opened
        .read_bytes("a.docx", docx_body(&format!("<w:p><w:r><w:t>{long}</w:t></w:r></w:p>")))
        .expect_err("large")
        .why;
    assert!(why.contains("zip bomb"), "{why}");
    opened.limits = ReadLimits { max_zip_entries: 5, ..ReadLimits::default() };
    let names: Vec<String> = (0..9).map(|n| format!("word/{n}.xml")).collect();
    let parts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let why = opened.read_bytes("b.docx", docx(&parts)).expect_err("many").why;
    assert_eq!(why, "It holds 9 parts, more than a Word file needs (at most 5 are accepted).");
}

#[test]
fn xml_tricks_are_refused() {
    let opened = Opened::new();
    let entities = "It declares XML entities, which office programs never write, so it was not read.";
    let billion = "<!DOCTYPE d [<!ENTITY a 'lol'><!ENTITY b '&a;&a;'>]><w:document><w:body><w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:body></w:document>";
    let deep = format!("{}{}", "<w:sdt>".repeat(100_000), "</w:sdt>".repeat(100_000));
    let tables = format!("{}x{}", "<w:tbl><w:tr><w:tc>".repeat(50_000), "</w:tc></w:tr></w:tbl>".repeat(50_000));
    for (name, bytes, why) in [
        ("billion.docx", docx(&[("word/document.xml", billion)]), entities),
        ("entity.docx", docx_body("<w:p><w:r><w:t>&own;</w:t></w:r></w:p>"), entities),
        (
            "deep.docx",
            docx_body(&deep),
            "Its text is nested more than 512 levels deep, which no word processor writes.",
        ),
        (
            "tables.docx",
            docx_body(&tables),
            "Its text is nested more than 512 levels deep, which no word processor writes.",
        ),
        (
            "none.docx",
            docx(&[("other.xml", "x")]),
            "It is not a Word file: the part that holds the document is missing.",
        ),
        ("empty.docx", docx_body("<w:p/>"), "It is empty."),
    ] {
        assert_eq!(opened.read_bytes(name, bytes).expect_err(name).why, why, "{name}");
    }
    let why = opened.read_bytes("cut.docx", docx_body("<w:p></w:r>")).expect_err("cut").why;
    assert!(why.starts_with("Its text part is damaged: "), "{why}");
}

#[test]
fn a_container_cut_anywhere_is_refused_or_read() {
    let opened = Opened::new();
    let whole = docx_body("<w:p><w:r><w:t>whole</w:t></w:r></w:p>");
    for length in 0..whole.len() {
        let mut file = std::fs::File::create(opened.root.join("cut.docx")).expect("a file");
        file.write_all(&whole[..length]).expect("a part");
        drop(file);
        assert!(opened.read("cut.docx").is_err(), "{length}");
    }
}

#[test]
fn real_files() {
    let Some(folder) = fixtures("exports/docx/python-docx") else { return };
    let (reading, _consent, _home) = leave(&folder);
    let (mut told, mut empty) = (0, Vec::new());
    let all = files(&folder, "docx");
    for path in &all {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        match read(&reading, &reference(path), &ReadLimits::default(), &extractor()) {
            Ok(document) => {
                told += 1;
                let squeezed = squeeze(&document.text);
                for run in runs(path) {
                    assert!(squeezed.contains(&squeeze(&run)), "{name}: {run:?} is not in\n{}", document.text);
                }
                for wanted in expected(&name) {
                    assert!(document.text.contains(wanted), "{name}: {wanted:?} is not in\n{}", document.text);
                }
            }
            Err(skipped) => {
                assert_eq!(skipped.why, "It is empty.", "{name}");
                assert!(runs(path).is_empty(), "{name}: {:?}", runs(path));
                empty.push(name);
            }
        }
    }
    eprintln!("{told} of {} DOCX files gave text; empty: {empty:?}", all.len());
    assert!(told >= all.len() * 6 / 10);
}

/// The text runs of the body, found by looking for their tags: what a parser must not lose.
fn runs(path: &std::path::Path) -> Vec<String> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).expect("a file")).expect("a container");
    let mut xml = String::new();
    archive.by_name("word/document.xml").expect("a body").read_to_string(&mut xml).expect("UTF-8");
    let mut found = Vec::new();
    for piece in xml.split("<w:t").skip(1).filter(|piece| piece.starts_with(['>', ' '])) {
        let (tag, rest) = piece.split_once('>').expect("a whole tag");
        if !tag.ends_with('/') {
            let text = rest.split("</w:t>").next().unwrap_or_default();
            found.push(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
        }
    }
    found.retain(|run| !run.trim().is_empty());
    found
}

fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// What must be in the text of some of python-docx's files, just so.
fn expected(name: &str) -> &'static [&'static str] {
    match name {
        "blk-paras-and-tables" => &["elit.\n\nText before Table Between Text after\n\nDonec"],
        "par-hyperlinks" => &["Three hyperlinks: the first one here, the second one, and the third."],
        "par-known-paragraphs" => &["Heading Paragraph\n\nNormal paragraph\n"],
        "par-known-styles" => &["# Heading 1\n\nBody Text\n"],
        "tab-stops" => &["Default\t\ttab\tstops"],
        "tbl-cell-access" => &["1 | 2 | 3\n4 | 5 | 6\n7 | 8 | 9\n"],
        "tbl-having-applied-style" => &["foobar | barfoo"],
        "comments-rich-para" => &["Document text\n\nSome text worthy of note."],
        "hdr-header-footer" => &["Header for section-1", "Footer for section 1"],
        _ => &[],
    }
}
