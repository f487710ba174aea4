//! What a book says of itself: where its package file lies, its title and authors, its chapters in order, and which of
//! its parts are encrypted.

use crate::{
    ReadLimits, Unreadable,
    text::title,
    xml::{attribute, deeper, referred},
};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use std::collections::{HashMap, HashSet};

/// Authors of one book that are named.
const AUTHORS: usize = 32;
/// How fonts are disguised, which protects no text.
const FONTS: [&str; 2] = ["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"];

/// A part of the book that has a place in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chapter {
    id: String,
    pub(super) href: String,
    media: String,
    properties: String,
}

/// The package file.
#[derive(Debug, Default)]
pub(super) struct Opf {
    pub(super) title: Option<String>,
    pub(super) authors: Vec<String>,
    pub(super) spine: Vec<Chapter>,
    /// Where the contents lie: the page of EPUB 3, then the list of EPUB 2.
    pub(super) contents: Vec<String>,
    /// Which parts are covers and which contents, as the guide of EPUB 2 says. Either may hold a chapter besides.
    covers: HashSet<String>,
    tables: HashSet<String>,
}

impl Chapter {
    fn path(&self) -> &str {
        self.href.split('#').next().unwrap_or_default()
    }
}

impl Opf {
    /// Whether a part is no reading matter: a picture, or the contents.
    pub(super) fn passes_over(&self, chapter: &Chapter) -> bool {
        let page = matches!(
            chapter.media.as_str(),
            "application/xhtml+xml" | "text/html" | "text/x-oeb1-document" | "application/x-dtbook+xml" | ""
        );
        !page || chapter.properties.split_whitespace().any(|word| word == "nav")
    }

    /// Whether a part is or calls itself the cover.
    pub(super) fn is_cover(&self, chapter: &Chapter) -> bool {
        let path = chapter.path();
        let file = path.rsplit('/').next().unwrap_or_default();
        self.covers.contains(path)
            || [chapter.id.as_str(), file].iter().any(|name| name.to_lowercase().contains("cover"))
    }

    /// Whether the book says that a part is its contents.
    pub(super) fn is_contents(&self, chapter: &Chapter) -> bool {
        self.tables.contains(chapter.path())
    }
}

/// The place of the package file, as `META-INF/container.xml` says it.
pub(super) fn rootfile(xml: &str) -> Option<String> {
    let mut found = None;
    each_tag(xml, |tag| {
        if found.is_none() && tag.local_name().as_ref() == "rootfile" {
            found = attribute(tag, "full-path").map(|place| place.trim_start_matches('/').to_owned());
        }
    });
    found.filter(|place| !place.is_empty())
}

/// The parts that `META-INF/encryption.xml` names, but for disguised fonts.
pub(super) fn encrypted(xml: &str) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut font = false;
    each_tag(xml, |tag| match tag.local_name().as_ref() {
        "EncryptedData" => font = false,
        "EncryptionMethod" => {
            font |= attribute(tag, "Algorithm").is_some_and(|algorithm| FONTS.contains(&algorithm.as_str()));
        }
        "CipherReference" if !font => {
            found.extend(attribute(tag, "URI").map(|uri| super::decoded(uri.trim_start_matches('/'))));
        }
        _ => {}
    });
    found
}

/// Shows every tag of a small file up to where it is broken.
fn each_tag(xml: &str, mut see: impl FnMut(&BytesStart<'_>)) {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => see(&tag),
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Reads the package file. A document type is passed over, as old books have one: no entity is ever resolved.
pub(super) fn parse(xml: &str, limits: &ReadLimits) -> Result<Opf, Unreadable> {
    let mut reader = Reader::from_str(xml);
    let mut opf = Opf::default();
    let mut manifest: HashMap<String, Chapter> = HashMap::new();
    let mut order = Vec::new();
    let (mut ncx, mut said, mut depth) = (None, None::<String>, 0usize);
    loop {
        let event = reader.read_event().map_err(|source| Unreadable::Xml { source })?;
        match &event {
            Event::Start(tag) | Event::Empty(tag) => match tag.local_name().as_ref() {
                "title" | "creator" => said = matches!(event, Event::Start(_)).then(String::new),
                "item" => {
                    let value = |name| attribute(tag, name).unwrap_or_default();
                    let properties = value("properties");
                    let item = Chapter { id: value("id"), href: value("href"), media: value("media-type"), properties };
                    if item.properties.split_whitespace().any(|word| word == "nav") {
                        opf.contents.push(item.href.clone());
                    } else if item.media == "application/x-dtbncx+xml" {
                        ncx = Some(item.href.clone());
                    }
                    manifest.entry(item.id.clone()).or_insert(item);
                }
                "itemref" => order.extend(attribute(tag, "idref")),
                "reference" => {
                    let kind = attribute(tag, "type").unwrap_or_default().to_lowercase();
                    let href = attribute(tag, "href").unwrap_or_default();
                    let path = href.split('#').next().unwrap_or_default().to_owned();
                    match kind.as_str() {
                        "cover" => opf.covers.extend([path]),
                        "toc" => opf.tables.extend([path]),
                        _ => {}
                    }
                }
                _ => {}
            },
            Event::Text(text) => said.iter_mut().for_each(|said| said.push_str(&text.xml10_content())),
            Event::CData(text) => said.iter_mut().for_each(|said| said.push_str(&text.xml10_content())),
            Event::GeneralRef(reference) => {
                // An entity that only a document type explains is a character of a name at most.
                let text = referred(reference).unwrap_or_default();
                said.iter_mut().for_each(|said| said.push_str(&text));
            }
            Event::End(tag) if matches!(tag.local_name().as_ref(), "title" | "creator") => {
                let main = tag.local_name().as_ref() == "title";
                match said.take().as_deref().and_then(title) {
                    // The first title is the main one.
                    Some(said) if main => opf.title = opf.title.take().or(Some(said)),
                    Some(said) if opf.authors.len() < AUTHORS && !opf.authors.contains(&said) => opf.authors.push(said),
                    _ => {}
                }
            }
            Event::Eof => break,
            _ => {}
        }
        deeper(&mut depth, &event, limits)?;
    }
    opf.contents.extend(ncx);
    // Each part once, and moved: names that are named again and again would fill the memory.
    opf.spine = order.iter().filter_map(|id| manifest.remove(id)).collect();
    Ok(opf)
}

#[cfg(test)]
mod tests {
    use super::{encrypted, parse, rootfile};
    use crate::ReadLimits;

    #[test]
    fn a_package_file() {
        let opf = parse(
            "<!DOCTYPE package PUBLIC 'x' 'y'><opf:package><metadata><dc:title>Salt &amp; <i>Fog</i></dc:title>\
             <dc:title>Other</dc:title><dc:creator>Ana Costa</dc:creator><dc:creator/><dc:creator>Ana Costa</dc:creator>\
             </metadata><manifest><item id='n' href='nav.xhtml' properties='nav scripted' media-type='application/xhtml+xml'/>\
             <item id='t' href='toc.ncx' media-type='application/x-dtbncx+xml'/><item id='p' href='p.svg' media-type='image/svg+xml'/>\
             <item id='a' href='a.xhtml' media-type='application/xhtml+xml'/><item id='c' href='c.html' media-type='text/html'/></manifest>\
             <spine><itemref idref='c'/><itemref idref='n'/><itemref idref='p'/><itemref idref='a'/><itemref idref='gone'/></spine>\
             <guide><reference type='Cover' href='c.html#x'/></guide></opf:package>",
            &ReadLimits::default(),
        )
        .expect("a package file");
        assert_eq!((opf.title.as_deref(), opf.authors.as_slice()), (Some("Salt & Fog"), &["Ana Costa".to_owned()][..]));
        assert_eq!(opf.contents, ["nav.xhtml", "toc.ncx"]);
        let read: Vec<_> = opf.spine.iter().map(|chapter| (chapter.href.as_str(), !opf.passes_over(chapter))).collect();
        assert_eq!(
            opf.spine.iter().map(|chapter| opf.is_cover(chapter)).collect::<Vec<_>>(),
            [true, false, false, false]
        );
        assert_eq!(read, [("c.html", true), ("nav.xhtml", false), ("p.svg", false), ("a.xhtml", true)]);
    }

    #[test]
    fn a_part_has_one_place() {
        let spine = "<itemref idref='a'/>".repeat(3);
        let opf = format!("<p><manifest><item id='a' href='a.html'/></manifest><spine>{spine}</spine></p>");
        assert_eq!(parse(&opf, &ReadLimits::default()).expect("a package file").spine.len(), 1);
    }

    #[test]
    fn places_and_locks() {
        assert_eq!(
            rootfile("<c><rootfile full-path='/OEBPS/a.opf'/><rootfile full-path='b'/>"),
            Some("OEBPS/a.opf".into())
        );
        assert_eq!(rootfile("<c><rootfile/></c>"), None);
        let found = encrypted(
            "<e><enc:EncryptedData><enc:EncryptionMethod Algorithm='http://www.idpf.org/2008/embedding'/>\
             <enc:CipherReference URI='font.otf'/></enc:EncryptedData><enc:EncryptedData><enc:EncryptionMethod \
             Algorithm='http://www.w3.org/2001/04/xmlenc#aes128-cbc'/><enc:CipherReference URI='OEBPS/a%20b.xhtml'/>",
        );
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["OEBPS/a b.xhtml"]);
    }
}
