//! Books (EPUB): chapters of XHTML in a zip container, read in the order of the book's spine as one document.
//!
//! The text begins with the title and a line that names the authors, which is how people are found. Cover, contents and
//! indexes of pages are passed over; a chapter without a heading of its own gets the one that the contents know.

mod opf;

use crate::{
    ReadLimits, Unreadable, decode, html,
    package::{Package, resolve},
    read::Parsed,
    text::one_line,
};
use opf::Opf;
use std::collections::{HashMap, HashSet};

/// A cover of fewer characters than this holds nothing else.
const COVER_MAX: usize = 300;

/// The text of a book.
pub(crate) fn parse(bytes: &[u8], limits: &ReadLimits) -> Result<Parsed, Unreadable> {
    let mut package = Package::open(bytes, "an EPUB book", limits)?;
    let place = match package.part("META-INF/container.xml")? {
        Some(xml) => opf::rootfile(&xml),
        None => None,
    };
    let place = place.or_else(|| package.names().find(|name| name.ends_with(".opf")));
    let place = place.ok_or_else(|| package.nothing())?;
    let opf = package.part(&place)?.ok_or_else(|| package.nothing())?;
    let opf = opf::parse(&opf, limits)?;
    let folder = place.rsplit_once('/').map_or("", |(folder, _)| folder);
    let locked = match package.part("META-INF/encryption.xml")? {
        Some(xml) => opf::encrypted(&xml),
        None => HashSet::new(),
    };
    let headings = headings(&mut package, &opf, folder);
    let mut book = Book { text: opening(&opf), ..Book::default() };
    let mut seen = HashSet::new();
    for chapter in &opf.spine {
        let name = resolve(folder, &decoded(&chapter.href));
        if opf.passes_over(chapter) || !seen.insert(name.clone()) {
            continue;
        }
        book.chapters += 1;
        if locked.contains(&name) {
            book.locked += 1;
            continue;
        }
        let page = match package.bytes(&name) {
            Ok(Some(bytes)) => bytes,
            Err(why @ (Unreadable::ZipBomb | Unreadable::Encrypted)) => return Err(why),
            Ok(None) | Err(_) => {
                book.damaged += 1;
                continue;
            }
        };
        let declared = decode::html_charset(&page);
        let Ok(page) = decode::decode(page, declared) else {
            book.damaged += 1;
            continue;
        };
        let (text, _) = html::parse_xhtml(&page.text);
        let cover = opf.is_cover(chapter) && text.chars().count() < COVER_MAX;
        let contents = opf.is_contents(chapter) && is_mostly_links(&page.text, &text);
        if !(cover || contents) {
            book.add(&text, headings.get(&name));
        }
        if book.text.len() as u64 > limits.max_text_bytes {
            return Err(Unreadable::TooMuchText { limit: limits.max_text_bytes });
        }
    }
    if book.locked > 0 && book.said == 0 {
        return Err(Unreadable::Drm);
    }
    if book.chapters == 0 {
        return Err(package.nothing());
    }
    if book.said == 0 {
        return Err(if book.damaged > 0 { package.nothing() } else { Unreadable::Empty });
    }
    Ok(Parsed { notes: book.notes(), text: book.text, title: opf.title.clone() })
}

/// Whether more than half of a page's words lead elsewhere.
fn is_mostly_links(page: &str, text: &str) -> bool {
    let linked: usize = html::links(page).iter().map(|(_, words)| words.chars().count()).sum();
    linked * 2 > text.chars().count()
}

#[derive(Default)]
struct Book {
    text: String,
    chapters: usize,
    /// Chapters that hold text.
    said: usize,
    locked: usize,
    damaged: usize,
}

impl Book {
    fn add(&mut self, chapter: &str, heading: Option<&String>) {
        let chapter = chapter.trim();
        if chapter.is_empty() {
            return;
        }
        self.said += 1;
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let headed = chapter.lines().filter(|line| !line.trim().is_empty()).take(3).any(|line| line.starts_with('#'));
        if let Some(heading) = heading.filter(|_| !headed) {
            self.text.push_str("## ");
            self.text.push_str(heading);
            self.text.push_str("\n\n");
        }
        self.text.push_str(chapter);
    }

    fn notes(&self) -> Vec<String> {
        let all = self.chapters;
        let said = |count: usize, why: &str| {
            (count > 0).then(|| format!("Of its {all} parts {count} could not be read ({why})."))
        };
        said(self.locked, "protected by DRM").into_iter().chain(said(self.damaged, "missing or damaged")).collect()
    }
}

/// What stands above the first chapter.
fn opening(opf: &Opf) -> String {
    let mut out = String::new();
    if let Some(title) = &opf.title {
        out.push_str(&format!("# {title}\n\n"));
    }
    if !opf.authors.is_empty() {
        // `Costa, Ana` is one person.
        let name = |name: &String| if name.contains([',', ';']) { format!("\"{name}\"") } else { name.clone() };
        out.push_str(&format!("Author: {}\n", opf.authors.iter().map(name).collect::<Vec<_>>().join("; ")));
    }
    out
}

/// What the contents call each chapter, by the chapter's part. Contents that are missing or broken name none.
fn headings(package: &mut Package<'_>, opf: &Opf, folder: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for href in &opf.contents {
        let name = resolve(folder, &decoded(href));
        let Ok(Some(page)) = package.part(&name) else { continue };
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (target, words) in html::links(&page) {
            let words = one_line(&words);
            if !words.is_empty() && words.len() <= 300 {
                found.entry(resolve(folder, &decoded(&target))).or_insert(words);
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found
}

/// A reference to a part without its fragment, percent signs undone.
fn decoded(href: &str) -> String {
    let href = href.split('#').next().unwrap_or_default();
    let mut out = Vec::with_capacity(href.len());
    let mut rest = href.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|hex| *first == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        match hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn references() {
        for (href, expected) in [
            ("a%20b.xhtml#part", "a b.xhtml"),
            ("%C3%A9.html", "é.html"),
            ("100%.html", "100%.html"),
            ("%zz%4", "%zz%4"),
            ("%+1x", "%+1x"),
            ("", ""),
        ] {
            assert_eq!(decoded(href), expected, "{href}");
        }
    }
}
