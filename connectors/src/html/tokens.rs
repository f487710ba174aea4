//! HTML source to tokens, in one pass and in linear time whatever the source.

/// A piece of the source.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Character data, entities not yet resolved.
    Text(&'a str),
    /// The contents of an element whose contents are not HTML.
    Raw { element: &'static str, text: &'a str },
    /// A start tag, its name in lower case.
    Open { name: String, attributes: &'a str, closed: bool },
    /// An end tag, its name in lower case.
    Close { name: String },
}

/// Elements whose contents end only at their own end tag.
const RAW: &[&str] = &["script", "style", "title", "textarea", "iframe", "noembed", "noframes"];

pub(super) struct Tokens<'a> {
    source: &'a str,
    at: usize,
    /// The raw element whose contents come next.
    raw: Option<&'static str>,
    /// A quote that is never closed was met once; from then on quotes do not hide `>`. (Looking for the end of each
    /// such quote anew would take quadratic time.)
    quotes_lost: bool,
    /// Whether `<script/>` is closed, as it is in XHTML and not in HTML.
    xhtml: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(source: &'a str, xhtml: bool) -> Self {
        Self { source, at: 0, raw: None, quotes_lost: false, xhtml }
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Moves past `end` bytes of the rest.
    fn take(&mut self, end: usize) -> &'a str {
        let taken = &self.rest()[..end];
        self.at += end;
        taken
    }

    /// The contents of a raw element, up to its end tag or the end of the source.
    fn raw(&mut self, element: &'static str) -> Token<'a> {
        let rest = self.rest();
        let mut from = 0;
        let end = loop {
            let Some(found) = rest[from..].find("</") else { break rest.len() };
            let at = from + found;
            let name = rest.as_bytes().get(at + 2..at + 2 + element.len());
            if name.is_some_and(|name| name.eq_ignore_ascii_case(element.as_bytes())) {
                break at;
            }
            from = at + 2;
        };
        Token::Raw { element, text: self.take(end) }
    }

    /// Where the tag that the rest begins with ends (after its `>`), or `None` where it never does.
    fn tag_end(&mut self) -> Option<usize> {
        let bytes = self.rest().as_bytes();
        if !self.quotes_lost {
            let mut at = 1;
            let mut value = false;
            while at < bytes.len() {
                match bytes[at] {
                    b'>' => return Some(at + 1),
                    // A quote opens a value only after `=`; elsewhere it is part of a broken name.
                    quote @ (b'"' | b'\'') if value => {
                        match bytes[at + 1..].iter().position(|b| *b == quote) {
                            Some(length) => at += length + 1,
                            None => break,
                        }
                        value = false;
                    }
                    b'=' => value = true,
                    b if b.is_ascii_whitespace() => {}
                    _ => value = false,
                }
                at += 1;
            }
            self.quotes_lost = true;
        }
        bytes.iter().position(|b| *b == b'>').map(|at| at + 1)
    }

    fn tag(&mut self) -> Option<Token<'a>> {
        let Some(end) = self.tag_end() else {
            self.at = self.source.len();
            return None;
        };
        let tag = self.take(end);
        let inner = &tag[1..tag.len() - 1];
        if let Some(inner) = inner.strip_prefix('/') {
            return Some(Token::Close { name: name(inner).to_ascii_lowercase() });
        }
        let given = name(inner);
        let lower = given.to_ascii_lowercase();
        let attributes = &inner[given.len()..];
        let closed = attributes.ends_with('/');
        // In a drawing `<title/>` is closed; in a page it is not, and neither is `<script/>`.
        let empty = closed && (self.xhtml || lower == "title");
        self.raw = RAW.iter().find(|raw| **raw == lower && !empty).copied();
        Some(Token::Open { name: lower, attributes, closed })
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(element) = self.raw.take() {
            return Some(self.raw(element));
        }
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return None;
            }
            let Some(found) = rest.find('<') else { return Some(Token::Text(self.take(rest.len()))) };
            let next = rest.as_bytes().get(found + 1).copied().unwrap_or(b' ');
            let starts = next.is_ascii_alphabetic() || matches!(next, b'!' | b'?' | b'/');
            if found > 0 || !starts {
                return Some(Token::Text(self.take(if starts { found } else { found + 1 })));
            }
            match next {
                b'!' if rest.starts_with("<!--") => {
                    // `<!-->` is a whole comment.
                    let end = rest[2..].find("-->").map_or(rest.len(), |end| 2 + end + 3);
                    self.take(end);
                }
                b'/' if rest.as_bytes().get(2).is_some_and(u8::is_ascii_alphabetic) => return self.tag(),
                b'!' | b'?' | b'/' => {
                    let end = rest.find('>').map_or(rest.len(), |end| end + 1);
                    self.take(end);
                }
                _ => return self.tag(),
            }
        }
    }
}

fn name(inner: &str) -> &str {
    let end = inner.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(inner.len());
    &inner[..end]
}

/// The value of an attribute, entities not yet resolved.
pub(super) fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    let blank = |c: char| c.is_ascii_whitespace() || c == '/';
    let mut rest = attributes.trim_start_matches(blank);
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || blank(c)).unwrap_or(rest.len());
        // A name that begins with `=` would not move on.
        let (name, after) = rest.split_at(end.max(rest.chars().next().map_or(0, char::len_utf8)));
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=').map(str::trim_start) else {
            rest = after.trim_start_matches(blank);
            continue;
        };
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len())),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after.trim_start_matches(blank);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::attribute;

    #[test]
    fn attributes() {
        for (attributes, expected) in [
            (" src=x alt='a b'", Some("a b")),
            (" ALT = \"c\" /", Some("c")),
            (" alt=d/", Some("d/")),
            (" data-alt=x", None),
            (" =x alt=y", Some("y")),
            (" alt='unclosed", Some("unclosed")),
            (" alt", None),
        ] {
            assert_eq!(attribute(attributes, "alt"), expected, "{attributes}");
        }
    }
}
