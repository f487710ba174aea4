//! Vaults of linked notes (Obsidian, Logseq, and Markdown written for them): links between notes as readable text,
//! and which folders of a vault hold no notes.

use crate::{Reading, Unreadable, read::open};
use serde_json::Value;
use std::{
    borrow::Cow,
    collections::HashMap,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Longest link, in bytes; what is longer is a text in brackets.
const LINK_MAX: usize = 300;
/// How much of a vault's settings is looked at.
const SETTINGS_MAX: u64 = 1 << 20;
/// Where a vault says which folder holds its templates, and under which name.
const SETTINGS: [(&str, &str); 2] =
    [(".obsidian/templates.json", "folder"), (".obsidian/plugins/templater-obsidian/data.json", "templates_folder")];
/// What such folders are called where nobody says.
const TEMPLATES: [&str; 4] = ["templates", "template", "_templates", "_template"];

/// Whether a note lies in a vault in which the name of its file is what it is called.
pub(crate) fn in_vault(note: &Path) -> bool {
    note.is_absolute() && vault_of(note).is_some()
}

fn vault_of(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|folder| folder.join(".obsidian").is_dir())
}

/// Which folders hold no notes; what was found out about a vault is kept.
#[derive(Clone)]
pub(crate) struct Vaults {
    reading: Reading,
    /// For a folder's parent the vault that it lies in, and where that has its templates.
    known: Arc<Mutex<HashMap<PathBuf, Option<Vault>>>>,
}

#[derive(Clone)]
struct Vault {
    templates: Arc<Vec<PathBuf>>,
}

impl Vaults {
    pub(crate) fn new(reading: &Reading) -> Self {
        Self { reading: reading.clone(), known: Arc::default() }
    }

    /// Why a folder of a vault is not entered, if so.
    pub(crate) fn passes_over(&self, folder: &Path) -> Option<Unreadable> {
        let name = folder.file_name()?.to_str()?.to_lowercase();
        let parent = folder.parent()?;
        if matches!(name.as_str(), "bak" | "version-files") && parent.join("config.edn").is_file() {
            return Some(Unreadable::NoNotes { what: "older versions of notes" });
        }
        let vault = self.vault(parent)?;
        let named = vault.templates.is_empty() && TEMPLATES.contains(&name.as_str());
        (named || vault.templates.iter().any(|templates| templates == folder))
            .then_some(Unreadable::NoNotes { what: "templates for notes" })
    }

    /// The vault that a folder is or lies in.
    fn vault(&self, folder: &Path) -> Option<Vault> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(folder) {
            return found.clone();
        }
        // The vault of the folder around this one, where that was asked about, is the vault of this one.
        let own = folder.join(".obsidian").is_dir().then_some(folder);
        let found = match (own, folder.parent().and_then(|parent| known.get(parent))) {
            (Some(root), _) => Some(self.settings(root)),
            (None, Some(found)) => found.clone(),
            (None, None) => vault_of(folder).map(|root| self.settings(root)),
        };
        known.insert(folder.to_path_buf(), found.clone());
        found
    }

    /// Where a vault has its templates, as far as its settings may be read and say so.
    fn settings(&self, root: &Path) -> Vault {
        let said = |(file, name): (&str, &str)| {
            let (file, _) = open(&self.reading, &root.join(file)).ok()?;
            let mut json = Vec::new();
            file.take(SETTINGS_MAX).read_to_end(&mut json).ok()?;
            let settings: Value = serde_json::from_slice(&json).ok()?;
            let folder = settings.get(name)?.as_str()?.trim_matches('/');
            (!folder.is_empty() && folder != ".").then(|| root.join(folder))
        };
        Vault { templates: Arc::new(SETTINGS.into_iter().filter_map(said).collect()) }
    }
}

/// A note with its links as people read them: `[[Page|shown]]` is `shown (Page)`, `![[Page#Part]]` is `Page > Part`.
/// Code stays as it is, but for drawings that are kept in a note as packed data; they say nothing.
pub(crate) fn readable(note: &str) -> Cow<'_, str> {
    if !note.contains("[[") && !note.contains("compressed-json") {
        return Cow::Borrowed(note);
    }
    let mut out = String::with_capacity(note.len());
    let mut fence: Option<(&str, bool)> = None;
    for line in note.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if let Some((mark, packed)) = fence {
            if !packed {
                out.push_str(line);
            }
            if trimmed.starts_with(mark) {
                fence = None;
            }
        } else if let Some(mark) = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark)) {
            let packed = trimmed[mark.len()..].trim() == "compressed-json";
            fence = Some((mark, packed));
            if !packed {
                out.push_str(line);
            }
        } else {
            links(line, &mut out);
        }
    }
    Cow::Owned(out)
}

/// Writes a line with its links as people read them.
fn links(line: &str, out: &mut String) {
    let mut rest = line;
    // A run of backquotes that was never closed is not looked for again.
    let mut code = true;
    while let Some(at) = rest.find(['`', '[', '\\']) {
        let (before, from) = rest.split_at(at);
        match from.as_bytes()[0] {
            b'`' => {
                let run = from.len() - from.trim_start_matches('`').len();
                let (mark, after) = from.split_at(run);
                let end = code.then(|| after.find(mark)).flatten().map_or(run, |end| end + 2 * run);
                code &= end > run;
                out.push_str(before);
                out.push_str(&from[..end]);
                rest = &from[end..];
            }
            b'[' => {
                let found = from.strip_prefix("[[").and_then(|inner| {
                    let end = inner.as_bytes().iter().take(LINK_MAX).position(|b| matches!(b, b'[' | b']'))?;
                    let after = inner[end..].strip_prefix("]]").filter(|after| !after.starts_with('('))?;
                    Some((link(&inner[..end], before.ends_with('!'))?, after))
                });
                match found {
                    Some((words, after)) => {
                        out.push_str(before.strip_suffix('!').unwrap_or(before));
                        out.push_str(&words);
                        rest = after;
                    }
                    None => {
                        // All brackets of a row at once, so that a long row of them is passed in one step.
                        let run = from.len() - from.trim_start_matches('[').len();
                        let end = if run > 2 { run - 2 } else { 1 };
                        out.push_str(before);
                        out.push_str(&from[..end]);
                        rest = &from[end..];
                    }
                }
            }
            // What is escaped stands for itself.
            _ => {
                let end = 1 + from[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(before);
                out.push_str(&from[..end]);
                rest = &from[end..];
            }
        }
    }
    out.push_str(rest);
}

/// What stands between the brackets of a link, as words; `None` where it is no link.
fn link(inner: &str, embedded: bool) -> Option<String> {
    if inner.trim() != inner || inner.is_empty() || inner.contains('\n') {
        return None;
    }
    let (target, shown) = inner.split_once('|').map_or((inner, ""), |(target, shown)| (target, shown.trim()));
    // Within a table the bar is escaped.
    let target = target.trim_end_matches('\\').trim();
    let (path, part) = target.split_once('#').unwrap_or((target, ""));
    let page = path.rsplit('/').next().unwrap_or(path);
    let page = page.strip_suffix(".md").unwrap_or(page);
    let part =
        part.split('#').filter(|part| !part.is_empty() && !part.starts_with('^')).collect::<Vec<_>>().join(" > ");
    let name = match (page.is_empty(), part.is_empty()) {
        (false, false) => format!("{page} > {part}"),
        (false, true) => page.to_owned(),
        (true, _) => part,
    };
    // Behind an embedded picture stands how large it is shown.
    let size = embedded && shown.bytes().all(|b| b.is_ascii_digit() || b == b'x');
    match (shown.is_empty() || size, name.is_empty()) {
        (true, true) => None,
        (true, false) => Some(name),
        (false, true) => Some(shown.to_owned()),
        (false, false) if page.is_empty() || shown.to_lowercase().contains(&page.to_lowercase()) => {
            Some(shown.to_owned())
        }
        (false, false) => Some(format!("{shown} ({name})")),
    }
}

#[cfg(test)]
mod tests {
    use super::readable;
    use proptest::prelude::*;

    #[test]
    fn links_are_words() {
        for (note, expected) in [
            ("see [[Harbour]] and [[places/Old Town.md|the town]].", "see Harbour and the town (Old Town)."),
            (
                "[[boat|the boats]] [[Tides#Spring#High]] [[#Below]] [[Log#^a1b2]]",
                "the boats Tides > Spring > High Below Log",
            ),
            (
                "![[map.png|300]] ![[map.png|30x40]] ![[Note#Part]] ![[p.png|a map]]",
                "map.png map.png Note > Part a map (p.png)",
            ),
            ("| [[Ana Costa\\|her]] | x |", "| her (Ana Costa) | x |"),
            ("author: \"[[Ana Costa]]\"", "author: \"Ana Costa\""),
            ("`[[ -f x ]]` ``a ` [[b]]`` [[c]]", "`[[ -f x ]]` ``a ` [[b]]`` c"),
            (
                "[[ -f x ]] [[1]](http://x) \\[[a]] [[a[b]] [[]] [[|]] [[",
                "[[ -f x ]] [[1]](http://x) \\[[a]] [[a[b]] [[]] [[|]] [[",
            ),
            ("```\n[[a]]\n```\n[[b]]\n~~~\n[[c]]", "```\n[[a]]\n```\nb\n~~~\n[[c]]"),
            ("a\n```compressed-json\nN4KAk\n```\nb", "a\nb"),
            ("[[é|ü]]![[ß]]", "ü (é)ß"),
            ("[[[a]]] `[[a]]", "[a] `a"),
        ] {
            assert_eq!(readable(note), expected, "{note}");
        }
    }

    #[test]
    fn rows_of_marks_take_linear_time() {
        for unit in ["[", "[[", "`", "![[", "[[a|", "\\", "[[a]", "` "] {
            assert!(!readable(&format!("[[x]]{}", unit.repeat(1 << 18))).is_empty());
        }
    }

    proptest! {
        #[test]
        fn no_note_brings_it_down(note in "[\\[\\]|#^!`\\\\/ \na.é~x]{0,60}") {
            let read = readable(&note);
            prop_assert!(read.len() <= note.len() + 3 * note.matches("[[").count());
        }
    }
}
