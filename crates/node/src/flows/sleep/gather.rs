//! What a night may learn from: items that a grant to train covers, filtered as the grant says, released with an entry in
//! the ledger. Everything else is counted with the reason.

use std::collections::BTreeMap;

use hinet_consent::{Ask, Decision, Outgoing, Released, Subject, withhold};
use hinet_vault::records::ItemHead;

use super::wishes::{self, Answer};
use crate::failure::NodeError;
use crate::flows::consent;
use crate::protocol::{Asker, Capability, ErrorKind, GrantId, Hash, ItemId, Learned, Skipped, Trust};
use crate::state::{Node, now};

/// Bytes of one item that are learned from; the rest of a longer one is left.
const ITEM_MAX: usize = 256 << 10;
/// Bytes learned from in one night.
const ALL_MAX: usize = 16 << 20;
/// Kinds of items that are not prose.
const NO_PROSE: &[&str] = &["code", "csv", "table"];

/// An item to learn from.
pub(super) struct Lesson {
    pub(super) item: ItemId,
    /// Its path.
    pub(super) source: String,
    pub(super) title: String,
    /// Its text, without what the grant withholds.
    pub(super) text: String,
    /// Whether the owner wrote it.
    pub(super) own: bool,
}

impl Lesson {
    pub(super) fn hash(&self) -> Hash {
        Hash(*blake3::hash(self.text.as_bytes()).as_bytes())
    }
}

/// What one grant covers.
#[derive(Default)]
pub(super) struct Matter {
    /// Newest first.
    lessons: Vec<Lesson>,
    answers: Vec<Answer>,
    subjects: Vec<Subject>,
}

impl Matter {
    pub(super) fn answer(&mut self, answer: Answer, subject: Subject) {
        self.answers.push(answer);
        self.subjects.push(subject);
    }

    /// All of it, as it is released.
    fn bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let texts = self.lessons.iter().map(|lesson| lesson.text.as_str());
        let texts =
            texts.chain(self.answers.iter().flat_map(|answer| [answer.question.as_str(), answer.text.as_str()]));
        zeroize::Zeroizing::new(texts.flat_map(str::bytes).collect())
    }
}

/// What is covered, by grant.
#[derive(Default)]
pub(super) struct Covered(BTreeMap<GrantId, Matter>);

impl Covered {
    pub(super) fn of(&mut self, grant: GrantId) -> &mut Matter {
        self.0.entry(grant).or_default()
    }
}

/// What was found.
pub(super) struct Gathered {
    /// Each as long as its release stands.
    released: Vec<Released<Matter>>,
    pub(super) refused: Vec<Skipped>,
}

impl Gathered {
    /// All lessons.
    pub(super) fn lessons(&self) -> Result<Vec<&Lesson>, NodeError> {
        let mut all = Vec::new();
        for released in &self.released {
            all.extend(&released.get().map_err(hinet_consent::ConsentError::from)?.lessons);
        }
        Ok(all)
    }

    /// All answers that the owner took.
    pub(super) fn answers(&self) -> Result<Vec<&Answer>, NodeError> {
        let mut all = Vec::new();
        for released in &self.released {
            all.extend(&released.get().map_err(hinet_consent::ConsentError::from)?.answers);
        }
        Ok(all)
    }

    /// Fails as soon as a grant that something was released under is gone, or the kill switch is thrown.
    pub(super) fn check(&self) -> Result<(), NodeError> {
        self.released.iter().try_for_each(|released| {
            released.get().map_err(hinet_consent::ConsentError::from)?;
            Ok(())
        })
    }

    /// What there is from each source, with the facts found in each item.
    pub(super) fn learned(&self, facts: &BTreeMap<ItemId, u64>) -> Result<Vec<Learned>, NodeError> {
        let mut all: BTreeMap<String, Learned> = BTreeMap::new();
        for lesson in self.lessons()? {
            let found = facts.get(&lesson.item).copied().unwrap_or(0);
            let folder = std::path::Path::new(&lesson.source).parent().map(|folder| folder.display().to_string());
            let source = folder.unwrap_or_default();
            let entry = all.entry(source.clone()).or_insert(Learned { source, items: 0, facts: 0 });
            entry.items += 1;
            entry.facts += found;
        }
        Ok(all.into_values().collect())
    }
}

/// Looks up what may be learned from, and releases it.
pub(super) fn gather(node: &Node) -> Result<Gathered, NodeError> {
    let mut heads: Vec<(ItemHead, Subject)> = node.vault.read(|r| {
        let mut all = Vec::new();
        for source in r.sources()? {
            for head in r.items_of(source.id)? {
                let subject = consent::subject(r, &head)?;
                all.extend(subject.map(|subject| (head, subject)));
            }
        }
        Ok::<_, NodeError>(all)
    })?;
    let taken = node.vault.read(|r| r.taken())?;
    if heads.is_empty() && taken.is_empty() {
        return Err(NodeError::said(
            ErrorKind::Failed,
            "There is nothing to learn from: the memory is empty.",
            "Open a folder with `icore sources add FOLDER`.",
        ));
    }
    heads.sort_by_key(|(head, _)| (std::cmp::Reverse(head.modified), head.id));
    let topics: Vec<String> = node.consent.grants()?.into_iter().flat_map(|grant| grant.terms.scope.topics).collect();
    let mut refused: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut covered = Covered::default();
    let vetoes = node.vault.read(|r| r.vetoes())?;
    let (mut bytes, mut vetoed) = (0, 0);
    for (head, mut subject) in heads {
        let mut refuse = |why| *refused.entry(why).or_default() += 1;
        if NO_PROSE.contains(&head.kind.as_str()) {
            refuse("it is no prose");
            continue;
        }
        if bytes >= ALL_MAX {
            refuse("one night learns from sixteen megabytes at most");
            continue;
        }
        let Some(row) = node.vault.read(|r| r.item(head.id))? else { continue };
        if !topics.is_empty() {
            let lower = row.text.to_lowercase();
            subject.topics =
                topics.iter().filter(|topic| lower.contains(&topic.trim().to_lowercase())).cloned().collect();
        }
        let ask = Ask { asker: Asker::Own, capability: Capability::Train, subject };
        match node.consent.decide(&ask, now()) {
            Decision::Allowed { grant, filter } => {
                let mut end = row.text.len().min(ITEM_MAX);
                while !row.text.is_char_boundary(end) {
                    end -= 1;
                }
                if end < row.text.len() {
                    refuse("it is longer than 256 KB; only its beginning was learned from");
                }
                let (text, left_out) = wishes::without(row.text[..end].to_owned(), &vetoes);
                let text = withhold(&text, &filter).text;
                (bytes, vetoed) = (bytes + text.len(), vetoed + left_out);
                let lesson =
                    Lesson { item: row.id, source: row.key, title: row.title, text, own: row.trust == Trust::Own };
                let matter = covered.of(grant);
                matter.lessons.push(lesson);
                matter.subjects.push(ask.subject);
            }
            Decision::AskOwner => refuse("no grant to learn from it"),
            Decision::Refused { .. } => refuse("the grant to learn from it is used up, over or revoked"),
        }
    }
    let mut answers: BTreeMap<&'static str, u64> = BTreeMap::new();
    wishes::answers(node, taken, &mut covered, &mut |why| *answers.entry(why).or_default() += 1)?;
    if covered.0.is_empty() {
        let all = items(refused.values().sum::<u64>());
        return Err(NodeError::said(
            ErrorKind::Refused,
            format!("No grant lets icore learn from any of what is in the memory ({all})."),
            "Give one: `icore consent grant --asker own --capability train --scope all --purpose sleep`.",
        ));
    }
    let said = |all: BTreeMap<&str, u64>, many: fn(u64) -> String| {
        let skipped = |(why, count): (&str, u64)| Skipped { what: many(count), why: why.to_owned() };
        all.into_iter().map(skipped).collect::<Vec<_>>()
    };
    let mut refused = said(refused, items);
    refused.extend(said(answers, |count| counted(count, "answer you took", "answers you took")));
    if vetoed > 0 {
        refused
            .extend(said(BTreeMap::from([("you vetoed it", vetoed)]), |count| counted(count, "sentence", "sentences")));
    }
    let mut released = Vec::new();
    for (grant, matter) in covered.0 {
        let (all, subjects) = (matter.bytes(), matter.subjects.clone());
        let ids: Vec<ItemId> = matter.lessons.iter().map(|lesson| lesson.item).collect();
        let out = Outgoing {
            grant,
            asker: &Asker::Own,
            capability: Capability::Train,
            subjects: &subjects,
            items: &ids,
            bytes: &all,
        };
        released.push(node.consent.release(&out, matter, now())?);
    }
    Ok(Gathered { released, refused })
}

pub(super) fn items(count: u64) -> String {
    counted(count, "item", "items")
}

pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
