//! Headers as they should be, and as they should not.

use super::*;

fn header(tensors: u64, entries: u64) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(entries.to_le_bytes());
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn one_tensor(shape: &[u64], kind: u32, offset: u64, data: usize) -> Vec<u8> {
    let mut bytes = header(1, 0);
    text(&mut bytes, "w");
    bytes.extend(u32::try_from(shape.len()).unwrap().to_le_bytes());
    shape.iter().for_each(|d| bytes.extend(d.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32) + data, 0);
    bytes
}

fn fails_with(bytes: Vec<u8>, sentence: &str) {
    let error = Gguf::from_bytes(bytes).expect_err(sentence).to_string();
    assert!(error.contains(sentence), "\"{error}\" should say \"{sentence}\"");
}

#[test]
fn a_small_file_is_read() {
    let mut bytes = header(0, 2);
    text(&mut bytes, "a");
    bytes.extend(4u32.to_le_bytes());
    bytes.extend(7u32.to_le_bytes());
    text(&mut bytes, "b");
    bytes.extend(9u32.to_le_bytes());
    bytes.extend(8u32.to_le_bytes());
    bytes.extend(1u64.to_le_bytes());
    text(&mut bytes, "word");
    let file = Gguf::from_bytes(bytes).unwrap();
    assert_eq!(file.find_u64("a"), Some(7));
    assert_eq!(file.texts("b").unwrap(), ["word"]);
    assert!(matches!(file.text("c"), Err(ModelError::MissingKey { .. })));
    assert!(matches!(file.text("a"), Err(ModelError::BadKey { .. })));
}

#[test]
fn tensors_are_checked_against_the_file() {
    let file = Gguf::from_bytes(one_tensor(&[32, 2], 3, 0, 40)).unwrap();
    assert_eq!(file.tensor("w").unwrap().shape, [2, 32]);
    fails_with(one_tensor(&[32, 2], 3, 0, 39), "beyond the end");
    fails_with(one_tensor(&[32, 2], 3, u64::MAX, 40), "begins outside");
    fails_with(one_tensor(&[33, 2], 3, 0, 400), "impossible dimensions");
    fails_with(one_tensor(&[1 << 40, 1 << 40], 0, 0, 40), "impossible dimensions");
    fails_with(one_tensor(&[u64::MAX, 2], 0, 0, 40), "impossible dimensions");
    fails_with(one_tensor(&[0, 2], 0, 0, 40), "impossible dimensions");
    fails_with(one_tensor(&[], 0, 0, 40), "impossible dimensions");
    let unknown = Gguf::from_bytes(one_tensor(&[32, 2], 99, 0, 40)).unwrap();
    assert!(matches!(unknown.tensor("w"), Err(ModelError::TensorKind { kind: 99, .. })));
}

#[test]
fn tensors_that_share_their_bytes_are_refused() {
    let mut bytes = header(3, 0);
    for name in ["a", "b", "c"] {
        text(&mut bytes, name);
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(256u64.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(32) + 1024, 0);
    fails_with(bytes, "lies over another one");
}

#[test]
fn hostile_headers_are_refused() {
    fails_with(b"GGML".to_vec(), "not a GGUF");
    fails_with(vec![], "not a GGUF");
    fails_with(b"GGUF\x01\0\0\0".to_vec(), "version 1");
    fails_with(header(u64::MAX, 0), "tensors");
    fails_with(header(0, u64::MAX), "metadata entries");
    fails_with(header(1, 0), "ends in the middle");
    let mut long = header(0, 1);
    long.extend(u64::MAX.to_le_bytes());
    fails_with(long, "bytes in a string");
    let mut list = header(0, 1);
    text(&mut list, "l");
    list.extend(9u32.to_le_bytes());
    list.extend(9u32.to_le_bytes());
    list.extend(1u64.to_le_bytes());
    list.extend([0; 16]);
    fails_with(list, "holds arrays");
    let mut many = header(0, 1);
    text(&mut many, "l");
    many.extend(9u32.to_le_bytes());
    many.extend(0u32.to_le_bytes());
    many.extend((u64::MAX / 2).to_le_bytes());
    fails_with(many, "array elements");
}
