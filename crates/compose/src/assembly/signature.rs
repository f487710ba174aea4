//! Competence signatures: what a member says it knows, as places of public prompts in an embedder's space.
//!
//! Only prompts that anybody may read go in, and of them only their places, in one byte a dimension: 64 prompts of MiniLM are
//! 25 KB. Whoever makes one signs it; what it says is a claim, and admission measures whether it holds.

use crate::{ComposeError, error::signature};
use hinet_protocol::Hash;
use serde::{Deserialize, Serialize};

/// Prompts of one signature, at least: as many as are compared with a question.
pub const PROMPTS_MIN: usize = 5;
/// Prompts of one signature, at most.
pub const PROMPTS_MAX: usize = 1024;
/// Dimensions of a space, at most.
const WIDTH_MAX: usize = 4096;
/// What a coordinate of 1 is written as.
const ONE: f32 = 127.0;
/// Squares of the lengths between which a place is one of unit length that was rounded. A longer one would be nearer to
/// everything.
const LENGTHS: std::ops::RangeInclusive<i64> = 118 * 118..=136 * 136;

/// What is claimed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Whose competence it is: the hash of its delta.
    pub delta: Hash,
    /// In which space: the hash of the embedder.
    pub space: Hash,
    /// Where the prompts are published.
    pub published: String,
    /// Dimensions.
    pub width: usize,
    /// The places, one after the other, in hexadecimal digits; in the order of their bytes, each once.
    places: String,
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claims({}, {} prompts of {})", self.delta, self.len(), self.published)
    }
}

/// Claims and who vouches for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// What is claimed.
    pub claims: Claims,
    /// The public Ed25519 key it is signed with.
    pub by: Hash,
    /// The signature over [`Claims::bytes`], in hexadecimal digits.
    pub signed: String,
}

impl Claims {
    /// Claims of these prompts' places, `[prompts, width]` of unit length. Two that are alike count once.
    ///
    /// # Errors
    /// Where there are too few or too many, a number is not finite, or nobody says where the prompts are published.
    pub fn new(delta: Hash, space: Hash, published: &str, vectors: &[Vec<f32>]) -> Result<Self, ComposeError> {
        let width = vectors.first().map_or(0, Vec::len);
        if vectors.iter().flatten().any(|number| !number.is_finite()) {
            return Err(signature("a prompt's place in the embedder's space is not finite"));
        }
        #[allow(clippy::cast_possible_truncation, reason = "clamped to what a byte holds")]
        let narrow = |vector: &Vec<f32>| -> Vec<i8> {
            vector.iter().map(|number| (number * ONE).round().clamp(-ONE, ONE) as i8).collect()
        };
        let mut places: Vec<Vec<i8>> = vectors.iter().map(narrow).collect();
        places.sort_unstable();
        places.dedup();
        let digits = places.iter().flatten().flat_map(|byte| {
            let byte = byte.cast_unsigned();
            [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'))
        });
        let claims = Self { delta, space, published: published.trim().to_owned(), width, places: digits.collect() };
        claims.check()?;
        Ok(claims)
    }

    /// Checks what somebody sent.
    ///
    /// # Errors
    /// Where it cannot be one, with a hint.
    pub fn check(&self) -> Result<(), ComposeError> {
        if self.published.trim().is_empty() || self.published.chars().count() > 300 {
            return Err(signature(
                "a signature says in at most 300 characters where its prompts are published; private ones are never taken",
            ));
        }
        let row = 2 * self.width;
        if !(1..=WIDTH_MAX).contains(&self.width)
            || !self.places.len().is_multiple_of(row)
            || !self.places.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Err(signature("the signature is damaged; ask its owner for another"));
        }
        let rows = self.rows();
        if !rows.chunks_exact(self.width).is_sorted_by(|one, two| one < two) {
            return Err(signature("the signature holds a place twice, or out of order; ask its owner for another"));
        }
        let length = |row: &[i8]| row.iter().map(|number| i64::from(*number).pow(2)).sum::<i64>();
        if !rows.chunks_exact(self.width).all(|row| LENGTHS.contains(&length(row))) {
            return Err(signature("the signature holds places that are not of unit length; ask its owner for another"));
        }
        let count = self.len();
        if !(PROMPTS_MIN..=PROMPTS_MAX).contains(&count) {
            return Err(signature(format!(
                "a signature is made of {PROMPTS_MIN} to {PROMPTS_MAX} different prompts, and this one of {count}"
            )));
        }
        Ok(())
    }

    /// How many prompts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() / (2 * self.width.max(1))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The places, `[prompts, width]`; 127 is 1.
    pub(super) fn rows(&self) -> Vec<i8> {
        let value = |digit: u8| if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 };
        let byte = |pair: &[u8]| (value(pair[0]) << 4 | value(pair[1])).cast_signed();
        self.places.as_bytes().chunks_exact(2).map(byte).collect()
    }

    /// What is signed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [b"hinet/competence/v1\0".as_slice(), &self.hash().0].concat()
    }

    /// BLAKE3 over all of it.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("hinet/compose/claims/v1");
        hasher.update(&self.delta.0).update(&self.space.0).update(&(self.width as u64).to_le_bytes());
        hasher.update(&(self.published.len() as u64).to_le_bytes()).update(self.published.as_bytes());
        hasher.update(self.places.as_bytes());
        Hash(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(count: usize) -> Vec<Vec<f32>> {
        #[allow(clippy::cast_precision_loss, reason = "a few")]
        (0..count).map(|at| (at as f32 / 10.0).sin_cos()).map(|(sin, cos)| vec![sin, cos, 0.0]).collect()
    }

    #[test]
    fn a_signature_is_the_same_in_any_order_and_survives_json() {
        let claims = Claims::new(Hash([1; 32]), Hash([2; 32]), "the handbook", &turned(6)).unwrap();
        let back: Vec<Vec<f32>> = turned(6).into_iter().rev().chain(turned(2)).collect();
        assert_eq!(Claims::new(Hash([1; 32]), Hash([2; 32]), " the handbook\n", &back).unwrap(), claims);
        assert_eq!((claims.len(), claims.rows().len()), (6, 18));
        let json = serde_json::to_string(&claims).unwrap();
        assert_eq!(serde_json::from_str::<Claims>(&json).unwrap(), claims);
        assert_eq!(claims.rows()[..3], [0, 127, 0]);
        assert!(claims.rows().chunks(3).is_sorted() && !claims.is_empty());
    }

    #[test]
    fn what_cannot_be_one_is_refused() {
        let made = |place, vectors: &[Vec<f32>]| Claims::new(Hash([1; 32]), Hash([2; 32]), place, vectors);
        assert!(made("  ", &turned(6)).is_err_and(|error| error.to_string().contains("published")));
        assert!(made("here", &turned(4)).is_err_and(|error| error.to_string().contains("of 4")));
        assert!(made("here", &[]).is_err());
        assert!(made("here", &vec![vec![f32::NAN; 3]; 6]).is_err());
        let good = made("here", &turned(6)).unwrap();
        let bad = |places: String| Claims { places, ..good.clone() }.check();
        assert!(bad(good.places.clone() + "0").is_err());
        assert!(bad(good.places.replace('7', "g")).is_err());
        assert!(bad(String::new()).is_err());
        assert!(bad(good.places[..6].repeat(6)).is_err_and(|error| error.to_string().contains("twice")));
        let long: String = (0x71..0x77).map(|first| format!("{first:x}7f7f")).collect();
        assert!(bad(long).is_err_and(|error| error.to_string().contains("unit length")));
        assert!(Claims { width: 0, ..good.clone() }.check().is_err());
        assert!(Claims { width: usize::MAX / 4, ..good }.check().is_err());
    }
}
