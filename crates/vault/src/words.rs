//! The 24 recovery words: the root of the owner's identity, and the one keyslot every home has.
//!
//! The words are BIP39 (English, 256 bits). They are never stored; whoever has them has everything.

use crate::VaultError;
use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

/// How many recovery words there are.
pub const WORD_COUNT: usize = 24;

/// Twenty-four recovery words; `Mnemonic` wipes itself when dropped.
#[derive(Clone)]
pub struct Words {
    mnemonic: Mnemonic,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Words(…)")
    }
}

impl Words {
    /// New words from the operating system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_entropy(&Zeroizing::new(crate::keys::random()))
    }

    pub(crate) fn from_entropy(entropy: &[u8; 32]) -> Self {
        let mnemonic = Mnemonic::from_entropy_in(Language::English, entropy).expect("32 bytes are 24 words");
        Self { mnemonic }
    }

    /// Words as a person typed them: any case, any white space.
    ///
    /// # Errors
    /// Which word is wrong, or that they do not belong together. The error holds no word.
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let text = Zeroizing::new(text.to_lowercase());
        let found = text.split_whitespace().count();
        if found != WORD_COUNT {
            return Err(VaultError::WordCount { found });
        }
        match Mnemonic::parse_in_normalized(Language::English, &text) {
            Ok(mnemonic) => Ok(Self { mnemonic }),
            Err(bip39::Error::UnknownWord(index)) => Err(VaultError::UnknownWord { position: index + 1 }),
            Err(_) => Err(VaultError::WordsMismatch),
        }
    }

    /// All of them, separated by single spaces.
    #[must_use]
    pub fn phrase(&self) -> Zeroizing<String> {
        // Room for the longest phrase, so that no half-written copy is left behind by a reallocation.
        let mut phrase = Zeroizing::new(String::with_capacity(WORD_COUNT * 9));
        for (index, word) in self.mnemonic.words().enumerate() {
            if index > 0 {
                phrase.push(' ');
            }
            phrase.push_str(word);
        }
        phrase
    }

    /// The word at `index`, counted from 0; empty past the end.
    #[must_use]
    pub fn word(&self, index: usize) -> &str {
        self.mnemonic.words().nth(index).unwrap_or_default()
    }

    /// The 32 bytes the words stand for.
    pub(crate) fn entropy(&self) -> Zeroizing<[u8; 32]> {
        let (bytes, _) = self.mnemonic.to_entropy_array();
        let bytes = Zeroizing::new(bytes);
        let mut entropy = Zeroizing::new([0; 32]);
        entropy.copy_from_slice(&bytes[..32]);
        entropy
    }
}
