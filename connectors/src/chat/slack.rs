//! Slack: a folder for each channel, a file for each day, and a list of people beside them.

use super::{
    days::{SPEAKERS, speakers},
    json::{list, number, text},
    messages::beginning,
    stamp::Stamp,
};
use crate::{
    Unreadable,
    parts::{Part, Parts},
};
use serde_json::Value;
use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// Files that describe an export and hold no messages.
const LISTS: &[&str] = &[
    "users.json",
    "channels.json",
    "groups.json",
    "dms.json",
    "mpims.json",
    "org_users.json",
    "integration_logs.json",
    "canvases.json",
    "file_conversations.json",
    "lists.json",
    "huddle_transcripts.json",
];
/// Characters of a person's name.
const NAME_MAX: usize = 80;
/// Bytes of a list of people.
const USERS_MAX: u64 = 64 << 20;

/// The people of exports, by the export's folder.
#[derive(Default)]
pub(crate) struct Names {
    by_folder: HashMap<PathBuf, HashMap<String, String>>,
}

impl Names {
    /// The people of the export in which a day's file lies, as far as consent covers their list.
    pub(crate) fn of(
        &mut self,
        day: &Path,
        open: &mut dyn FnMut(&Path) -> Result<File, Unreadable>,
    ) -> &HashMap<String, String> {
        let export = day.parent().and_then(Path::parent).unwrap_or(day);
        self.by_folder.entry(export.to_path_buf()).or_insert_with(|| {
            let Ok(file) = open(&export.join("users.json")) else { return HashMap::new() };
            let mut bytes = Vec::new();
            if file.take(USERS_MAX).read_to_end(&mut bytes).is_ok() { people(&bytes) } else { HashMap::new() }
        })
    }
}

/// Whether a file is named as a day is.
pub(super) fn is_day(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let Some(day) = name.strip_suffix(".json") else { return false };
    day.len() == 10 && day.parse::<jiff::civil::Date>().is_ok()
}

/// Whether a file is one of the lists that describe an export.
pub(super) fn is_list(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| LISTS.contains(&name))
}

/// What a list of people calls each of them.
pub(crate) fn people(json: &[u8]) -> HashMap<String, String> {
    let Ok(users) = serde_json::from_slice::<Vec<Value>>(json) else { return HashMap::new() };
    let mut names = HashMap::new();
    for user in &users {
        if let (Some(id), Some(name)) = (text(user, "id"), called(user)) {
            names.insert(id.to_owned(), name);
        }
    }
    names
}

fn called(user: &Value) -> Option<String> {
    let profile = user.get("profile").unwrap_or(&Value::Null);
    let name = text(profile, "real_name")
        .or_else(|| text(user, "real_name"))
        .or_else(|| text(profile, "display_name"))
        .or_else(|| text(user, "display_name"))
        .or_else(|| text(user, "name"));
    // A mention is some bytes, and becomes the whole name.
    name.map(|name| name.trim().chars().take(NAME_MAX).collect())
}

/// A day of a channel, with the people known.
pub(crate) fn day(
    path: &Path,
    json: &[u8],
    people: &HashMap<String, String>,
    parts: &mut Parts<'_>,
) -> Result<(), Unreadable> {
    let messages: Vec<Value> = serde_json::from_slice(json).map_err(|source| Unreadable::Json { source })?;
    let channel = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let date = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (mut body, mut last, mut said_by) = (String::new(), None, Vec::new());
    let mut threads: HashMap<String, String> = HashMap::new();
    let most = usize::try_from(parts.limits.max_text_bytes).unwrap_or(usize::MAX);
    for message in &messages {
        // What is over the most that is taken is cut and said so further on.
        if body.len() > most {
            break;
        }
        let Some(words) = words(message, people) else { continue };
        let at = number(message, "ts").and_then(Stamp::seconds);
        last = last.max(at.map(|at| at.millis));
        let who = author(message, people);
        if said_by.len() < SPEAKERS && !said_by.contains(&who) {
            said_by.push(who.clone());
        }
        let clock = match at {
            Some(at) if at.date.to_string() == date => format!("[{}] ", at.clock()),
            Some(at) => format!("[{} {}] ", at.date, at.clock()),
            None => String::new(),
        };
        let (own, thread) = (text(message, "ts"), text(message, "thread_ts"));
        let answer = thread.filter(|thread| own != Some(thread));
        let in_thread = match answer.map(|thread| threads.get(thread)) {
            Some(Some(first)) => format!("(in answer to “{first}”) "),
            Some(None) => "(in a thread) ".to_owned(),
            None => String::new(),
        };
        let _ = writeln!(body, "{clock}{who}: {in_thread}{words}");
        if let Some(own) = own {
            threads.insert(own.to_owned(), beginning(&words));
        }
    }
    let key = parts.own_key();
    if body.is_empty() {
        return Err(Unreadable::Empty);
    }
    let mut text = format!("Chat: #{channel} (Slack)\nFrom: {}\nDate: {date}\n\n", speakers(&said_by));
    text.push_str(&body);
    parts.put(Part {
        key,
        title: format!("#{channel}, {date}"),
        kind: "chat",
        text,
        modified: last,
        ..Part::default()
    });
    Ok(())
}

fn author(message: &Value, people: &HashMap<String, String>) -> String {
    let user = text(message, "user");
    let listed = user.and_then(|user| people.get(user)).cloned();
    let told = || message.get("user_profile").and_then(called);
    let bot = || message.get("bot_profile").and_then(|bot| text(bot, "name")).or_else(|| text(message, "username"));
    listed
        .or_else(told)
        .or_else(|| bot().map(str::to_owned))
        .or_else(|| user.or_else(|| text(message, "bot_id")).map(str::to_owned))
        .unwrap_or_else(|| "somebody".to_owned())
}

fn words(message: &Value, people: &HashMap<String, String>) -> Option<String> {
    let mut out = text(message, "text").map(|text| unmarked(text, people)).unwrap_or_default();
    let mut add = |what: String| {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&what);
    };
    for file in list(message, "files").iter().chain(message.get("file")) {
        let name = text(file, "title").or_else(|| text(file, "name")).unwrap_or("without a name");
        add(format!("(file: {name})"));
        if let Some(preview) = text(file, "preview").or_else(|| text(file, "plain_text")) {
            add(unmarked(preview, people));
        }
    }
    for attached in list(message, "attachments") {
        let said: Vec<String> = ["title", "text"]
            .into_iter()
            .filter_map(|key| text(attached, key))
            .map(|text| unmarked(text, people))
            .collect();
        let said =
            if said.is_empty() { text(attached, "fallback").unwrap_or_default().to_owned() } else { said.join(": ") };
        if !said.is_empty() {
            add(format!("({said})"));
        }
    }
    (!out.trim().is_empty()).then(|| out.trim().to_owned())
}

/// Slack's marks in words: `<@U1>` is a person, `<https://x|label>` a link.
fn unmarked(text: &str, people: &HashMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        let Some(close) = after.find('>') else {
            rest = &rest[open..];
            break;
        };
        let (target, label) = after[..close].split_once('|').map_or((&after[..close], None), |(t, l)| (t, Some(l)));
        match target.chars().next() {
            Some('@') => {
                let name = label.or_else(|| people.get(&target[1..]).map(String::as_str)).unwrap_or(&target[1..]);
                let _ = write!(out, "@{name}");
            }
            Some('#') => {
                let _ = write!(out, "#{}", label.unwrap_or(&target[1..]));
            }
            Some('!') => {
                let _ = write!(out, "@{}", label.unwrap_or(&target[1..]).trim_start_matches('@'));
            }
            _ => match label.filter(|label| *label != target) {
                Some(label) => {
                    let _ = write!(out, "{label} ({target})");
                }
                None => out.push_str(target),
            },
        }
        rest = &after[close + 1..];
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::{NAME_MAX, is_day, people, unmarked};
    use std::{collections::HashMap, path::Path};

    #[test]
    fn marks_become_words() {
        let people = HashMap::from([("U1".to_owned(), "Ana".to_owned())]);
        for (text, expected) in [
            ("<@U1> and <@U2>, <@U3|bo>", "@Ana and @U2, @bo"),
            ("<#C1|general> <!channel> <!here|@here>", "#general @channel @here"),
            ("<https://x.y|label> <https://x.y> a < b", "label (https://x.y) https://x.y a < b"),
            ("&lt;b&gt; &amp;amp;", "<b> &amp;"),
        ] {
            assert_eq!(unmarked(text, &people), expected);
        }
        assert!(is_day(Path::new("x/2015-06-12.json")) && !is_day(Path::new("x/2015-13-12.json")));
    }

    #[test]
    fn an_endless_name_does_not_multiply() {
        let list = format!("[{{\"id\":\"U1\",\"name\":\"{}\"}}]", "n".repeat(1 << 20));
        let text = "<@U1>".repeat(10_000);
        assert!(unmarked(&text, &people(list.as_bytes())).len() <= 10_000 * (NAME_MAX + 1));
    }
}
