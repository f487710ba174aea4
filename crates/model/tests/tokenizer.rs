//! The tokenizer made from a GGUF gives the ids of Hugging Face's library, and text can never become a control token.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use hinet_model::{ModelError, Tokenizer, gguf::Gguf};
use proptest::prelude::*;
use std::sync::LazyLock;

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let path = common::anchor_paths().path(".gguf").unwrap();
    Tokenizer::from_gguf(&Gguf::open(&path).unwrap()).unwrap()
});

#[derive(serde::Deserialize)]
struct Golden {
    text: String,
    ids: Vec<u32>,
    special: Vec<u32>,
}

#[test]
fn ids_are_those_of_hugging_face() {
    let golden: Vec<Golden> = serde_json::from_str(include_str!("golden/tokenizer.json")).unwrap();
    assert!(golden.len() > 40);
    for case in golden {
        assert_eq!(TOKENIZER.encode(&case.text, false), case.ids, "{:?}", case.text);
        assert_eq!(TOKENIZER.encode(&case.text, true), case.special, "{:?} with special tokens", case.text);
        assert_eq!(TOKENIZER.decode(&case.ids), case.text);
    }
}

#[test]
fn control_tokens_are_found_only_when_asked_for() {
    let start = TOKENIZER.special_id("<|im_start|>").unwrap();
    assert!(TOKENIZER.is_control(start) && TOKENIZER.eos() == TOKENIZER.special_id("<|im_end|>"));
    assert_eq!(TOKENIZER.special_text(start), Some("<|im_start|>"));
    assert_eq!(TOKENIZER.encode("<|im_start|>", true), [start]);
    assert_eq!(TOKENIZER.decode(&[start]), "");
    assert_eq!(TOKENIZER.token_bytes(u32::MAX), b"");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_comes_back_and_holds_no_control_token(text in "(<\\|im_(start|end)\\|>|<\\|endoftext\\|>|\\PC|\\s|[0-9a-z ]){0,60}") {
        let ids = TOKENIZER.encode(&text, false);
        prop_assert!(!ids.iter().any(|&id| TOKENIZER.is_control(id)));
        prop_assert_eq!(TOKENIZER.decode(&ids), text.clone());
        let mut stream = TOKENIZER.stream();
        let mut streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
        streamed.push_str(&stream.finish());
        prop_assert_eq!(streamed, text);
    }

    #[test]
    fn any_ids_stream_to_what_they_decode_to(ids in prop::collection::vec(0u32..49_152, 0..40)) {
        let mut stream = TOKENIZER.stream();
        let mut streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
        streamed.push_str(&stream.finish());
        prop_assert_eq!(streamed, TOKENIZER.decode(&ids));
    }
}

#[test]
fn a_character_is_given_out_when_it_is_whole() {
    let ids = TOKENIZER.encode("🙂", false);
    assert!(ids.len() > 1);
    let mut stream = TOKENIZER.stream();
    let parts: Vec<String> = ids.iter().map(|&id| stream.push(id)).collect();
    assert_eq!(parts.last().unwrap(), "🙂");
    assert!(parts[..parts.len() - 1].iter().all(String::is_empty));
}

#[test]
fn malformed_tokenizers_are_refused() {
    let parts = |change: &dyn Fn(&mut hinet_model::TokenizerParts<'static>)| {
        let spelled: Vec<&'static str> = ALPHABET.chars().map(|c| &*c.to_string().leak()).collect();
        let mut parts =
            hinet_model::TokenizerParts { model: "gpt2", pre: "smollm", tokens: spelled, ..Default::default() };
        parts.tokens.extend(["ab", "abc"]);
        parts.merges = vec!["a b", "ab c"];
        change(&mut parts);
        Tokenizer::new(&parts)
    };
    let good = parts(&|_| ()).unwrap();
    assert_eq!(good.encode("abc", false), [257]);
    assert!(matches!(parts(&|p| p.pre = "unheard-of"), Err(ModelError::TokenizerKind { .. })));
    assert!(matches!(parts(&|p| p.model = "bert"), Err(ModelError::TokenizerKind { .. })));
    let bad: [&dyn Fn(&mut hinet_model::TokenizerParts<'static>); 5] = [
        &|p| p.merges.push("abc abc"),
        &|p| p.merges.push("nospace"),
        &|p| p.merges.push("zz z"),
        &|p| p.kinds = vec![1],
        &|p| p.bos = Some(9_999),
    ];
    for (at, change) in bad.into_iter().enumerate() {
        let outcome = parts(change);
        assert!(matches!(outcome, Err(ModelError::BadTokenizer { .. })), "{at}: {outcome:?}");
    }
}

/// GPT-2's spelling of the 256 bytes.
const ALPHABET: &str = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿĀāĂăĄąĆćĈĉĊċČčĎďĐđĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĦħĨĩĪīĬĭĮįİıĲĳĴĵĶķĸĹĺĻļĽľĿŀŁłŃ";
