//! The tokenizers that families bring, against the libraries they come from (`golden/pieces.py`).

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use hinet_model::{ModelError, Tokenizer, TokenizerParts};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    scored: Vec<Scored>,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct Scored {
    space_prefix: bool,
    tokens: Vec<String>,
    scores: Vec<f32>,
    kinds: Vec<i64>,
    texts: Vec<(String, Vec<u32>, String)>,
}

#[derive(Deserialize)]
struct File {
    file: String,
    texts: Vec<(String, Vec<u32>, String)>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/pieces.json")).unwrap()
}

fn parts(scored: &Scored) -> TokenizerParts<'_> {
    TokenizerParts {
        model: "llama",
        pre: "default",
        tokens: scored.tokens.iter().map(String::as_str).collect(),
        kinds: scored.kinds.clone(),
        scores: scored.scores.clone(),
        space_prefix: scored.space_prefix,
        bos: Some(1),
        eos: Some(2),
        add_bos: true,
        ..TokenizerParts::default()
    }
}

fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut stream = tokenizer.stream();
    let text: String = ids.iter().map(|id| stream.push(*id)).collect();
    text + &stream.finish()
}

#[test]
fn pieces_are_those_of_sentencepiece() {
    for scored in golden().scored {
        let tokenizer = Tokenizer::new(&parts(&scored)).unwrap();
        for (text, ids, decoded) in &scored.texts {
            assert_eq!(tokenizer.encode(text, false), *ids, "{text:?}, space before it: {}", scored.space_prefix);
            assert_eq!(tokenizer.decode(ids), *decoded);
            assert_eq!(streamed(&tokenizer, ids), *decoded);
        }
        let end = tokenizer.special_id("<end>").unwrap();
        let ids = tokenizer.encode("one<end>two", true);
        assert_eq!(ids.iter().filter(|id| **id == end).count(), 1);
        assert!(!tokenizer.encode("one<end>two", false).contains(&end));
    }
}

#[test]
fn ids_of_a_tokenizer_file_are_those_of_its_library() {
    for file in golden().files {
        let tokenizer = Tokenizer::from_json(file.file.as_bytes(), Some("<s>"), Some("<end>")).unwrap();
        assert!(tokenizer.eos().is_some());
        for (text, ids, decoded) in &file.texts {
            assert_eq!(tokenizer.encode(text, true), *ids, "{text:?}");
            assert_eq!(tokenizer.decode(ids), *decoded, "{text:?}");
            assert_eq!(streamed(&tokenizer, ids), *decoded);
            let plain = tokenizer.encode(text, false);
            assert!(!plain.iter().any(|id| tokenizer.is_control(*id)), "{text:?} holds no control token");
            if !text.contains('<') {
                assert_eq!(plain, *ids, "{text:?}");
            }
        }
    }
}

#[test]
fn what_is_not_supported_is_said() {
    let scored = &golden().scored[0];
    let refused = |parts: &TokenizerParts<'_>| Tokenizer::new(parts).expect_err("refused").to_string();
    assert!(refused(&TokenizerParts { model: "bert", ..parts(scored) }).contains("not supported"));
    assert!(refused(&TokenizerParts { scores: vec![0.0], ..parts(scored) }).contains("score of every token"));
    let scores = vec![f32::NAN; scored.scores.len()];
    assert!(refused(&TokenizerParts { scores, ..parts(scored) }).contains("not a number"));
    let read = |file: &str| Tokenizer::from_json(file.as_bytes(), None, None);
    assert!(matches!(read(r#"{"model": {"type": "WordPiece"}}"#), Err(ModelError::TokenizerKind { .. })));
    assert!(matches!(read("{"), Err(ModelError::BadTokenizer { .. })));
    assert!(matches!(read("[]"), Err(ModelError::TokenizerKind { .. })));
    let file = &golden().files[0].file;
    let mut spelled: serde_json::Value = serde_json::from_str(file).unwrap();
    let merge =
        spelled["model"]["merges"][3].as_array().unwrap().iter().map(|x| x.as_str().unwrap()).collect::<String>();
    spelled["added_tokens"][0]["content"] = merge.into();
    let error = read(&spelled.to_string()).expect_err("a control token that text can spell");
    assert!(error.to_string().contains("could spell"), "{error}");
}
