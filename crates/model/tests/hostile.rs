//! Damaged and hostile model files: each is refused with a sentence, none brings the program down.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use hinet_model::{Anchor, LoadOptions, gguf::Gguf};
use std::sync::LazyLock;

static FILE: LazyLock<Vec<u8>> =
    LazyLock::new(|| std::fs::read(common::anchor_paths().path(".gguf").unwrap()).unwrap());

fn load(bytes: Vec<u8>) -> Result<(), String> {
    let options = LoadOptions { threads: Some(1), kernel: None };
    Gguf::from_bytes(bytes).and_then(|file| Anchor::from_gguf(&file, options)).map(drop).map_err(|e| e.to_string())
}

/// Where a metadata value or tensor description of this name ends in the file.
fn after(name: &str) -> usize {
    let mut pattern = (name.len() as u64).to_le_bytes().to_vec();
    pattern.extend(name.as_bytes());
    FILE.windows(pattern.len()).position(|window| window == pattern).unwrap() + pattern.len()
}

fn patched(at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = FILE.clone();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    for length in [0, 3, 4, 20, 24, 100, 5000, 1_000_000, 1_785_664, 2_000_000, 50_000_000, FILE.len() - 1] {
        assert!(load(FILE[..length].to_vec()).is_err(), "cut at {length}");
    }
}

#[test]
fn a_bad_number_in_the_metadata_is_named() {
    let cases: [(&str, &[u8], &str); 8] = [
        ("llama.block_count", &u32::MAX.to_le_bytes(), "llama.block_count"),
        ("llama.block_count", &31u32.to_le_bytes(), "blk.30.attn_norm.weight"),
        ("llama.embedding_length", &0u32.to_le_bytes(), "llama.embedding_length"),
        ("llama.embedding_length", &720u32.to_le_bytes(), "attn_norm.weight"),
        ("llama.attention.head_count", &7u32.to_le_bytes(), "head"),
        ("llama.attention.head_count_kv", &u32::MAX.to_le_bytes(), "head_count_kv"),
        ("llama.rope.freq_base", &f32::NAN.to_le_bytes(), "freq_base"),
        ("llama.context_length", &u32::MAX.to_le_bytes(), "context_length"),
    ];
    for (key, value, named) in cases {
        // Four bytes of type lie between the key and its value.
        let error = load(patched(after(key) + 4, value)).expect_err(key);
        assert!(error.contains(named), "{key}: \"{error}\"");
    }
}

#[test]
fn a_bad_tensor_is_named() {
    // Behind a name: the number of dimensions, two of eight bytes, the type, the offset.
    let matrix = after("blk.3.ffn_up.weight");
    let cases: [(usize, &[u8], &str); 5] = [
        (4, &u64::MAX.to_le_bytes(), "impossible dimensions"),
        (4, &(1u64 << 20).to_le_bytes(), "beyond the end"),
        (20, &77u32.to_le_bytes(), "type 77"),
        (20, &8u32.to_le_bytes(), ""),
        (24, &u64::MAX.to_le_bytes(), "begins outside"),
    ];
    for (offset, value, named) in cases {
        let result = load(patched(matrix + offset, value));
        if !named.is_empty() {
            let error = result.expect_err(named);
            assert!(error.contains("blk.3.ffn_up.weight") && error.contains(named), "\"{error}\"");
        }
    }
}

#[test]
fn a_scale_that_is_not_a_number_is_named() {
    let offset = |name: &str, dimensions: usize| {
        let at = after(name) + 4 + 8 * dimensions + 4;
        u64::from_le_bytes(FILE[at..at + 8].try_into().unwrap()) as usize
    };
    let data = FILE.len() - {
        // The last tensor's data ends the file, so the data begins this far before its end.
        let file = Gguf::from_bytes(FILE.clone()).unwrap();
        file.tensor_names().map(|name| file.tensor(name).unwrap().bytes.len().next_multiple_of(32)).sum::<usize>()
    };
    for (name, dimensions, nan) in [
        ("blk.29.attn_v.weight", 2, &[0x00, 0x7e][..]),
        ("token_embd.weight", 2, &[0x00, 0x7c]),
        ("blk.7.ffn_norm.weight", 1, &[0x00, 0x00, 0xc0, 0x7f]),
    ] {
        let error = load(patched(data + offset(name, dimensions), nan)).expect_err(name);
        assert!(error.contains(name) && error.contains("not finite"), "\"{error}\"");
    }
}

#[test]
fn flipped_bits_in_the_header_never_bring_it_down() {
    let mut state = 12345u64;
    // The vocabulary is left out of the copies, so that a copy is small; what is cut off is found missing.
    let head = &FILE[..4096];
    for _ in 0..3000 {
        let mut bytes = head.to_vec();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bit = (state >> 40) as usize % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(load(bytes).is_err());
    }
}
