//! Content lines, as iCalendar and vCard have them: folded, with parameters, and with all the ways they are broken.

use crate::decode;
use encoding_rs::Encoding;

/// One line: `NAME;PARAM=value:value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// In upper case, without the group in front.
    pub(crate) name: String,
    /// Names in upper case; where a parameter has no name (vCard 2.1), it is empty.
    pub(crate) params: Vec<(String, String)>,
    /// As it stands, escapes and all, but for quoted-printable, which is undone.
    pub(crate) value: String,
}

impl Line {
    /// A parameter's value.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value as people read it.
    pub(crate) fn text(&self) -> String {
        unescaped(&self.value)
    }

    /// The parts of a structured value, as people read them.
    pub(crate) fn fields(&self) -> Vec<String> {
        divided(&self.value, ';').iter().map(|part| unescaped(part).trim().to_owned()).collect()
    }
}

/// The lines of a text, unfolded. What is no content line is passed over.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Line> + '_ {
    let mut physical = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
    std::iter::from_fn(move || {
        loop {
            let mut whole = physical.next()?.to_owned();
            let printable =
                whole.split(':').next().is_some_and(|head| head.to_ascii_uppercase().contains("QUOTED-PRINTABLE"));
            loop {
                if printable && whole.ends_with('=') {
                    whole.pop();
                    let Some(next) = physical.next() else { break };
                    whole.push_str(next);
                } else if let Some(next) = physical.next_if(|next| next.starts_with([' ', '\t'])) {
                    whole.push_str(&next[1..]);
                } else {
                    break;
                }
            }
            if let Some(line) = parsed(&whole) {
                return Some(line);
            }
        }
    })
}

fn parsed(line: &str) -> Option<Line> {
    let mut quoted = false;
    let mut colon = None;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ':' if !quoted => {
                colon = Some(at);
                break;
            }
            _ => {}
        }
    }
    // A quotation mark that is never closed hides the colon; then the first one counts.
    let colon = colon.or_else(|| line.find(':'))?;
    let (head, value) = (&line[..colon], &line[colon + 1..]);
    let mut parts = divided(head, ';').into_iter();
    let name = parts.next()?.trim();
    let name = name.rsplit('.').next().unwrap_or(name).to_ascii_uppercase();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return None;
    }
    let params: Vec<(String, String)> = parts
        .map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim().to_ascii_uppercase(), value.trim_matches(['"', ' ']).to_owned()),
            None => (String::new(), part.trim().to_owned()),
        })
        .collect();
    let mut line = Line { name, params, value: value.to_owned() };
    let printable = line.params.iter().any(|(_, value)| value.eq_ignore_ascii_case("quoted-printable"));
    if printable && let Some(bytes) = mail_parser::decoders::quoted_printable::quoted_printable_decode(value.as_bytes())
    {
        let charset = line.param("CHARSET").and_then(|label| Encoding::for_label(label.as_bytes()));
        if let Ok(decoded) = decode::decode(bytes, charset) {
            line.value = decoded.text;
        }
    }
    Some(line)
}

/// A text divided at a mark that is neither escaped nor within quotation marks.
fn divided(text: &str, mark: char) -> Vec<&str> {
    let (mut start, mut escaped, mut quoted) = (0, false, false);
    let mut parts = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            c if c == mark && !quoted => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A text without its escapes.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(c @ (',' | ';' | '\\' | ':' | '"')) => out.push(c),
                Some(c) => {
                    out.push('\\');
                    out.push(c);
                }
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_are_unfolded_and_taken_apart() {
        for (text, name, param, value) in [
            ("SUMMARY:Mee\r\n ting\\, at\n\t ten\n", "SUMMARY", None, "Meeting, at ten"),
            ("item1.tel;type=CELL:+1", "TEL", Some(("TYPE", "CELL")), "+1"),
            ("ATTENDEE;CN=\"Lee; Bo: x\";X=1:mailto:a@x", "ATTENDEE", Some(("CN", "Lee; Bo: x")), "mailto:a@x"),
            ("N;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:M=C3=BC=\nller", "N", Some(("CHARSET", "UTF-8")), "Müller"),
            ("TEL;HOME;VOICE:5", "TEL", Some(("", "HOME")), "5"),
            ("no line\n:none\nX Y:no\nA:b\\nc\\;\\q", "A", None, "b\nc;\\q"),
            ("X;CN=\"open:value", "X", Some(("CN", "open")), "value"),
        ] {
            let line = lines(text).next().expect(text);
            assert_eq!((line.name.as_str(), line.text().as_str()), (name, value), "{text}");
            if let Some((name, value)) = param {
                assert_eq!(line.param(name), Some(value), "{text}");
            }
        }
        assert_eq!(
            lines("ADR:;;Way\\; 1;Town").next().map(|line| line.fields()),
            Some(vec!["".into(), "".into(), "Way; 1".into(), "Town".into()])
        );
    }
}
