//! PDFs through the child: real ones, broken ones, encrypted ones, and children that misbehave.

mod support;

use hinet_connectors::{Extractor, FileRef, ReadLimits, read};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use support::{Opened, extractor, files, fixtures, leave, reference};

fn words(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    let text = text.replace('\u{fb01}', "fi").replace('\u{fb00}', "ff");
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

/// The share of the expected words that were found.
fn recall(expected: &str, found: &str) -> f64 {
    let (expected, found) = (words(expected), words(found));
    let hit: usize = expected.iter().map(|(word, n)| (*n).min(found.get(word).copied().unwrap_or(0))).sum();
    hit as f64 / expected.values().sum::<usize>().max(1) as f64
}

#[test]
fn real_files_are_read_or_refused_with_their_reason() {
    let Some(folder) = fixtures("exports/pdf/pypdf") else { return };
    let (reading, _consent, _home) = leave(&folder);
    let all = files(&folder, "pdf");
    let mut read_well = 0;
    for path in &all {
        let name = path.file_name().expect("a name").to_string_lossy();
        let result = read(&reading, &reference(path), &ReadLimits::default(), &extractor());
        let locked = [
            "r2-user",
            "r3-user",
            "r4-user",
            "r4-aes",
            "r6-both",
            "r6-cleartext",
            "crazyones-encrypted",
            "encrypted-file",
            "libreoffice-writer-password",
        ];
        match &result {
            Ok(document) => {
                read_well += 1;
                assert!(!document.title.is_empty() && document.kind == "pdf");
                assert!(!locked.iter().any(|start| name.starts_with(start)), "{name} cannot have been read");
            }
            Err(skipped) if locked.iter().any(|start| name.starts_with(start)) => {
                assert_eq!(skipped.why, "It could not be read: the PDF is encrypted with a password.", "{name}");
            }
            Err(skipped) => {
                eprintln!("{name}: {}", skipped.why);
                assert!(
                    ["encrypted in a way", "no text", "damaged"].iter().any(|why| skipped.why.contains(why)),
                    "{name}"
                );
            }
        }
        if name.contains("empty-password") || name.contains("owner-password") {
            assert!(result.expect("opens without a password").text.contains("pdf encryption test"), "{name}");
        }
    }
    eprintln!("{read_well} of {} PDFs gave text", all.len());
    assert!(read_well * 10 >= all.len() * 7, "only {read_well} of {}", all.len());
}

#[test]
fn expected_texts_are_met() {
    let Some(folder) = fixtures("exports/pdf/pypdf") else { return };
    let (reading, _consent, _home) = leave(&folder);
    // Of toy.pdf, six of fourteen words are shown by the operators ' and ", which the parser does not know.
    for (pdf, text, least) in [
        ("crazyones.pdf", "crazyones.txt", 1.0),
        ("pdflatex-forms.pdf", "010-pdflatex-forms.txt", 1.0),
        ("toy.pdf", "toy.layout.txt", 0.55),
    ] {
        let document = read(&reading, &reference(&folder.join(pdf)), &ReadLimits::default(), &extractor())
            .unwrap_or_else(|why| panic!("{pdf}: {why:?}"));
        let expected = fs::read_to_string(folder.join(text)).expect("the expected text");
        let recall = recall(&expected, &document.text);
        eprintln!("{pdf}: word recall {recall:.3}");
        assert!(recall >= least, "{pdf}: {recall}");
    }
}

#[test]
fn pages_are_parted_by_a_blank_line() {
    let opened = Opened::new();
    let document = opened.read_bytes("two.pdf", pdf(&["First page", "Second page"])).expect("a PDF");
    assert_eq!(document.text, "First page\n\nSecond page\n");
    assert_eq!(document.title, "A (made) title");
}

#[test]
fn a_broken_table_is_made_again() {
    let opened = Opened::new();
    let whole = pdf(&["Still here"]);
    let at = whole.windows(4).position(|window| window == b"xref").expect("a table");
    for (name, bytes) in
        [("cut.pdf", whole[..at].to_vec()), ("shifted.pdf", [b"X-Mail: yes\r\n\r\n", &whole[..]].concat())]
    {
        assert_eq!(opened.read_bytes(name, bytes).unwrap_or_else(|why| panic!("{name}: {why:?}")).text, "Still here\n");
    }
}

#[test]
fn pictures_of_pages_are_said_to_hold_no_text() {
    let opened = Opened::new();
    assert_eq!(
        opened.read_bytes("scan.pdf", pdf(&[""])).expect_err("no text").why,
        "The PDF holds no text; its pages may be scanned pictures."
    );
}

/// Any program in the child's place.
fn shell(opened: &Opened, script: &str) -> Result<String, String> {
    let extractor = Extractor { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()] };
    let file: FileRef = reference(&opened.root.join("a.pdf"));
    read(&opened.reading, &file, &opened.limits, &extractor).map(|d| d.text).map_err(|skipped| skipped.why)
}

#[test]
fn misbehaving_children_become_sentences() {
    let mut opened = Opened::new();
    opened.write("a.pdf", pdf(&["x"]));
    opened.limits.child_seconds = 1;
    opened.limits.max_text_bytes = 1 << 20;
    let timeout = "It could not be read: the PDF took longer than 1 seconds.";
    let crash = "It could not be read: the PDF made its reader run out of memory or crash; nothing else was harmed.";
    let program = "The program that reads PDFs could not be started.";
    for (script, why) in [
        ("sleep 600", timeout),
        ("cat >/dev/null; exec sleep 600", timeout),
        ("exec >&-; sleep 600", timeout),
        ("kill -ABRT $$", crash),
        ("kill -SEGV $$", crash),
        ("kill -XCPU $$", timeout),
        ("kill -KILL $$", crash),
        ("exit 3", program),
        ("echo nonsense; echo '{\"line\":\"done\"}'", program),
        ("cat /dev/zero", "It holds more than 1 MB of text."),
        ("sleep 600 & echo", timeout),
        ("sleep 600 <&0 >/dev/null & exit 3", program),
        ("printf '\\036{\"line\":\"open\",\"title\":null,\"pages\":1}\\n'", crash),
    ] {
        let begun = Instant::now();
        assert_eq!(shell(&opened, script).expect_err(script), why, "{script}");
        // Not a verdict on speed: the child would sleep for ten minutes.
        assert!(begun.elapsed() < Duration::from_secs(300), "{script}");
    }
    let partly = "printf '\\036{\"line\":\"open\",\"title\":null,\"pages\":3}\\n\\036{\"line\":\"page\",\"text\":\"kept\"}\\n'; kill -SEGV $$";
    assert_eq!(shell(&opened, partly), Ok("kept\n".into()), "pages read before the crash are kept");
    assert_eq!(
        shell(
            &opened,
            "env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= | grep . && exit 9; printf '\\036{\"line\":\"open\",\"title\":null,\"pages\":1}\\n\\036{\"line\":\"page\",\"text\":\"no environment\"}\\n\\036{\"line\":\"done\"}\\n'"
        ),
        Ok("no environment\n".into())
    );
    let missing = Extractor { program: PathBuf::from("/nonexistent/icore"), args: vec![] };
    let why = read(&opened.reading, &reference(&opened.root.join("a.pdf")), &opened.limits, &missing)
        .expect_err("missing")
        .why;
    assert!(why.starts_with("The program that reads PDFs could not be started ("), "{why}");
}

#[test]
fn memory_and_recursion_bombs_stay_in_the_child() {
    let mut opened = Opened::new();
    // Deep arrays overflow a recursive parser; a page tree that is its own child never ends.
    let deep = format!(
        "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R /X {} {} >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n",
        "[".repeat(400_000),
        "]".repeat(400_000)
    );
    let circle = "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [2 0 R] /Parent 2 0 R /Count 1 >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n";
    for (name, bytes) in [("deep.pdf", deep.as_bytes()), ("circle.pdf", circle.as_bytes())] {
        let why = opened.read_bytes(name, bytes).expect_err(name).why;
        assert!(why.starts_with("It could not be read") || why.contains("no text"), "{name}: {why}");
    }
    // A document larger than the memory that its reader may have.
    opened.limits.child_memory_bytes = 128 << 20;
    let large = [pdf(&["x"]), vec![b'%'; 100 << 20]].concat();
    opened.limits.max_pdf_bytes = 400 << 20;
    let why = opened.read_bytes("large.pdf", large).expect_err("no memory").why;
    assert_eq!(
        why,
        "It could not be read: the PDF made its reader run out of memory or crash; nothing else was harmed."
    );
}

/// A plain PDF with one line on each page.
fn pdf(pages: &[&str]) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    let mut object = |out: &mut Vec<u8>, body: &str| {
        offsets.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n{body}\nendobj\n", offsets.len()).as_bytes());
    };
    let kids: Vec<String> = (0..pages.len()).map(|page| format!("{} 0 R", 5 + 2 * page)).collect();
    object(&mut out, "<< /Type /Catalog /Pages 2 0 R >>");
    object(
        &mut out,
        &format!("<< /Type /Pages /Kids [{}] /Count {} /MediaBox [0 0 612 792] >>", kids.join(" "), pages.len()),
    );
    object(&mut out, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>");
    object(&mut out, "<< /Title (A \\(made\\) title) >>");
    for (page, text) in pages.iter().enumerate() {
        let contents = 6 + 2 * page;
        object(
            &mut out,
            &format!("<< /Type /Page /Parent 2 0 R /Contents {contents} 0 R /Resources << /Font << /F 3 0 R >> >> >>"),
        );
        let stream = format!("BT /F 12 Tf 72 720 Td ({text}) Tj ET");
        object(&mut out, &format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()));
    }
    let table = out.len();
    out.extend_from_slice(format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len() + 1).as_bytes());
    for offset in &offsets {
        out.extend_from_slice(format!("{offset:010} 00000 n \n").as_bytes());
    }
    let end =
        format!("trailer\n<< /Size {} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{table}\n%%EOF\n", offsets.len() + 1);
    out.extend_from_slice(end.as_bytes());
    out
}

#[test]
fn nothing_is_left_on_the_disk() {
    let opened = Opened::new();
    opened.read_bytes("a.pdf", pdf(&["x"])).expect("a PDF");
    let left: Vec<_> =
        fs::read_dir(&opened.root).expect("a listing").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["a.pdf"]);
    assert!(!Path::new("/core").exists());
}
