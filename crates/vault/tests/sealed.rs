//! Sealed files: what goes in comes out; every change is noticed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use hinet_vault::sealed::{BLOCK, SealError, SealKey, SealedReader, seal, unseal};
use std::fs::File;

fn key() -> SealKey {
    SealKey::new([5; 32])
}

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

fn reader(bytes: &[u8], name: &str) -> Result<SealedReader, SealError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    std::fs::write(&path, bytes).unwrap();
    SealedReader::open(&key(), name, File::open(&path).unwrap())
}

#[test]
fn every_length_comes_back() {
    for len in [0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 7] {
        let plain = text(len);
        let sealed = seal(&key(), "n", &plain);
        assert_eq!(unseal(&key(), "n", &sealed).unwrap(), plain, "{len}");
        let file = reader(&sealed, "n").unwrap();
        assert_eq!((file.len(), file.is_empty(), file.key_version()), (len as u64, len == 0, 1));
        file.verify_all().unwrap();
        for (start, end) in [(0, len), (len / 3, len / 2), (len, len), (len.saturating_sub(9), len)] {
            assert_eq!(file.read(start as u64..end as u64).unwrap(), plain[start..end]);
        }
        assert!(matches!(file.read(0..len as u64 + 1), Err(SealError::OutOfRange { .. })));
    }
    assert_ne!(seal(&key(), "n", b"same"), seal(&key(), "n", b"same"));
}

#[test]
fn every_bit_counts() {
    let sealed = seal(&key(), "name", &text(300));
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            assert!(unseal(&key(), "name", &changed).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn cut_grown_moved_swapped_and_renamed_are_told_apart() {
    let sealed = seal(&key(), "a", &text(3 * BLOCK + 5));
    let step = BLOCK + 16;
    let block = |i: usize| 52 + i * step..52 + (i + 1) * step;
    for len in [0, 10, 51, 52, 60, 52 + step, sealed.len() - 1] {
        let error = unseal(&key(), "a", &sealed[..len]).unwrap_err();
        assert!(matches!(error, SealError::Truncated { .. } | SealError::NotSealed), "{len}: {error}");
        assert!(reader(&sealed[..len], "a").is_err());
    }
    let longer = [&sealed[..], b"x"].concat();
    assert!(matches!(unseal(&key(), "a", &longer), Err(SealError::Truncated { .. })));
    let mut moved = sealed.clone();
    let first = sealed[block(0)].to_vec();
    moved.copy_within(block(1), block(0).start);
    moved[block(1)].copy_from_slice(&first);
    assert!(matches!(unseal(&key(), "a", &moved), Err(SealError::Tampered { block: 0 })));
    let other = seal(&key(), "a", &text(3 * BLOCK + 5));
    let mut swapped = sealed.clone();
    swapped[block(2)].copy_from_slice(&other[block(2)]);
    assert!(matches!(unseal(&key(), "a", &swapped), Err(SealError::Tampered { block: 2 })));
    let file = reader(&swapped, "a").unwrap();
    assert_eq!(file.read(0..10).unwrap(), text(10));
    assert!(matches!(file.verify_all(), Err(SealError::Tampered { block: 2 })));
    assert!(matches!(unseal(&key(), "b", &sealed), Err(SealError::Tampered { block: 0 })));
    assert!(matches!(unseal(&SealKey::new([6; 32]), "a", &sealed), Err(SealError::Tampered { block: 0 })));
}

#[test]
fn other_formats_are_named() {
    let mut sealed = seal(&key(), "a", b"text");
    assert!(matches!(unseal(&key(), "a", b"PK\x03\x04"), Err(SealError::NotSealed)));
    assert!(matches!(unseal(&key(), "a", &[0; 100]), Err(SealError::NotSealed)));
    sealed[6] = 2;
    assert!(matches!(unseal(&key(), "a", &sealed), Err(SealError::NewerVersion { found: 2 })));
    sealed[6] = 1;
    sealed[8] = 9;
    assert!(matches!(unseal(&key(), "a", &sealed), Err(SealError::UnknownKey { version: 9 })));
    sealed[12..20].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(unseal(&key(), "a", &sealed), Err(SealError::Truncated { .. })));
}

/// Golden: a file of format 1 as it was first written.
#[test]
fn a_file_of_format_one_still_opens() {
    let golden = include_bytes!("golden/sealed-1.bin");
    assert_eq!(unseal(&key(), "golden", golden).unwrap(), b"sealed in format one");
}
