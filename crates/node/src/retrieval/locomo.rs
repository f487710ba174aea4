//! LoCoMo's dialogues (Maharana et al. 2024): two people, many sessions, and questions with the turns that hold the
//! evidence. Its files are for measuring only. Of a turn its speaker, text and caption are read, never its `query`.

use std::path::Path;

use jiff::civil::DateTime;
use serde_json::Value;

use crate::protocol::{ErrorKind, Failure};

/// Sessions of a dialogue that are looked for.
const SESSIONS: usize = 200;
/// Longest file that is read, in bytes.
const FILE_MAX: u64 = 64 << 20;
/// How LoCoMo writes when a session was.
const TIME: &str = "%I:%M %p on %d %B, %Y";

/// A dialogue with its questions.
#[derive(Debug)]
pub(super) struct Dialogue {
    pub(super) name: String,
    pub(super) speakers: Vec<String>,
    pub(super) turns: Vec<Turn>,
    pub(super) questions: Vec<Question>,
}

/// What one of them says.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) id: String,
    pub(super) who: String,
    /// On one line, with the caption of a picture in brackets.
    pub(super) text: String,
    pub(super) at: DateTime,
}

/// A question with the numbers of the turns that hold the evidence.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) text: String,
    /// 1 multi-hop, 2 temporal, 3 open-domain, 4 single-hop, 5 not in the dialogue.
    pub(super) category: u64,
    pub(super) evidence: Vec<usize>,
}

/// Reads every dialogue of a folder, by name.
pub(super) fn read(folder: &Path) -> Result<Vec<Dialogue>, Failure> {
    let unread = |error: std::io::Error| {
        usage(format!("The folder {} cannot be read: {error}.", folder.display()), "Name the folder of the dialogues.")
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(usage(
            format!("There is no dialogue in {}.", folder.display()),
            "LoCoMo's dialogues are files called NAME.json, one for each.",
        ));
    }
    files.iter().map(|file| dialogue(file)).collect()
}

fn usage(message: String, hint: &str) -> Failure {
    Failure::new(ErrorKind::Usage, message, hint)
}

fn dialogue(file: &Path) -> Result<Dialogue, Failure> {
    let bad = |why: String| {
        usage(
            format!("{} is no dialogue of LoCoMo: {why}.", file.display()),
            "It needs session_1 with its turns, session_1_date_time, and qa with the questions.",
        )
    };
    let size = std::fs::metadata(file).map_err(|error| bad(error.to_string()))?.len();
    if size > FILE_MAX {
        return Err(bad(format!("it is {size} bytes long")));
    }
    let bytes = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| bad(format!("it is broken JSON ({error})")))?;
    let turns = turns(&json).map_err(&bad)?;
    let questions = questions(&json, &turns);
    if turns.is_empty() || questions.is_empty() {
        return Err(bad("it has no turns or no questions".to_owned()));
    }
    let mut speakers: Vec<String> = Vec::new();
    for turn in &turns {
        if !speakers.contains(&turn.who) {
            speakers.push(turn.who.clone());
        }
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Dialogue { name, speakers, turns, questions })
}

fn turns(json: &Value) -> Result<Vec<Turn>, String> {
    let mut turns = Vec::new();
    for session in 1..=SESSIONS {
        // Some files name the times of sessions that were never held.
        let Some(list) = json.get(format!("session_{session}")).and_then(Value::as_array) else { continue };
        let time = json.get(format!("session_{session}_date_time")).and_then(Value::as_str).unwrap_or_default();
        let at = DateTime::strptime(TIME, time)
            .map_err(|_| format!("session_{session} was at \"{time}\", which is no time"))?;
        for turn in list {
            let said = |key: &str| one_line(turn.get(key).and_then(Value::as_str).unwrap_or_default());
            let (id, who, mut text, caption) = (said("dia_id"), said("speaker"), said("text"), said("blip_caption"));
            if id.is_empty() || who.is_empty() {
                return Err(format!("a turn of session_{session} has no dia_id or no speaker"));
            }
            if !caption.is_empty() {
                text = format!("{text} (photo: {caption})").trim_start().to_owned();
            }
            turns.push(Turn { id, who, text, at });
        }
    }
    Ok(turns)
}

fn questions(json: &Value, turns: &[Turn]) -> Vec<Question> {
    let all = json.get("qa").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|qa| {
        let named = qa.get("evidence").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        // Some entries name several turns, or none that is there.
        let ids = named.flat_map(|ids| ids.split(|c: char| c.is_whitespace() || matches!(c, ';' | ',')));
        let mut evidence: Vec<usize> = ids.filter_map(|id| turns.iter().position(|turn| turn.id == id)).collect();
        evidence.sort_unstable();
        evidence.dedup();
        let text = qa.get("question").and_then(Value::as_str)?.to_owned();
        Some(Question { text, category: qa.get("category").and_then(Value::as_u64)?, evidence })
    })
    .collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The dialogue as a chat program exports it: what an owner would have.
pub(super) fn export(dialogue: &Dialogue) -> String {
    let mut out = String::new();
    for Turn { who, text, at, .. } in &dialogue.turns {
        out.push_str(&format!("[{}] {who}: {text}\n", at.strftime("%Y-%m-%d, %H:%M:%S")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"session_1_date_time": "1:56 pm on 8 May, 2023", "session_2_date_time": "",
        "session_1": [{"speaker": "Ana", "dia_id": "D1:1", "text": "A\nkite!", "query": "never", "blip_caption": "a kite"},
            {"speaker": "Bo", "dia_id": "D1:2", "text": "Where?"}],
        "qa": [{"question": "What flies?", "category": 4, "evidence": ["D1:1; D1:9", "D"]}, {"question": 7}]}"#;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_dialogue_is_read_and_exported_without_its_query() {
        let folder = folder(&[("1.json", SMALL), ("notes.txt", "no dialogue")]);
        let all = read(folder.path()).unwrap();
        assert_eq!((all.len(), all[0].speakers.len(), all[0].questions.len()), (1, 2, 1));
        assert_eq!(all[0].questions[0].evidence, [0]);
        assert_eq!(
            export(&all[0]),
            "[2023-05-08, 13:56:00] Ana: A kite! (photo: a kite)\n[2023-05-08, 13:56:00] Bo: Where?\n"
        );
    }

    #[test]
    fn what_is_no_dialogue_is_said_in_a_sentence() {
        let cases = [
            (folder(&[]), "There is no dialogue in"),
            (folder(&[("1.json", "{\"qa\": [")]), "broken JSON"),
            (folder(&[("1.json", "[]")]), "no turns or no questions"),
            (folder(&[("1.json", &SMALL.replace("1:56 pm on", "soon after"))]), "which is no time"),
            (folder(&[("1.json", &SMALL.replace("\"Ana\"", "7"))]), "no speaker"),
        ];
        for (folder, expected) in cases {
            let failure = read(folder.path()).unwrap_err();
            assert!(failure.message.contains(expected) && !failure.hint.is_empty(), "{}", failure.message);
        }
        let failure = read(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(failure.message.contains("cannot be read"), "{}", failure.message);
    }
}
