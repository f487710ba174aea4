//! Files that come with a model: a GGUF header, a chat template, a `tokenizer.json`, an adapter.

use super::{Room, pieces};
use hinet_model::{
    Anchor, ChatTemplate, Delta, LoadOptions, ModelError, Tokenizer, Turn, floats, gguf::Gguf, tokenizer_files,
};
use jiff::{Timestamp, tz::TimeZone};
use std::sync::Arc;

/// The longest prompt that a template may write.
const PROMPT: usize = 16 << 20;
/// What tokenizers are given.
const TEXT: &str = "Ana's boat is 3 m long \u{2014} \u{e9} \u{53f0}\u{5317}\n\t<s> </s> \u{1f6a3}";

/// A GGUF file, a template, a `tokenizer.json`, or the files `tensors` and `config` of an adapter.
pub fn model(_: &Room, input: &[u8]) {
    let (form, rest) = pieces::form(input, 4);
    match form {
        0 => gguf(rest),
        1 => template(&String::from_utf8_lossy(rest)),
        2 => {
            if let Some(tokenizer) = accepted(Tokenizer::from_json(rest, Some("<s>"), Some("</s>"))) {
                said(&tokenizer, false);
            }
        }
        _ => adapter(rest),
    }
}

/// What was accepted; a refusal is a sentence.
fn accepted<T>(found: Result<T, ModelError>) -> Option<T> {
    found.map_err(|why| assert!(!why.to_string().trim().is_empty())).ok()
}

fn gguf(bytes: &[u8]) {
    let Some(file) = accepted(Gguf::from_bytes(bytes.to_vec())) else { return };
    assert!(file.tensor_bytes() <= bytes.len() as u64, "{} bytes of tensors in {}", file.tensor_bytes(), bytes.len());
    for name in file.tensor_names() {
        let Some(tensor) = accepted(file.find_tensor(name)).flatten() else { continue };
        if let Some(numbers) = accepted(floats(&tensor)) {
            assert_eq!(numbers.len(), tensor.shape.iter().product::<usize>(), "{name}");
        }
    }
    if let Some(tokenizer) = accepted(Tokenizer::from_gguf(&file)) {
        said(&tokenizer, true);
    }
    if let Some(files) = accepted(tokenizer_files(&file)) {
        assert!(files.iter().all(|(name, _)| !name.contains(['/', '\\'])), "a file beside the folder");
    }
    if let Some(source) = file.find_text("tokenizer.chat_template") {
        template(source);
    }
    accepted(Anchor::from_gguf(&file, LoadOptions { threads: Some(1), ..LoadOptions::default() }));
}

fn template(source: &str) {
    let clock = Arc::new(|| Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC));
    let Some(template) = accepted(ChatTemplate::with_clock(source, clock)) else { return };
    let turns = [
        Turn { role: "system", content: "Be brief." },
        Turn { role: "user", content: "Where is the boat?" },
        Turn { role: "assistant", content: "In the harbour." },
    ];
    let render = || accepted(template.render_turns(&turns, true, "<s>", "</s>"));
    let prompt = render();
    assert!(prompt.as_ref().is_none_or(|prompt| prompt.len() <= PROMPT));
    assert!(prompt == render(), "rendered twice, it is not the same");
}

/// Encodes and decodes. Where `apart`, no text may spell a control token, also not for what is unknown.
fn said(tokenizer: &Tokenizer, apart: bool) {
    for special in [false, true] {
        let ids = tokenizer.encode(TEXT, special);
        assert!(ids == tokenizer.encode(TEXT, special), "encoded twice, it is not the same");
        let spelled = !special && ids.iter().any(|id| tokenizer.is_control(*id));
        assert!(!(apart && spelled), "a text spelled a control token");
        let whole = tokenizer.decode(&ids);
        let mut stream = tokenizer.stream();
        let mut streamed: String = ids.iter().map(|id| stream.push(*id)).collect();
        streamed.push_str(&stream.finish());
        assert!(streamed.len() <= 4 * whole.len() + 64 && whole.len() <= 4 * streamed.len() + 64);
    }
}

fn adapter(rest: &[u8]) {
    let files = pieces::files(rest);
    let file = |wanted: &str| files.iter().find(|(name, _)| name == wanted).map_or(&[][..], |(_, content)| *content);
    let Some(delta) = accepted(Delta::from_peft(file("tensors"), file("config"))) else { return };
    if let Some((tensors, config)) = accepted(delta.to_peft()) {
        let again = accepted(Delta::from_peft(&tensors, config.as_bytes()));
        let places = again.map(|again| again.iter().count());
        assert_eq!(places, Some(delta.iter().count()), "written and read, it is another delta");
    }
}
