//! Tokens that stand outside the merges.

use std::collections::BTreeMap;

/// Control and added tokens, found leftmost and longest first.
#[derive(Debug)]
pub(super) struct SpecialTokens {
    pub(super) ids: BTreeMap<String, (u32, bool)>,
    /// Spellings, the longest first.
    longest: Vec<(String, u32)>,
    /// Which first bytes are worth a look.
    first: [bool; 256],
    /// Ids of the control tokens, sorted.
    pub(super) control: Vec<u32>,
}

impl SpecialTokens {
    pub(super) fn new(mut ids: BTreeMap<String, (u32, bool)>) -> Self {
        ids.remove("");
        let mut longest: Vec<_> = ids.iter().map(|(text, &(id, _))| (text.clone(), id)).collect();
        longest.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        let mut first = [false; 256];
        longest.iter().for_each(|(text, _)| first[usize::from(text.as_bytes()[0])] = true);
        let mut control: Vec<_> = ids.values().filter(|(_, control)| *control).map(|&(id, _)| id).collect();
        control.sort_unstable();
        Self { ids, longest, first, control }
    }

    /// Start, length and id of the first special token in `text`; without `added`, of the first control token.
    pub(super) fn find(&self, text: &str, added: bool) -> Option<(usize, usize, u32)> {
        let candidates = text.bytes().enumerate().filter(|&(_, byte)| self.first[usize::from(byte)]);
        candidates.into_iter().find_map(|(start, _)| {
            let rest = &text.as_bytes()[start..];
            let mut allowed = self.longest.iter().filter(|(_, id)| added || self.control.binary_search(id).is_ok());
            let hit = allowed.find(|(spelling, _)| rest.starts_with(spelling.as_bytes()));
            hit.map(|(spelling, id)| (start, spelling.len(), *id))
        })
    }
}
