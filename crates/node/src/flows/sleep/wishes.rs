//! What the owner wishes of the nights: sentences that are not learned by heart, and answers that are, because they were
//! taken, praised or written anew.
//!
//! A veto is kept as a hash of the sentence's words, so that it outlives neither more nor less than it must: it holds for
//! every copy of the sentence, and says nothing about what was forgotten.

use std::collections::BTreeSet;
use std::ops::Range;

use hinet_consent::{Ask, Decision, EntryKind, Note, Subject, withhold};
use hinet_index::read::facts;
use hinet_vault::records::Taken;

use super::gather;
use crate::failure::NodeError;
use crate::flows::consent;
use crate::protocol::{
    Asker, Capability, ErrorKind, Event, Filter, GrantId, Hash, ItemId, MessageId, Mode, Night, Trust,
};
use crate::state::{Node, now};

/// Bytes of an answer that is learned from.
const ANSWER_MAX: usize = 4 << 10;
/// Answers that one night learns from.
pub(super) const ANSWERS_MAX: usize = 512;

/// An answer that is learned, with its question.
pub(super) struct Answer {
    pub(super) message: MessageId,
    pub(super) question: String,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.question.len() as u64).to_le_bytes());
        hasher.update(self.question.as_bytes()).update(self.text.as_bytes());
        Hash(*hasher.finalize().as_bytes())
    }
}

/// What a sentence is known by, however its lines were broken.
fn mark(sentence: &str) -> [u8; 32] {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    blake3::derive_key("hinet/sleep/veto/v1", words.join(" ").as_bytes())
}

/// A text without the sentences that are vetoed, and how many those were.
pub(super) fn without(text: String, vetoes: &BTreeSet<[u8; 32]>) -> (String, u64) {
    if vetoes.is_empty() {
        return (text, 0);
    }
    let sentences: BTreeSet<String> = facts(&text).into_iter().map(|fact| fact.sentence).collect();
    let (mut text, mut count) = (text, 0);
    for sentence in sentences.iter().filter(|sentence| vetoes.contains(&mark(sentence))) {
        count += 1;
        while let Some(range) = place(&text, sentence) {
            text.replace_range(range, "");
        }
    }
    (text, count)
}

/// Where the words of a sentence follow each other in a text, with any space between them.
fn place(text: &str, sentence: &str) -> Option<Range<usize>> {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let first = words.first()?;
    let fits = |start: usize| {
        let mut at = start;
        for (n, word) in words.iter().enumerate() {
            let rest = text.get(at..)?;
            let trimmed = if n == 0 { rest } else { rest.trim_start() };
            let space = rest.len() - trimmed.len();
            if !trimmed.starts_with(word) || (n > 0 && space == 0) {
                return None;
            }
            at += space + word.len();
        }
        Some(start..at)
    };
    text.match_indices(first).find_map(|(start, _)| fits(start))
}

/// What may be done with an answer, and what speaks against it.
enum Fit {
    Learned { grant: GrantId, filter: Filter, subject: Subject },
    Not(&'static str),
}

/// Whether an answer may be learned from: a grant must cover the conversation and everything it stands on, and what is not
/// the owner's own word is a fact to look up and not one to be learned as it is.
fn fit(node: &Node, taken: &Taken) -> Result<Fit, NodeError> {
    // What a member of an assembly said is learned from by nobody else: it would stay when the member has left.
    let composed = taken.answer.stats.as_ref().and_then(|stats| stats.composed.as_ref());
    if composed.is_some_and(|composed| composed.mode != Mode::Own) && taken.answer.feedback.edited.is_none() {
        return Ok(Fit::Not("members of an assembly said it; write it anew and it is learned"));
    }
    if taken.answer.feedback.edited.is_none() && leans_on_others(node, taken)? {
        return Ok(Fit::Not("members of an assembly spoke before it; write it anew and it is learned"));
    }
    let cited: BTreeSet<ItemId> = taken.answer.citations.iter().map(|citation| citation.item).collect();
    let mut subjects = vec![Subject { modified: Some(taken.answer.at), ..Subject::default() }];
    for item in cited {
        let found = node.vault.read(|r| {
            let Some(head) = r.item_head(item)? else { return Ok(None) };
            Ok::<_, NodeError>(consent::subject(r, &head)?.map(|subject| (head.trust, subject)))
        })?;
        let Some((trust, subject)) = found else { return Ok(Fit::Not("what it stands on is not here any more")) };
        if trust == Trust::Untrusted && taken.answer.feedback.edited.is_none() {
            return Ok(Fit::Not("it repeats what others wrote; write it anew and it is learned"));
        }
        subjects.push(subject);
    }
    let mut fit: Option<(GrantId, Filter, Subject)> = None;
    for subject in subjects {
        let ask = Ask { asker: Asker::Own, capability: Capability::Train, subject };
        match node.consent.decide(&ask, now()) {
            Decision::Allowed { grant, filter } => match &mut fit {
                None => fit = Some((grant, filter, ask.subject)),
                // What any of the grants withholds is taken out.
                Some((_, all, _)) => all.withhold.extend(filter.withhold),
            },
            Decision::AskOwner => return Ok(Fit::Not("no grant to learn from it")),
            Decision::Refused { .. } => return Ok(Fit::Not("the grant to learn from it is used up, over or revoked")),
        }
    }
    let (grant, filter, subject) = fit.expect("the conversation is the first subject");
    Ok(Fit::Learned { grant, filter, subject })
}

/// Whether members of an assembly, or other homes, spoke before this answer in its conversation: it may repeat them.
fn leans_on_others(node: &Node, taken: &Taken) -> Result<bool, NodeError> {
    let mut above = taken.answer.parent;
    while let Some(id) = above {
        let Some((_, said)) = node.vault.read(|r| r.message(id))? else { break };
        let composed = said.stats.as_ref().and_then(|stats| stats.composed.as_ref());
        if composed.is_some_and(|composed| composed.mode != Mode::Own)
            || said.citations.iter().any(|citation| citation.member.is_some())
        {
            return Ok(true);
        }
        above = said.parent;
    }
    Ok(false)
}

/// Adds the answers that the owner took to what may be learned from.
pub(super) fn answers(
    node: &Node,
    taken: Vec<Taken>,
    covered: &mut gather::Covered,
    refuse: &mut dyn FnMut(&'static str),
) -> Result<(), NodeError> {
    for taken in taken.into_iter().take(ANSWERS_MAX) {
        match fit(node, &taken)? {
            Fit::Not(why) => refuse(why),
            Fit::Learned { grant, filter, subject } => {
                let text = taken.answer.feedback.edited.as_deref().unwrap_or(&taken.answer.text).trim();
                if text.is_empty() || text.len() > ANSWER_MAX {
                    refuse("it is empty, or longer than 4 KB");
                    continue;
                }
                let answer = Answer {
                    message: taken.answer.id,
                    question: withhold(&taken.question, &filter).text,
                    text: withhold(text, &filter).text,
                };
                covered.of(grant).answer(answer, subject);
            }
        }
    }
    Ok(())
}

/// [`crate::protocol::Op::Veto`]: what is behind a changed answer is not learned from the next night on, or is again.
pub(crate) fn veto(node: &Node, night: u64, line: u64, vetoed: bool) -> Result<Event, NodeError> {
    let none =
        |said: String| NodeError::said(ErrorKind::Usage, said, "`icore sleep show` numbers the changed answers.");
    node.vault.write(|tx| {
        let row = tx.night(night)?.ok_or_else(|| none(format!("There was no night {night}.")))?;
        let report: Option<Night> = super::report(&row);
        let fact = report.as_ref().and_then(|night| night.changed.get(usize::try_from(line.checked_sub(1)?).ok()?));
        let fact = fact.map(|changed| changed.fact.clone()).filter(|fact| !fact.is_empty());
        let fact =
            fact.ok_or_else(|| none(format!("Night {night} has no changed answer {line} that can be left out.")))?;
        let (mark, at) = (mark(&fact), now());
        tx.set_veto(mark, vetoed, at)?;
        // Every report that shows the sentence says so.
        for mut row in tx.nights(usize::MAX)? {
            let Some(mut night) = super::report(&row) else { continue };
            let mut told = false;
            for changed in night.changed.iter_mut().filter(|changed| changed.fact == fact && changed.vetoed != vetoed) {
                (changed.vetoed, told) = (vetoed, true);
            }
            if told {
                row.report = serde_json::to_string(&night).map_err(|_| crate::failure::unexpected("the night"))?;
                tx.put_night(&row, &[])?;
            }
        }
        let body = if vetoed {
            format!("the owner wants one sentence of night {night} not to be learned any more")
        } else {
            format!("the owner took back a veto of night {night}")
        };
        node.consent.record(tx, EntryKind::Sleep, vec![Note::say(body)], at)?;
        Ok::<_, NodeError>(())
    })?;
    super::nights(node, 20)
}

#[cfg(test)]
mod tests {
    use super::{mark, place, without};
    use std::collections::BTreeSet;

    const TEXT: &str = "# Trip\n\nThe train to Porto leaves\nat 14:39 from platform 4. Mira waits there.\n\n\
                        - The train to Porto leaves at 14:39 from platform 4.\n\nThe hotel costs 85 euros a night.\n";
    const VETOED: &str = "The train to Porto leaves at 14:39 from platform 4.";

    #[test]
    fn a_vetoed_sentence_is_taken_out_wherever_it_stands_and_however_its_lines_are_broken() {
        let vetoes = BTreeSet::from([mark("The train to Porto leaves  at 14:39\nfrom platform 4.")]);
        let (left, count) = without(TEXT.to_owned(), &vetoes);
        assert_eq!(count, 1);
        assert!(!left.contains("14:39") && !left.contains("platform"), "{left}");
        assert!(left.contains("Mira waits there.") && left.contains("The hotel costs 85 euros a night."), "{left}");
        assert_eq!(without(TEXT.to_owned(), &BTreeSet::new()), (TEXT.to_owned(), 0));
        assert_eq!(without(TEXT.to_owned(), &BTreeSet::from([mark("Something else.")])), (TEXT.to_owned(), 0));
    }

    #[test]
    fn a_sentence_is_found_by_whole_words_only() {
        assert!(place(TEXT, VETOED).is_some());
        assert_eq!(place("at 14:39from", "at 14:39 from"), None);
        assert_eq!(place("", "a"), None);
        assert_eq!(place("a", ""), None);
        assert_eq!(place("ü a b", "a b"), Some(3..6));
    }
}
