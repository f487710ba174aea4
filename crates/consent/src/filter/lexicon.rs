//! What public lists say about a word: `assets/names.lexicon`, made by `assets/make_lexicon.py`; sources and licences are
//! in `assets/names.md`.

use std::sync::OnceLock;

/// The list, unpacked once when the first text is looked at: hashes of words in order, and for each how common it is as a
/// name and as a word, and whether it is a place.
pub(super) struct Lexicon {
    /// The lower 24 bits of a hash, then what is known, side by side, because each look at memory costs.
    words: Vec<u32>,
    /// For each beginning of a hash (its upper bits), where its words begin.
    starts: Vec<u32>,
    /// A bit for each beginning of a hash that some word has: most hashes that nothing is known about end here.
    some: Vec<u64>,
    /// The same for places alone, with shorter beginnings.
    places: Vec<u64>,
}

/// Bits of a hash that choose a run of words.
const RUN: u32 = 18;
/// Bits of a hash that choose a bit of [`Lexicon::some`].
const BIT: u32 = 22;
/// Bits of a hash that choose a bit of [`Lexicon::places`].
const PLACE: u32 = 18;

impl Lexicon {
    /// The list of this program.
    pub(super) fn get() -> &'static Self {
        static LEXICON: OnceLock<Lexicon> = OnceLock::new();
        LEXICON.get_or_init(|| Self::read(include_bytes!("../../assets/names.lexicon")))
    }

    /// The file: for each word the distance of its hash from the one before as a variable-length number (seven bits a
    /// byte, lowest first), and what is known about it.
    fn read(bytes: &[u8]) -> Self {
        let (mut keys, mut facts) = (Vec::new(), Vec::new());
        let (mut key, mut step, mut shift, mut is_fact) = (0u32, 0u32, 0, false);
        for &byte in bytes {
            if is_fact {
                keys.push(key);
                facts.push(byte);
                (step, shift, is_fact) = (0, 0, false);
                continue;
            }
            step |= u32::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                key = key.wrapping_add(step);
                is_fact = true;
            }
        }
        let mut starts = vec![0u32; (1 << RUN) + 1];
        keys.iter().for_each(|key| starts[(key >> (32 - RUN)) as usize + 1] += 1);
        for run in 1..starts.len() {
            starts[run] += starts[run - 1];
        }
        let places = keys.iter().zip(&facts).filter(|(_, facts)| is_place(**facts)).map(|(key, _)| *key);
        let (some, places) = (bits(keys.iter().copied(), BIT), bits(places, PLACE));
        let words = keys.iter().zip(&facts).map(|(key, facts)| key << 8 | u32::from(*facts)).collect();
        Self { words, starts, some, places }
    }

    /// What is known about the word with this hash.
    pub(super) fn known(&self, key: u32) -> u8 {
        if !has(&self.some, key, BIT) {
            return 0;
        }
        let run = (key >> (32 - RUN)) as usize;
        let words = &self.words[self.starts[run] as usize..self.starts[run + 1] as usize];
        words.iter().find(|word| **word >> 8 == key & 0xff_ffff).map_or(0, |word| *word as u8)
    }
}

/// A bit for each beginning, of so many bits, of these hashes.
fn bits(keys: impl Iterator<Item = u32>, len: u32) -> Vec<u64> {
    let mut bits = vec![0; 1 << (len - 6)];
    keys.map(|key| key >> (32 - len)).for_each(|bit| bits[(bit >> 6) as usize] |= 1 << (bit & 63));
    bits
}

fn has(bits: &[u64], key: u32, len: u32) -> bool {
    let bit = key >> (32 - len);
    bits[(bit >> 6) as usize] >> (bit & 63) & 1 != 0
}

/// Words that were looked up lately; most words of a text are the same few.
pub(super) struct Recent(Vec<(u32, u8)>);

impl Recent {
    pub(super) fn new() -> Self {
        Self(vec![(0, 0); 4096])
    }

    /// What is known about the word with this hash.
    pub(super) fn known(&mut self, key: u32) -> u8 {
        let place = (key ^ key >> 16) as usize & 4095;
        if self.0[place].0 != key {
            self.0[place] = (key, Lexicon::get().known(key));
        }
        self.0[place].1
    }

    /// Whether the words with this hash are a place.
    pub(super) fn is_place(&self, key: u32) -> bool {
        let lexicon = Lexicon::get();
        has(&lexicon.places, key, PLACE) && is_place(lexicon.known(key))
    }
}

/// How common a word is as a given name, 0 to 3.
pub(super) fn given(facts: u8) -> u8 {
    facts & 3
}

/// How common a word is as a family name, 0 to 3.
pub(super) fn family(facts: u8) -> u8 {
    facts >> 2 & 3
}

/// How common a word is as an English word, 0 to 3.
pub(super) fn common(facts: u8) -> u8 {
    facts >> 4 & 3
}

/// Whether a word, or two in a row, are a country, a state or a city.
pub(super) fn is_place(facts: u8) -> bool {
    facts & 64 != 0
}

/// Whether a word is one of the smallest of some language.
pub(super) fn is_small(facts: u8) -> bool {
    facts & 128 != 0
}

/// FNV-1a, 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Hash(pub(super) u32);

impl Hash {
    pub(super) const NEW: Self = Self(0x811c_9dc5);

    pub(super) fn byte(self, byte: u8) -> Self {
        Self((self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    pub(super) fn text(self, text: &str) -> Self {
        text.bytes().fold(self, Self::byte)
    }
}

/// Latin letters with marks, and what they are without them.
const MARKED: &[(&str, &str)] = &[
    ("a", "àáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặə"),
    ("b", "ḃḅḇ"),
    ("c", "çćĉċčḉ"),
    ("d", "ðďđḋḍḏḑḓ"),
    ("e", "èéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệ"),
    ("f", "ḟ"),
    ("g", "ĝğġģǧǵḡ"),
    ("h", "ĥħȟḣḥḧḩḫẖ"),
    ("i", "ìíîïĩīĭįıǐȉȋḭḯỉị"),
    ("j", "ĵǰ"),
    ("k", "ķǩḱḳḵ"),
    ("l", "ĺļľłḷḹḻḽ"),
    ("m", "ḿṁṃ"),
    ("n", "ñńņňǹṅṇṉṋ"),
    ("o", "òóôõöøōŏőơǒǫǭǿȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợ"),
    ("p", "ṕṗ"),
    ("r", "ŕŗřȑȓṙṛṝṟ"),
    ("s", "śŝşšșṡṣṥṧṩ"),
    ("t", "ţťțṫṭṯṱẗ"),
    ("u", "ùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữự"),
    ("v", "ṽṿ"),
    ("w", "ŵẁẃẅẇẉẘ"),
    ("x", "ẋẍ"),
    ("y", "ýÿŷȳẏẙỳỵỷỹ"),
    ("z", "źżžẑẓẕ"),
];

/// Adds a letter to a folded word: small, and without its marks where it is Latin. `make_lexicon.py` does the same.
pub(super) fn fold(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
        return;
    }
    for small in c.to_lowercase() {
        match small {
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'þ' => out.push_str("th"),
            '\u{300}'..='\u{36f}' => {}
            '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | 'ə' => {
                let base = MARKED.iter().find(|(_, marked)| marked.contains(small)).map_or("", |(base, _)| base);
                if base.is_empty() { out.push(small) } else { out.push_str(base) }
            }
            _ => out.push(small),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_without_their_marks() {
        let facts = |word: &str| {
            let mut folded = String::new();
            word.chars().for_each(|c| fold(c, &mut folded));
            Lexicon::get().known(Hash::NEW.text(&folded).0)
        };
        assert!(given(facts("Anna")) == 3 && family(facts("Müller")) >= 2 && family(facts("García")) == 3);
        assert!(common(facts("house")) == 3 && is_place(facts("Brazil")) && is_small(facts("und")));
        assert_eq!(facts("qqzxv"), 0);
    }
}
