//! The Merkle root over the leaf commitments of one ledger entry.
//!
//! The tree is the one of RFC 6962, section 2.1: a leaf is hashed as `H(0x00 ‖ leaf)` and an inner node as
//! `H(0x01 ‖ left ‖ right)`, so that no leaf can be passed off as a node; a list of n leaves splits at the largest
//! power of two below n. The hash is BLAKE3 here and SHA-256 in the test that compares with the reference vectors.

use hinet_protocol::Hash;

/// A 32-byte hash over concatenated parts.
pub type Digest = fn(&[&[u8]]) -> [u8; 32];

/// BLAKE3 of the concatenation of `parts`.
#[must_use]
pub fn blake3(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// The root over `leaves` with BLAKE3; `H("")` for none.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    Hash(root_with(blake3, leaves.iter().map(|leaf| leaf.0)))
}

/// The root over `leaves` with any hash, in one pass and O(log n) memory.
pub fn root_with<L: AsRef<[u8]>>(digest: Digest, leaves: impl IntoIterator<Item = L>) -> [u8; 32] {
    // Roots of the complete subtrees so far, the largest first: one for each bit that is set in the leaf count.
    let mut complete: Vec<[u8; 32]> = Vec::new();
    let mut count = 0u64;
    for leaf in leaves {
        complete.push(digest(&[&[0], leaf.as_ref()]));
        count += 1;
        for _ in 0..count.trailing_zeros() {
            join(digest, &mut complete);
        }
    }
    while complete.len() > 1 {
        join(digest, &mut complete);
    }
    complete.pop().unwrap_or_else(|| digest(&[]))
}

fn join(digest: Digest, complete: &mut Vec<[u8; 32]>) {
    if let (Some(right), Some(left)) = (complete.pop(), complete.pop()) {
        complete.push(digest(&[&[1], &left, &right]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }

    /// The leaves of the Certificate Transparency reference log.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    /// Its roots for 0 to 8 leaves.
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_of_the_reference_log() {
        for (count, root) in ROOTS.iter().enumerate() {
            assert_eq!(crate::hex::encode(&root_with(sha256, &LEAVES[..count])), *root, "{count} leaves");
        }
    }

    /// The definition of RFC 6962, word for word.
    fn plain(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [] => blake3(&[]),
            [leaf] => blake3(&[&[0], leaf]),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                blake3(&[&[1], &plain(&leaves[..split]), &plain(&leaves[split..])])
            }
        }
    }

    #[test]
    fn one_pass_equals_the_definition() {
        let leaves: Vec<[u8; 32]> = (0..300u32).map(|i| blake3(&[&i.to_be_bytes()])).collect();
        for count in 0..leaves.len() {
            let hashes: Vec<Hash> = leaves[..count].iter().copied().map(Hash).collect();
            assert_eq!(root(&hashes).0, plain(&leaves[..count]), "{count} leaves");
        }
    }

    #[test]
    fn a_leaf_is_never_a_node() {
        let (a, b) = (Hash([1; 32]), Hash([2; 32]));
        let node = root(&[a, b]);
        assert_ne!(root(&[node]), node);
        assert_ne!(root(&[a, b]), root(&[b, a]));
        assert_ne!(root(&[a]), root(&[a, a]));
    }
}
