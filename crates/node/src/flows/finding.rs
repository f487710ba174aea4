//! Finding a message of an earlier conversation: all words must occur, a phrase in quotes as it stands, in whatever
//! letter case.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::failure::NodeError;
use crate::protocol::{ErrorKind, Event, Found, SessionId};
use crate::state::Node;

/// Most messages in one answer.
const FOUND_MAX: usize = 1000;
/// Longest query, in bytes.
const QUERY_MAX: usize = 1 << 10;
/// Characters of an excerpt before the place found, and from it on.
const BEFORE: usize = 32;
const AFTER: usize = 96;

/// [`crate::protocol::Op::Find`].
pub(crate) fn find(node: &Node, query: &str, k: usize) -> Result<Event, NodeError> {
    if query.len() > QUERY_MAX {
        return Err(NodeError::said(
            ErrorKind::Usage,
            format!("The search is {} bytes long; at most {QUERY_MAX} are searched.", query.len()),
            "Search for a few words.",
        ));
    }
    let (needles, k) = (needles(query), k.min(FOUND_MAX));
    let mut found = Vec::new();
    if needles.is_empty() || k == 0 {
        return Ok(Event::Found { found });
    }
    node.vault.read(|r| {
        r.each_message(&mut |line| {
            if let Some(at) = place(&line.text, &needles) {
                let excerpt = excerpt(&line.text, at);
                let (session, title) = (line.session, String::new());
                found.push(Found { session, title, message: line.id, role: line.role, at: line.at, excerpt });
            }
            found.len() < k
        })?;
        let mut titles: HashMap<SessionId, String> = HashMap::new();
        for hit in &mut found {
            let title = match titles.entry(hit.session) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    unknown.insert(r.session(hit.session)?.map(|line| line.title).unwrap_or_default())
                }
            };
            hit.title.clone_from(title);
        }
        Ok::<_, NodeError>(())
    })?;
    Ok(Event::Found { found })
}

/// A text without its letter case. The upper case comes first, so that "ß" is "ss" and both sigmas are one.
fn folded(text: &str) -> String {
    text.chars().flat_map(fold).collect()
}

fn fold(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase)
}

/// Words and phrases of a query, folded. A quote that is not closed reaches to the end.
fn needles(query: &str) -> Vec<String> {
    let mut needles = Vec::new();
    for (n, part) in query.split('"').enumerate() {
        if n % 2 == 1 {
            needles.push(folded(&one_line(part)));
        } else {
            needles.extend(part.split_whitespace().map(folded));
        }
    }
    needles.retain(|needle| !needle.is_empty());
    needles
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where the first of the needles occurs in a text, in characters of its one line, if all of them occur.
fn place(text: &str, needles: &[String]) -> Option<usize> {
    let line = one_line(text);
    let whole = folded(&line);
    let places: Option<Vec<usize>> = needles.iter().map(|needle| whole.find(needle.as_str())).collect();
    let first = places?.into_iter().min()?;
    // Folding may have changed how long the text before the place is.
    let mut bytes = 0;
    let before = line.chars().take_while(|c| {
        bytes += fold(*c).map(char::len_utf8).sum::<usize>();
        bytes <= first
    });
    Some(before.count())
}

/// Some words around a place, on one line.
fn excerpt(text: &str, at: usize) -> String {
    let line: Vec<char> = one_line(text).chars().collect();
    let mut from = at.saturating_sub(BEFORE);
    // Not in the middle of a word, where there is a gap to begin at.
    if from > 0
        && let Some(gap) = line[from..at].iter().position(|c| *c == ' ')
    {
        from += gap + 1;
    }
    let to = (at + AFTER).min(line.len());
    let mut excerpt = String::new();
    if from > 0 {
        excerpt.push('…');
    }
    excerpt.extend(&line[from..to]);
    if to < line.len() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(text: &str, query: &str) -> Option<String> {
        place(text, &needles(query)).map(|at| excerpt(text, at))
    }

    #[test]
    fn words_must_all_occur_and_phrases_as_they_stand() {
        let text = "The ferry leaves\nat nine, the bus at ten.";
        let line = "The ferry leaves at nine, the bus at ten.";
        for query in ["ferry", "BUS ferry", "\"leaves at nine\"", "\"leaves  at", "ten. \"the bus\""] {
            assert_eq!(finds(text, query).as_deref(), Some(line), "{query}");
        }
        for query in ["ferry tram", "\"nine at\"", "\"ferry bus\""] {
            assert_eq!(finds(text, query), None, "{query}");
        }
        for query in ["", "  ", "\"\"", "\" \" "] {
            assert!(needles(query).is_empty(), "{query:?}");
        }
    }

    #[test]
    fn letter_case_is_nothing_in_any_script() {
        assert!(finds("Die STRASSE ist lang", "straße").is_some());
        assert!(finds("ΟΔΥΣΣΕΥΣ", "οδυσσευς").is_some());
        assert!(finds("Ёлка", "ёЛКА").is_some());
        assert!(finds("İzmir", "i̇ZMIR").is_some());
    }

    #[test]
    fn an_excerpt_begins_at_a_word_before_the_place_whatever_folding_did_before_it() {
        let text = format!("{} lanterns on the quay {}", "ß".repeat(300), "and more ".repeat(40));
        let excerpt = finds(&text, "quay").unwrap();
        assert!(excerpt.starts_with("…lanterns on the quay and more"), "{excerpt}");
        assert!(excerpt.ends_with('…') && excerpt.chars().count() <= BEFORE + AFTER + 2, "{excerpt}");
        assert_eq!(finds("quay", "quay").as_deref(), Some("quay"));
    }
}
