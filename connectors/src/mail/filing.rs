//! Where a message stands: the thread it belongs to, and what it is filed under.
//!
//! A thread is named by a hash of the id of the message that began it: ids are addresses of strangers, and to know that
//! two messages belong together nobody has to keep them. A message that names no other and has no id is in no thread;
//! subjects are not looked at, because they lie.

use super::{maildir, names};
use crate::text::one_line;
use mail_parser::{HeaderValue, Message};
use std::{collections::BTreeMap, path::Path};

/// Hexadecimal digits of a thread's name: sixteen bytes.
const NAME_DIGITS: usize = 32;
/// Labels of one message, and characters of one, at most.
const LABELS_MAX: usize = 32;
const LABEL_CHARS_MAX: usize = 80;
/// Names of mailboxes that say only that mail is in them.
const SAY_NOTHING: &[&str] =
    &["mail", "maildir", "mbox", "mailbox", "messages", "all mail", "all mail including spam and trash"];

/// A field's text, where the message has the field.
fn field<'a>(message: &'a Message<'_>, name: &str) -> Option<&'a str> {
    let header = message.headers().iter().find(|header| header.name.as_str().eq_ignore_ascii_case(name))?;
    match &header.value {
        HeaderValue::Text(text) => Some(text.as_ref()),
        _ => None,
    }
}

/// The name of the thread a message belongs to.
pub(super) fn thread(message: &Message<'_>) -> Option<String> {
    let root = root(field(message, "references"), field(message, "in-reply-to"), field(message, "message-id"))?;
    Some(blake3::hash(root.as_bytes()).to_hex()[..NAME_DIGITS].to_owned())
}

/// The id of the message that began the thread: the first of those referred to, else the one that is answered, else the
/// message's own.
fn root(references: Option<&str>, answers: Option<&str>, own: Option<&str>) -> Option<String> {
    let first = |field: &str| ids(field).into_iter().next();
    references.and_then(first).or_else(|| answers.and_then(answered)).or_else(|| own.and_then(first))
}

/// The ids in a field. Some programs forget the angle brackets.
fn ids(field: &str) -> Vec<String> {
    let bracketed: Vec<String> = field.split('<').skip(1).filter_map(|rest| normal(rest.split_once('>')?.0)).collect();
    if !bracketed.is_empty() {
        return bracketed;
    }
    let words = field.split_whitespace().filter(|word| word.contains('@'));
    words.filter_map(|word| normal(word.trim_matches(['<', '>', ',', ';']))).collect()
}

/// The id of the message that is answered. Old programs wrote a sentence with the id at its end: "Message from Ana
/// <ana@x.org> of Monday <id@x.org>".
fn answered(field: &str) -> Option<String> {
    let field = field.trim();
    if field.starts_with('<') || !field.contains(char::is_whitespace) {
        return ids(field).into_iter().next();
    }
    if field.ends_with('>') { ids(field).pop() } else { None }
}

/// An id as others write it too: without white space, and the host, in which case is nothing, in lower case.
fn normal(id: &str) -> Option<String> {
    let id: String = id.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let host = id.rfind('@').unwrap_or(id.len());
    let (name, host) = id.split_at(host);
    let id = format!("{name}{}", host.to_lowercase());
    id.chars().any(char::is_alphanumeric).then_some(id)
}

/// The labels that Gmail gave a message.
pub(super) fn labels(message: &Message<'_>) -> Vec<String> {
    field(message, "x-gmail-labels").map(listed).unwrap_or_default()
}

/// What stands between commas; a label with a comma in it is quoted.
fn listed(field: &str) -> Vec<String> {
    let (mut all, mut one, mut quoted) = (Vec::new(), String::new(), false);
    for c in field.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(std::mem::take(&mut one)),
            c => one.push(c),
        }
    }
    all.push(one);
    all
}

/// Labels as they are kept: on one line, each once whatever its letter case, in order.
pub(super) fn tidy(labels: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for label in labels {
        let label: String = one_line(&label).chars().filter(|c| !c.is_control()).take(LABEL_CHARS_MAX).collect();
        let label = label.trim().to_owned();
        if !label.is_empty() && kept.len() < LABELS_MAX {
            kept.entry(label.to_lowercase()).or_insert(label);
        }
    }
    kept.into_values().collect()
}

/// What the folder of a message in a Maildir is called: `.Work.2024` is `Work/2024`.
pub(super) fn of_maildir(file: &Path) -> Option<String> {
    let folder = maildir::folder_of(file)?;
    // Servers that write folders with a dot write their names as IMAP does. Taken apart first: `.` is no letter of that.
    let server = |name: &str| name.split('.').map(names::readable).collect::<Vec<_>>().join("/");
    says_something(folder.strip_prefix('.').map_or_else(|| folder.clone(), server))
}

/// What an mbox is called: by its file, below the folders that Thunderbird makes (`Work.sbd/2024`); Apple Mail names the
/// folder and not the file (`Trips.mbox/mbox`).
pub(super) fn of_mbox(file: &Path) -> Option<String> {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let own = name(file)?;
    let around = file.parent().and_then(name).unwrap_or_default();
    if own == "mbox" {
        return around.strip_suffix(".mbox").and_then(|name| says_something(name.to_owned()));
    }
    // Any other ending is that of a file which only turned out to be mail.
    let own = match own.rsplit_once('.') {
        None => own.as_str(),
        Some((stem, "mbox" | "mbx")) => stem,
        Some(_) => return None,
    };
    let mut folders: Vec<String> = vec![own.to_owned()];
    for folder in file.ancestors().skip(1) {
        let Some(folder) = name(folder) else { break };
        let Some(folder) = folder.strip_suffix(".sbd") else { break };
        folders.insert(0, folder.to_owned());
    }
    says_something(folders.join("/"))
}

fn says_something(name: String) -> Option<String> {
    let nothing = name.is_empty() || SAY_NOTHING.contains(&name.to_lowercase().as_str());
    (!nothing).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{answered, ids, listed, of_maildir, of_mbox, root, tidy};
    use std::path::Path;

    #[test]
    fn ids_are_found_however_they_are_written() {
        for (field, expected) in [
            ("<a@x.org>", vec!["a@x.org"]),
            ("<a@X.Org> <B@y>\t<c@z>", vec!["a@x.org", "B@y", "c@z"]),
            ("<a@x><b@x>", vec!["a@x", "b@x"]),
            ("<a\n b@x>", vec!["ab@x"]),
            ("<cut@x", vec!["cut@x"]),
            ("<cut@x <whole@x>", vec!["whole@x"]),
            ("a@x, b@y;", vec!["a@x", "b@y"]),
            ("<12345>", vec!["12345"]),
            ("<> <@>", vec![]),
            ("none of them", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(ids(field), expected, "{field:?}");
        }
    }

    #[test]
    fn what_is_answered_is_an_id_and_no_address() {
        for (field, expected) in [
            ("<a@x>", Some("a@x")),
            (" <a@x> (Ana's message of Monday)", Some("a@x")),
            ("a@x", Some("a@x")),
            ("Your message of \"Mon, 4 Mar\" <a@x>", Some("a@x")),
            ("Message from Ana <ana@x.org> of Monday <a@x>", Some("a@x")),
            ("Message from Ana <ana@x.org> of Monday", None),
            ("Message from ana@x.org of Monday", None),
            ("", None),
        ] {
            assert_eq!(answered(field).as_deref(), expected, "{field:?}");
        }
    }

    #[test]
    fn the_first_message_names_the_thread() {
        for (references, answers, own, expected) in [
            (None, None, Some("<a@x>"), Some("a@x")),
            (Some("<a@x> <b@x>"), Some("<b@x>"), Some("<c@x>"), Some("a@x")),
            (None, Some("<a@x>"), Some("<b@x>"), Some("a@x")),
            (Some("broken"), Some("Ana's letter"), Some("<b@x>"), Some("b@x")),
            (Some(""), None, Some("<>"), None),
            (None, None, None, None),
        ] {
            assert_eq!(root(references, answers, own).as_deref(), expected, "{references:?} {answers:?} {own:?}");
        }
    }

    #[test]
    fn labels_are_tidy() {
        let labels = "Inbox,  Trips ,\"Tax, 2025\",trips,,Éire";
        assert_eq!(tidy(listed(labels)), ["Inbox", "Tax, 2025", "Trips", "Éire"]);
        assert_eq!(tidy(listed("")), Vec::<String>::new());
        assert_eq!(tidy((0..90).map(|n| n.to_string())).len(), 32);
        assert_eq!(tidy(["x".repeat(500)])[0].len(), 80);
    }

    #[test]
    fn a_mailbox_is_called_by_its_name_where_that_says_something() {
        for (path, expected) in [
            ("/m/Trips.mbox", Some("Trips")),
            ("/m/Inbox", Some("Inbox")),
            ("/m/Trips.mbox/mbox", Some("Trips")),
            ("/m/mbox", None),
            ("/m/Work.sbd/Old.sbd/2024", Some("Work/Old/2024")),
            ("/m/All mail Including Spam and Trash.mbox", None),
            ("/m/letters.txt", None),
        ] {
            assert_eq!(of_mbox(Path::new(path)).as_deref(), expected, "{path}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        for (name, expected) in [
            ("Maildir", None),
            (".Work.2024", Some("Work/2024")),
            (".Entw&APw-rfe.Tom &- Ana", Some("Entwürfe/Tom & Ana")),
            ("lists", Some("lists")),
        ] {
            for sub in ["cur", "new", "tmp"] {
                std::fs::create_dir_all(folder.path().join(name).join(sub)).expect("a folder");
            }
            let file = folder.path().join(name).join("cur/12.M3.host:2,S");
            assert_eq!(of_maildir(&file).as_deref(), expected, "{name}");
        }
        assert_eq!(of_maildir(&folder.path().join("note.eml")), None);
    }
}
