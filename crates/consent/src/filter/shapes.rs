//! Mail addresses and the addresses of machines.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// Endings of domain names that are recognised. An ending that is a file's or a word's too often (`md`, `rs`, `it`) is
/// not among them; such a domain is recognised in a URL only.
const ENDINGS: &[&str] = &[
    "com",
    "org",
    "net",
    "edu",
    "gov",
    "mil",
    "int",
    "info",
    "biz",
    "io",
    "dev",
    "app",
    "co",
    "ai",
    "xyz",
    "online",
    "site",
    "uk",
    "de",
    "fr",
    "pt",
    "es",
    "nl",
    "ch",
    "eu",
    "ca",
    "au",
    "jp",
    "cn",
    "br",
    "ru",
    "se",
    "fi",
    "dk",
    "cz",
    "ie",
    "nz",
    "za",
    "kr",
    "tr",
    "gr",
    "ro",
    "hu",
    "ua",
    "mx",
    "ar",
    "cl",
    "tv",
    "cc",
    "arpa",
    "local",
    "lan",
    "internal",
    "home",
    "corp",
    "intranet",
    "localdomain",
    "onion",
];

/// Mail addresses.
pub(super) fn emails(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices('@') {
        let is_local = |c: char| c.is_alphanumeric() || "._%+-'#&*/=?^`{|}~!$".contains(c);
        let start = text[..at].char_indices().rev().take_while(|(_, c)| is_local(*c)).last().map_or(at, |(i, _)| i);
        let lead = text[start..at].chars().take_while(|c| !c.is_alphanumeric() && *c != '_').map(char::len_utf8).sum();
        let start = start + usize::min(lead, at - start);
        let domain = domain_at(text, at + 1);
        let named = text[at + 1..domain.end].rsplit_once('.').is_some_and(|(_, ending)| {
            ending.chars().count() >= 2 && ending.chars().all(char::is_alphabetic) || ending.starts_with("xn--")
        });
        if start < at && named {
            found.push(start..domain.end);
        }
    }
    found
}

/// The letters, digits, dots and hyphens from `at` on, without those at the end that end a sentence.
fn domain_at(text: &str, at: usize) -> Range<usize> {
    let len: usize = text[at..]
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
        .map(char::len_utf8)
        .sum();
    let end = at + text[at..at + len].trim_end_matches(['.', '-', '_']).len();
    at..end
}

/// URLs, IP addresses and domain names.
pub(super) fn hosts(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(step) = text[at..].find(|c: char| !is_edge(c)) {
        let start = at + step;
        let end = edge(text, start);
        let word = text[start..end].trim_end_matches(['.', ',', ';', ':', '!', '?', '…']);
        if is_host(word) {
            found.push(start..start + word.len());
        }
        at = end;
    }
    found
}

/// Where the next edge is; the end of the text where there is none.
fn edge(text: &str, mut at: usize) -> usize {
    while let Some(&byte) = text.as_bytes().get(at) {
        if byte.is_ascii() {
            if is_edge(char::from(byte)) {
                break;
            }
            at += 1;
        } else {
            match text[at..].chars().next() {
                Some(c) if !is_edge(c) => at += c.len_utf8(),
                _ => break,
            }
        }
    }
    at
}

/// What stands around a machine's address in a text.
#[inline]
fn is_edge(c: char) -> bool {
    if c.is_ascii() {
        return matches!(
            c,
            '\t'..='\r' | ' ' | '(' | ')' | '<' | '>' | '[' | ']' | '{' | '}' | '"' | '\'' | '`' | '|' | ',' | ';'
        );
    }
    c.is_whitespace() || matches!(c, '“' | '”' | '‘' | '’')
}

fn is_host(word: &str) -> bool {
    if !word.bytes().any(|b| matches!(b, b'.' | b':')) {
        return false;
    }
    if let Some((scheme, rest)) = word.split_once("://") {
        return !scheme.is_empty() && rest.chars().any(char::is_alphanumeric);
    }
    if word.matches(':').count() >= 2 {
        let bare = word.split(['%', '/']).next().unwrap_or(word);
        return bare.parse::<Ipv6Addr>().is_ok();
    }
    // What comes after a port or a path does not make it another machine.
    let host = word.split(['/', ':']).next().unwrap_or(word);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    if host.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    is_domain(host)
}

fn is_domain(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let proper = |label: &&str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
    };
    let Some((ending, rest)) = labels.split_last() else { return false };
    // "end.Then" is a full stop without a space.
    let cased = ending.chars().any(char::is_uppercase) && host.chars().any(char::is_lowercase);
    !rest.is_empty()
        && labels.iter().all(proper)
        && !cased
        && rest.iter().any(|label| label.chars().any(char::is_alphabetic))
        && ENDINGS.contains(&ending.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, find: fn(&str) -> Vec<Range<usize>>) -> Vec<&str> {
        find(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn mail_addresses() {
        let cases: &[(&str, &[&str])] = &[
            ("to <ana.c+x@mail.example.org>, ok", &["ana.c+x@mail.example.org"]),
            ("ana@x.pt.", &["ana@x.pt"]),
            ("a@b, @ana, x@1.2.3.4, ana@nas", &[]),
            ("(müller@straße.de)", &["müller@straße.de"]),
            ("mailto:ana@x.pt?x", &["ana@x.pt"]),
            ("@@x.org a@@b.org", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(texts(text, emails), *expected, "{text}");
        }
    }

    #[test]
    fn machines() {
        let cases: &[(&str, &[&str])] = &[
            ("see https://x.md/a?b=c.", &["https://x.md/a?b=c"]),
            (
                "ssh root@nas.local:22, 192.168.1.20 and 10.0.0.1:8080/x",
                &["root@nas.local:22", "192.168.1.20", "10.0.0.1:8080/x"],
            ),
            ("(db-1.internal) fe80::1%eth0 2001:db8::2 10:20:30", &["db-1.internal", "fe80::1%eth0", "2001:db8::2"]),
            ("notes.md main.rs end.It v1.2.3 300.1.1.1 3.5.co a.b.c the.end", &[]),
            ("www.example.com and EXAMPLE.COM", &["www.example.com", "EXAMPLE.COM"]),
            ("at 14:39:10 in 2026.", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(texts(text, hosts), *expected, "{text}");
        }
    }
}
