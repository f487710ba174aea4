//! HTML to text: a streaming reader that builds no tree, so that nesting costs nothing.
//!
//! Headings, lists and table rows come out as Markdown; of links the words are kept; scripts, styles and drawings go.
//! It is not a browser's parser: the words and their order matter here, not the boxes.

mod tokens;
mod writer;

use tokens::{Token, Tokens, attribute};
use writer::Writer;

/// The text of a page and the content of its `<title>`.
pub(crate) fn parse(source: &str) -> (String, Option<String>) {
    read(source, false)
}

/// The same of a page of XHTML, in which an element may be closed where it is opened.
pub(crate) fn parse_xhtml(source: &str) -> (String, Option<String>) {
    read(source, true)
}

/// The links of a page with their words, in order; of the contents of a book too, in either of their two forms.
pub(crate) fn links(source: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let (mut words, mut open) = (Writer::default(), None);
    for token in Tokens::new(source, true) {
        match token {
            Token::Text(text) => words.text(text),
            Token::Open { name, attributes, .. } => match name.as_str() {
                "a" => (words, open) = (Writer::default(), attribute(attributes, "href").map(text)),
                "text" | "ncx:text" => words = Writer::default(),
                "content" | "ncx:content" => {
                    if let Some(target) = attribute(attributes, "src") {
                        found.push((text(target), std::mem::take(&mut words).finish()));
                    }
                }
                _ => {}
            },
            Token::Close { name } if name == "a" => {
                if let Some(target) = open.take() {
                    found.push((target, std::mem::take(&mut words).finish()));
                }
            }
            _ => {}
        }
    }
    found
}

/// Character data as people read it.
fn text(raw: &str) -> String {
    let mut writer = Writer::default();
    writer.text(raw);
    writer.finish()
}

fn read(source: &str, xhtml: bool) -> (String, Option<String>) {
    let mut page = Page::default();
    for token in Tokens::new(source, xhtml) {
        match token {
            Token::Text(text) => page.text(text),
            Token::Raw { element: "title", text } => {
                if page.title.is_none() && page.skipped.is_none() {
                    page.title = Some(text.to_owned());
                }
            }
            Token::Raw { .. } => {}
            // An element that is closed where it is opened holds nothing, and only some leave a break.
            Token::Open { name, closed: true, .. }
                if xhtml && !matches!(name.as_str(), "br" | "hr" | "img" | "td" | "th" | "p" | "div") => {}
            Token::Open { name, attributes, closed } => page.open(&name, attributes, closed),
            Token::Close { name } => page.close(&name),
        }
    }
    let title = page.title.as_deref().map(text);
    (page.out.finish(), title)
}

#[derive(Default)]
struct Page {
    out: Writer,
    title: Option<String>,
    /// The element whose contents are passed over, and how many of the same name are open.
    skipped: Option<(String, u32)>,
}

impl Page {
    fn text(&mut self, text: &str) {
        if self.skipped.is_none() {
            self.out.text(text);
        }
    }

    fn open(&mut self, name: &str, attributes: &str, closed: bool) {
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name && !closed {
                *depth += 1;
            }
            // A drawing that was never closed ends where the page's text goes on, as it does in a browser.
            if skipped != "svg" || !breaks_out(name) {
                return;
            }
            self.skipped = None;
        }
        match name {
            "svg" | "template" | "canvas" | "object" | "audio" | "video" | "datalist" if !closed => {
                self.skipped = Some((name.to_owned(), 1));
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = usize::from(name.as_bytes()[1] - b'0');
                self.out.heading(level);
            }
            "br" => self.out.line_break(),
            "hr" => self.out.block(),
            "p" | "blockquote" | "table" | "dl" | "figure" | "section" | "article" | "header" | "footer" | "main"
            | "nav" | "aside" | "form" | "fieldset" | "details" => self.out.block(),
            "pre" | "listing" | "xmp" => self.out.open_pre(),
            "ul" | "menu" | "dir" => self.out.open_list(None),
            "ol" => {
                let start = attribute(attributes, "start").and_then(|start| start.trim().parse().ok());
                self.out.open_list(Some(start.unwrap_or(1)));
            }
            "li" => self.out.item(),
            "tr" => self.out.row(),
            "td" | "th" => self.out.cell(),
            "div" | "dt" | "dd" | "option" | "summary" | "figcaption" | "caption" | "legend" | "address" | "center"
            | "body" | "thead" | "tbody" | "tfoot" | "optgroup" | "label" => self.out.line(),
            "img" => {
                if let Some(alt) = attribute(attributes, "alt") {
                    self.out.text(alt);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name {
                *depth -= 1;
                if *depth == 0 {
                    self.skipped = None;
                }
            }
            return;
        }
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "p" | "blockquote" | "dl" | "figure" | "section" | "article"
            | "header" | "footer" | "main" | "nav" | "aside" | "form" | "fieldset" | "details" => self.out.block(),
            "table" => self.out.block(),
            "pre" | "listing" | "xmp" => self.out.close_pre(),
            "ul" | "ol" | "menu" | "dir" => self.out.close_list(),
            "div" | "li" | "dt" | "dd" | "tr" | "option" | "summary" | "figcaption" | "caption" | "legend"
            | "address" | "center" | "body" => self.out.line(),
            _ => {}
        }
    }
}

fn breaks_out(name: &str) -> bool {
    matches!(
        name,
        "p" | "div" | "body" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "li" | "table" | "pre" | "img"
    )
}

#[cfg(test)]
mod tests {
    use super::{links, parse, parse_xhtml};
    use crate::normalised;

    #[test]
    fn pages() {
        for (html, expected) in [
            ("<p>one<p>two", "one\n\ntwo\n"),
            ("<h2>A <b>bold</b>\n heading</h2>text", "## A bold heading\n\ntext\n"),
            ("a<br>b<br><br>c", "a\nb\n\nc\n"),
            ("see <a href='http://x/?a=1>2'>the words</a>.", "see the words.\n"),
            ("<script>var x = '<p>no</p>';</script><style>p{}</style>yes<!-- <p>no --> too", "yes too\n"),
            ("<ul><li>one<li>two<ol start=3><li>x</li></ol></ul>", "- one\n- two\n  3. x\n"),
            ("<table><tr><th>a<th>b<tr><td><p>1</p></td><td>2</td></tr></table>z", "a | b\n1 | 2\n\nz\n"),
            ("<pre>  fn a() {\n    b\n  }</pre>", "```\n  fn a() {\n    b\n  }\n```\n"),
            (
                "&lt;b&gt; &eacute;&#233;&#xE9; &amp;amp; &nosuch; &#150; a&nbsp;b AT&T",
                "<b> ééé &amp; &nosuch; – a b AT&T\n",
            ),
            ("<svg><title>no</title><text>no</text></svg>yes <img alt='a  cat'>", "yes a cat\n"),
            ("<svg><path d='M0'><p>goes on", "goes on\n"),
            ("1 < 2 and <3 </ end", "1 < 2 and <3\n"),
            ("a<b title=\"never closed>x</b> <i>y</i>", "ax y\n"),
            ("soft\u{ad}hyphen and zero\u{200b}width", "softhyphen and zerowidth\n"),
            ("<textarea>no</textarea><noscript>js off</noscript>", "js off\n"),
        ] {
            assert_eq!(normalised(&parse(html).0), expected, "{html}");
        }
    }

    #[test]
    fn titles() {
        assert_eq!(parse("<title> A &amp; <b>B</b>\n</title>x").1.as_deref(), Some("A & <b>B</b>"));
        assert_eq!(parse("<svg><title>no</title></svg><title>yes</title>").1.as_deref(), Some("yes"));
        assert_eq!(parse("no title").1, None);
    }

    #[test]
    fn xhtml_closes_where_it_opens() {
        for (page, expected) in [
            ("<title/><script src='x'/><p/><h2/><p>one</p><ul/><p>two<br/>three</p>", "one\n\ntwo\nthree\n"),
            ("<svg><path/></svg><svg/>a<pre/> b", "a b\n"),
            ("<table><tr><td/><td>x</td></tr></table>", " | x\n"),
        ] {
            assert_eq!(normalised(&parse_xhtml(page).0), expected, "{page}");
        }
    }

    #[test]
    fn contents_in_either_form() {
        let words = |page: &str| links(page);
        let both = [("a.xhtml#x".to_owned(), "One & two".to_owned()), ("b.xhtml".to_owned(), "Three".to_owned())];
        assert_eq!(words("<a href='a.xhtml#x'>One &amp; <i>two</i></a> no <a>no</a><a href='b.xhtml'>Three</a>"), both);
        let ncx = |name: &str| {
            format!(
                "<docTitle><{name}text>T</{name}text></docTitle><navPoint><navLabel><{name}text> One &amp; two\
                 </{name}text></navLabel><{name}content src='a.xhtml#x'/><navPoint><{name}text>Three</{name}text>\
                 <{name}content src='b.xhtml'/></navPoint></navPoint>"
            )
        };
        assert_eq!(words(&ncx("")), both);
        assert_eq!(words(&ncx("ncx:")), both);
    }
}
