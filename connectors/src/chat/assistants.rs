//! Conversations with ChatGPT and Claude: trees of messages, of which one branch is the present one. A conversation is
//! one item: the present branch first, then every other, so that each message stands in it once.

use super::{
    days::{SPEAKERS, speakers},
    json::{self, Found, id, list, number, text},
    messages::beginning,
    stamp::Stamp,
};
use crate::{
    Unreadable,
    kinds::Export,
    parts::{Part, Parts},
    text::one_line,
};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    io::Read,
};

/// A message of a tree.
#[derive(Default)]
struct Said {
    parent: Option<String>,
    who: String,
    at: Option<Stamp>,
    /// Empty where the message shows nothing.
    text: String,
}

/// A conversation as a tree.
struct Tree {
    order: Vec<String>,
    said: HashMap<String, Said>,
    /// The last message of the present branch.
    leaf: Option<String>,
}

pub(super) fn read(export: Export, input: impl Read, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    let mut any = false;
    let limit = parts.limits.max_element_bytes;
    json::read(input, limit, &mut |found| {
        if let Found::Element(_, conversation) = found {
            any |= hand_out(export, &conversation, parts);
        }
        !parts.stopped()
    })?;
    if any { Ok(()) } else { Err(Unreadable::NoExport) }
}

/// Hands out one conversation; gives whether it was one.
fn hand_out(export: Export, conversation: &Value, parts: &mut Parts<'_>) -> bool {
    let claude = export == Export::Claude;
    let proper = match claude {
        true => conversation.get("chat_messages").is_some_and(Value::is_array),
        false => conversation.get("mapping").is_some_and(Value::is_object),
    };
    if !proper {
        return false;
    }
    let program = if claude { "Claude" } else { "ChatGPT" };
    let tree = if claude { claude_tree(conversation) } else { chatgpt_tree(conversation) };
    let title = text(conversation, if claude { "name" } else { "title" }).map(one_line);
    let number_of = ["conversation_id", "id", "uuid"].into_iter().find_map(|key| conversation.get(key).and_then(id));
    let first = tree.order.iter().filter_map(|id| tree.said.get(id)).find(|said| !said.text.is_empty());
    let title = title
        .or_else(|| first.map(|said| beginning(said.text.lines().next().unwrap_or_default())))
        .unwrap_or_else(|| "Conversation".to_owned());
    let key = parts.new_key(number_of.as_deref().unwrap_or(&title));
    let Some(words) = tree.words(&title, program) else {
        parts.skip(&key, "The conversation holds no words.".to_owned());
        return true;
    };
    let last = tree.said.values().filter_map(|said| said.at).map(|at| at.millis).max();
    let updated = match claude {
        true => text(conversation, "updated_at").and_then(Stamp::written),
        false => number(conversation, "update_time").and_then(Stamp::seconds),
    };
    let modified = last.or(updated.map(|at| at.millis));
    parts.put(Part { key, title, kind: "chat", text: words, modified, ..Part::default() });
    true
}

impl Tree {
    /// The whole tree as a text; `None` where nobody says anything.
    fn words(&self, title: &str, program: &str) -> Option<String> {
        let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut roots = Vec::new();
        for id in &self.order {
            let parent = self.said.get(id).and_then(|said| said.parent.as_deref());
            match parent.filter(|parent| *parent != id && self.said.contains_key(*parent)) {
                Some(parent) => children.entry(parent).or_default().push(id),
                None => roots.push(id.as_str()),
            }
        }
        let mut body = String::new();
        let (mut done, mut names): (HashSet<&str>, Vec<String>) = (HashSet::new(), Vec::new());
        let mut first_at = None;
        // The present branch, from its beginning.
        let mut branch: Vec<&str> = Vec::new();
        let mut at = self.leaf.as_deref().filter(|leaf| self.said.contains_key(*leaf));
        while let Some(id) = at.filter(|id| done.insert(id)) {
            branch.push(id);
            at = self.said.get(id).and_then(|said| said.parent.as_deref()).filter(|id| self.said.contains_key(*id));
        }
        done.clear();
        for id in branch.iter().rev() {
            done.insert(id);
            self.write(id, &mut body, &mut names, &mut first_at);
        }
        // What branches off, each from where it does; then what hangs on nothing or in a circle.
        let mut starts: Vec<&str> =
            branch.iter().rev().flat_map(|id| children.get(id).into_iter().flatten().copied()).collect();
        starts.extend(&roots);
        starts.extend(self.order.iter().map(String::as_str));
        for start in starts {
            let mut open = vec![(start, true)];
            while let Some((id, begins)) = open.pop() {
                if !done.insert(id) {
                    continue;
                }
                if begins && !body.is_empty() {
                    self.fork(id, &mut body);
                }
                self.write(id, &mut body, &mut names, &mut first_at);
                let next: Vec<&str> = children.get(id).into_iter().flatten().copied().collect();
                // The last child goes on right below; the others begin a branch of their own.
                for (place, child) in next.iter().enumerate() {
                    open.push((child, place + 1 < next.len()));
                }
            }
        }
        if body.is_empty() {
            return None;
        }
        let mut out = format!("Chat: {title} ({program})\n");
        if !names.is_empty() {
            let _ = writeln!(out, "From: {}", speakers(&names));
        }
        if let Some(at) = first_at {
            let _ = writeln!(out, "Date: {} {} UTC", at.date, at.clock());
        }
        out.push('\n');
        out.push_str(&body);
        Some(out)
    }

    /// Says that another branch begins, where it has anything to say.
    fn fork(&self, id: &str, body: &mut String) {
        let before = self.said.get(id).and_then(|said| said.parent.as_deref()).and_then(|parent| self.said.get(parent));
        let _ = match before.filter(|said| !said.text.is_empty()) {
            Some(said) => writeln!(body, "— Another version, after “{}” —\n", beginning(&said.text)),
            None => writeln!(body, "— Another version —\n"),
        };
    }

    fn write(&self, id: &str, body: &mut String, names: &mut Vec<String>, first_at: &mut Option<Stamp>) {
        let Some(said) = self.said.get(id).filter(|said| !said.text.trim().is_empty()) else { return };
        if names.len() < SPEAKERS && !names.contains(&said.who) {
            names.push(said.who.clone());
        }
        *first_at = first_at.or(said.at);
        let clock = said.at.map(|at| format!("[{} {}] ", at.date, at.clock())).unwrap_or_default();
        let _ = writeln!(body, "{clock}{}: {}\n", said.who, said.text.trim());
    }
}

fn chatgpt_tree(conversation: &Value) -> Tree {
    let mut tree =
        Tree { order: Vec::new(), said: HashMap::new(), leaf: text(conversation, "current_node").map(str::to_owned) };
    let Some(mapping) = conversation.get("mapping").and_then(Value::as_object) else { return tree };
    for (id, node) in mapping {
        let message = node.get("message").unwrap_or(&Value::Null);
        let author = message.get("author").unwrap_or(&Value::Null);
        let role = text(author, "role").unwrap_or_default();
        let who = match role {
            "user" => "User".to_owned(),
            "assistant" => "ChatGPT".to_owned(),
            "tool" => text(author, "name").unwrap_or("Tool").to_owned(),
            _ => "System".to_owned(),
        };
        let hidden = message
            .get("metadata")
            .and_then(|metadata| metadata.get("is_visually_hidden_from_conversation"))
            .is_some_and(|hidden| hidden == &Value::Bool(true));
        let words = if hidden { String::new() } else { chatgpt_words(message) };
        tree.order.push(id.clone());
        tree.said.insert(
            id.clone(),
            Said {
                parent: text(node, "parent").map(str::to_owned),
                who,
                at: number(message, "create_time").and_then(Stamp::seconds),
                text: words,
            },
        );
    }
    // JSON objects have no order of their own: the tree's is that of time.
    let time = |id: &String| tree.said.get(id).and_then(|said| said.at).map_or(i64::MIN, |at| at.millis);
    tree.order.sort_by_key(time);
    tree
}

/// Adds words on a line of their own, where there are any.
fn add_line(out: &mut String, words: &str) {
    if !words.trim().is_empty() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(words.trim());
    }
}

fn chatgpt_words(message: &Value) -> String {
    let content = message.get("content").unwrap_or(&Value::Null);
    let mut out = String::new();
    let mut add = |words: &str| add_line(&mut out, words);
    for part in list(content, "parts") {
        match part {
            Value::String(words) => add(words),
            other => match text(other, "text") {
                Some(words) => add(words),
                None => {
                    let kind = text(other, "content_type").unwrap_or("attachment");
                    add(&format!("({})", kind.trim_end_matches("_asset_pointer").replace('_', " ")));
                }
            },
        }
    }
    for key in ["title", "text", "result", "content", "user_profile", "user_instructions"] {
        if let Some(words) = text(content, key) {
            add(words);
        }
    }
    for thought in list(content, "thoughts") {
        add(text(thought, "content").unwrap_or_default());
    }
    let files = message.get("metadata").map(|metadata| list(metadata, "attachments")).unwrap_or_default();
    for file in files {
        add(&format!("(file: {})", text(file, "name").unwrap_or("without a name")));
    }
    out
}

fn claude_tree(conversation: &Value) -> Tree {
    let mut tree = Tree { order: Vec::new(), said: HashMap::new(), leaf: None };
    let mut before: Option<String> = None;
    for (place, message) in list(conversation, "chat_messages").iter().enumerate() {
        let own = message.get("uuid").and_then(id).filter(|own| !tree.said.contains_key(own));
        let own = own.unwrap_or_else(|| format!("message {place}"));
        let who = match text(message, "sender").unwrap_or_default() {
            "human" | "user" => "User",
            _ => "Claude",
        };
        let parent = match message.get("parent_message_uuid") {
            Some(parent) => id(parent),
            None => before.clone(),
        };
        let at = text(message, "created_at").and_then(Stamp::written);
        let said = Said { parent, who: who.to_owned(), at, text: claude_words(message) };
        before = Some(own.clone());
        tree.order.push(own.clone());
        tree.said.insert(own, said);
    }
    tree.leaf = text(conversation, "current_leaf_message_uuid").map(str::to_owned).or(before);
    tree
}

fn claude_words(message: &Value) -> String {
    let mut out = String::new();
    let mut add = |words: &str| add_line(&mut out, words);
    let mut blocks = false;
    for block in list(message, "content") {
        match text(block, "type").unwrap_or_default() {
            "tool_use" => add(&format!("(used {})", text(block, "name").unwrap_or("a tool"))),
            "tool_result" => {
                for inner in list(block, "content") {
                    add(text(inner, "text").unwrap_or_default());
                }
            }
            _ => {
                let words = text(block, "text").or_else(|| text(block, "thinking")).unwrap_or_default();
                blocks |= !words.is_empty();
                add(words);
            }
        }
    }
    if !blocks {
        add(text(message, "text").unwrap_or_default());
    }
    for file in list(message, "attachments").iter().chain(list(message, "files")) {
        add(&format!("(file: {})", text(file, "file_name").unwrap_or("without a name")));
        add(text(file, "extracted_content").unwrap_or_default());
    }
    out
}
