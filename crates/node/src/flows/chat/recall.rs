//! What a turn recalls: hits of the memory, weighed as evidence for the question.

use hinet_index::read::{Evidence, Intent, Question, sentences, weigh};
use hinet_index::{CHAT, Stages};

use super::{Node, memory};
use crate::failure::NodeError;
use crate::protocol::{Hit, Message, Role, Turn, Within};

/// Hits looked at for one question, and where the owner confined it to a part of the memory, which is worth more
/// looking: what is left is what was meant.
pub(crate) const LOOKED_AT: usize = 12;
const LOOKED_AT_WITHIN: usize = 48;
/// Hits shown beside the answer.
const SHOWN: usize = 6;
/// Sentences of fewer words are fragments: a signature, a list mark.
pub(crate) const WORDS_MIN: usize = 4;
/// Sentences measured for one question, at most; and within a part of the memory.
const SENTENCES_MAX: usize = 96;
const SENTENCES_MAX_WITHIN: usize = 256;
/// A question with fewer content words than this may lean on the one before.
const TERMS_MIN: usize = 3;

/// What was found, and what it is worth.
pub(super) struct Recalled {
    /// The question, read.
    pub(super) question: Question,
    /// Best evidence first.
    pub(super) hits: Vec<Hit>,
    /// One for each hit.
    pub(super) evidence: Vec<Evidence>,
    /// For each hit the messages around it in its thread, the one that answers it first.
    pub(super) around: Vec<Vec<Hit>>,
    /// How near each sentence of the best hit is to the question in meaning.
    pub(super) near: Vec<f32>,
    /// Whether the question leaned on an earlier turn.
    pub(super) follows: bool,
    /// Whether the owner handed over so little that it is what they mean, whatever its words.
    pub(super) handed: bool,
}

impl Recalled {
    /// A turn that the memory is not asked for.
    fn nothing(question: Question, history: &[Message]) -> Self {
        let follows = question.intent == Intent::Converse && !history.is_empty();
        let (hits, evidence, around, near) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { question, hits, evidence, around, near, follows, handed: false }
    }

    /// Hits that may be answered from, best first.
    pub(super) fn passages(&self) -> impl Iterator<Item = &Hit> {
        self.found().map(|(hit, _)| hit)
    }

    /// The same, each with the messages around it.
    fn found(&self) -> impl Iterator<Item = (&Hit, &[Hit])> {
        let weighed = self.hits.iter().zip(&self.evidence).zip(&self.around);
        let enough = weighed.filter(|((_, evidence), _)| self.handed || evidence.is_enough());
        enough.map(|((hit, _), around)| (hit, around.as_slice()))
    }

    /// What is read at a time, the best first: `most` readings of `width` passages.
    pub(super) fn readings(&self, width: usize, most: usize) -> Vec<Vec<&Hit>> {
        readings(self.found(), width, most)
    }

    /// How strong the best evidence is.
    pub(super) fn strongest(&self) -> f32 {
        self.evidence.first().map_or(0.0, |evidence| evidence.strength)
    }

    /// What to show beside the answer: nothing, where nothing found is evidence.
    pub(super) fn shown(&self) -> Vec<Hit> {
        if self.passages().next().is_some() { self.hits.clone() } else { Vec::new() }
    }
}

/// Passages in the order they are read, `width` at a time. The messages around the first of a reading are read with it,
/// in place of the passages that would come next; only the first has them, so that one thread does not crowd out all
/// else. With an anchor that reads one passage at a time a message has at least one beside it: the two are as one.
fn readings<'a>(found: impl Iterator<Item = (&'a Hit, &'a [Hit])>, width: usize, most: usize) -> Vec<Vec<&'a Hit>> {
    let width = width.max(1);
    let mut readings: Vec<Vec<&'a Hit>> = Vec::new();
    for (hit, around) in found {
        if readings.iter().flatten().any(|read| holds(read, hit)) {
            continue;
        }
        if let Some(reading) = readings.last_mut().filter(|reading| reading.len() < width) {
            reading.push(hit);
            continue;
        }
        if readings.len() == most {
            break;
        }
        let fresh = around.iter().filter(|beside| !readings.iter().flatten().any(|read| holds(read, beside)));
        let reading = std::iter::once(hit).chain(fresh.take(width.max(2) - 1)).collect();
        readings.push(reading);
    }
    readings
}

/// Whether a passage is a part of another.
fn holds(whole: &Hit, part: &Hit) -> bool {
    whole.item == part.item && whole.span.start <= part.span.start && part.span.end <= whole.span.end
}

/// Passages that are few enough to be read out where nothing in them stands out: a command's output, a short note.
const HANDED_MAX: usize = 2;

/// Words that point back at an earlier turn.
const POINTERS: &[&str] =
    &["it", "its", "that", "this", "they", "them", "those", "these", "he", "she", "him", "her", "there", "then", "one"];

fn leans(text: &str, question: &Question) -> bool {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let starts = matches!(words.next(), Some("and" | "but" | "also" | "then"));
    starts || (question.terms.len() < TERMS_MIN && words.any(|word| POINTERS.contains(&word)))
}

/// Searches the memory, or the parts of it the turn is within, for a message. What is not evidence is none there either.
pub(super) async fn recall(node: &Node, text: &str, history: &[Message], turn: &Turn) -> Result<Recalled, NodeError> {
    let within = turn.within.as_slice();
    let mut question = Question::read(text);
    // The owner wants the memory left alone, or a draft: what would have been asked of it is talked about instead.
    if turn.forgo || turn.voice {
        if question.intent == Intent::Recall {
            question.intent = Intent::Converse;
        }
        return Ok(Recalled::nothing(question, history));
    }
    // "And when is it back?" has no word of its own to search for, and yet asks the memory.
    let leaning = leans(text, &question);
    // And who points at a part of the memory asks it, however it is put.
    let confined = !within.is_empty() && question.intent == Intent::Converse;
    if confined || (!history.is_empty() && text.contains('?') && leaning) {
        question.intent = Intent::Recall;
    }
    if question.intent != Intent::Recall {
        return Ok(Recalled::nothing(question, history));
    }
    let earlier = history.iter().rev().find(|message| message.role == Role::User).map(|message| message.text.as_str());
    let mut query = text.to_owned();
    let follows = match earlier {
        Some(earlier) if leaning => {
            query = format!("{earlier} {text}");
            for term in Question::read(earlier).terms {
                if !question.terms.contains(&term) {
                    question.terms.push(term);
                }
            }
            true
        }
        _ => false,
    };
    let hits =
        memory::find(node, query.clone(), within, if within.is_empty() { LOOKED_AT } else { LOOKED_AT_WITHIN }).await?;
    let pointed = !within.is_empty() && within.iter().all(|part| matches!(part, Within::Item(_)));
    let handed = pointed && !hits.is_empty() && hits.len() <= HANDED_MAX;
    let near = nearness(node, query, &hits).await;
    let index = node.index();
    let rarity = |stem: &str| index.rarity(stem);
    let mut weighed: Vec<Weighed> = hits
        .into_iter()
        .zip(near)
        .map(|(hit, near)| {
            let evidence = weigh(&question, &hit, near.iter().copied().fold(0.0, f32::max), &rarity);
            (hit, evidence, near)
        })
        .collect();
    // Stable: equal evidence keeps the search's order.
    weighed.sort_by(|a, b| b.1.strength.total_cmp(&a.1.strength));
    weighed.truncate(SHOWN);
    let weighed = node.apart("the passages around", move |node| with_parents(node, weighed)).await?;
    let near = weighed.first().map(|(.., near)| near.clone()).unwrap_or_default();
    let (hits, evidence): (Vec<Hit>, _) = weighed.into_iter().map(|(hit, evidence, _)| (hit, evidence)).unzip();
    // A thread may lead out of the part of the memory that the turn is within.
    let stages = Stages { thread: within.is_empty(), ..Stages::default() };
    let beside = node.apart("the messages around", move |node| {
        let around = hinet_index::around(&node.vault, &hits, stages)?;
        Ok((hits, around))
    });
    let (hits, around) = beside.await?;
    Ok(Recalled { question, hits, evidence, around, near, follows, handed })
}

/// A hit, what it is worth, and how near each of its sentences is.
type Weighed = (Hit, Evidence, Vec<f32>);

/// The messages of conversations with what was said right before and after each: "Yes, two of them" is found alone and
/// says nothing alone. What lies within a better one's surroundings is not shown again.
fn with_parents(node: &Node, weighed: Vec<Weighed>) -> Result<Vec<Weighed>, NodeError> {
    let mut all: Vec<Weighed> = Vec::with_capacity(weighed.len());
    for (hit, evidence, near) in weighed {
        if all.iter().any(|(other, ..)| holds(other, &hit)) {
            continue;
        }
        let (hit, near) = if hit.kind == CHAT { with_parent(node, hit, near)? } else { (hit, near) };
        all.push((hit, evidence, near));
    }
    Ok(all)
}

fn with_parent(node: &Node, mut hit: Hit, near: Vec<f32>) -> Result<(Hit, Vec<f32>), NodeError> {
    let (chunks, row) = node.vault.read(|r| Ok::<_, NodeError>((r.chunks_of(hit.item)?, r.item(hit.item)?)))?;
    let place = chunks.iter().position(|chunk| chunk.span.start == hit.span.start);
    let (Some(place), Some(row)) = (place, row) else { return Ok((hit, near)) };
    let start = chunks[place.saturating_sub(1)].span.start;
    let end = chunks[(place + 1).min(chunks.len() - 1)].span.end;
    let (Some(before), Some(text)) = (row.text.get(start..hit.span.start), row.text.get(start..end)) else {
        return Ok((hit, near));
    };
    // What was measured stays with its sentences; the others only lend their sense.
    let mut around = vec![0.0; sentences(before).len()];
    around.extend(near);
    around.resize(sentences(text).len(), 0.0);
    hit.text = text.to_owned();
    (hit.span.start, hit.span.end) = (start, end);
    Ok((hit, around))
}

/// How near each sentence of each hit is to the question in meaning; 0 for fragments, and for all where the embedder is
/// not here. A chunk's own vector drowns the one sentence that matters.
pub(crate) async fn nearness(node: &Node, question: String, hits: &[Hit]) -> Vec<Vec<f32>> {
    let most = if hits.len() > LOOKED_AT { SENTENCES_MAX_WITHIN } else { SENTENCES_MAX };
    let texts: Vec<String> = hits.iter().map(|hit| hit.text.clone()).collect();
    let silent: Vec<Vec<f32>> = texts.iter().map(|text| vec![0.0; sentences(text).len()]).collect();
    let mut near = silent.clone();
    let measured = node.apart("the evidence", move |node| {
        let parts = texts.iter().enumerate().flat_map(|(hit, text)| {
            sentences(text).into_iter().enumerate().map(move |(n, range)| (hit, n, &text[range]))
        });
        let parts: Vec<(usize, usize, &str)> =
            parts.filter(|(.., part)| part.split_whitespace().nth(WORDS_MIN - 1).is_some()).take(most).collect();
        let mut batch = vec![question.as_str()];
        batch.extend(parts.iter().map(|(.., part)| *part));
        let vectors = node.embedder()?.embed(&batch)?;
        if let Some((asked, rest)) = vectors.split_first() {
            for ((hit, n, _), vector) in parts.iter().zip(rest) {
                near[*hit][*n] = vector.iter().zip(asked).map(|(a, b)| a * b).sum::<f32>().max(0.0);
            }
        }
        Ok(near)
    });
    measured.await.unwrap_or(silent)
}

#[cfg(test)]
mod tests {
    use super::readings;
    use crate::protocol::{Hit, ItemId, ScoreParts, Span};

    fn hit(title: &str) -> Hit {
        Hit {
            item: ItemId::new(),
            source: format!("/{title}"),
            title: title.to_owned(),
            text: title.to_owned(),
            span: Span { start: 0, end: title.len() },
            score: 1.0,
            parts: ScoreParts::default(),
            modified: 0,
            kind: "mail".to_owned(),
            pinned: false,
        }
    }

    fn read(found: &[(Hit, Vec<Hit>)], width: usize) -> Vec<Vec<String>> {
        let found = found.iter().map(|(hit, around)| (hit, around.as_slice()));
        let said = |reading: Vec<&Hit>| -> Vec<String> { reading.iter().map(|hit| hit.title.clone()).collect() };
        readings(found, width, 2).into_iter().map(said).collect()
    }

    #[test]
    fn without_threads_passages_are_read_as_they_come() {
        let found: Vec<(Hit, Vec<Hit>)> = ["a", "b", "c", "d", "e"].map(|title| (hit(title), Vec::new())).into();
        assert_eq!(read(&found, 1), [["a"], ["b"]]);
        assert_eq!(read(&found, 2), [["a", "b"], ["c", "d"]]);
        assert_eq!(read(&found, 3), [vec!["a", "b", "c"], vec!["d", "e"]]);
        assert_eq!(read(&found, 0), [["a"], ["b"]]);
        assert_eq!(read(&[], 3), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_message_is_read_with_those_around_it() {
        let (asks, answers, thanks, note) = (hit("asks"), hit("answers"), hit("thanks"), hit("note"));
        let found = [
            (asks.clone(), vec![answers.clone()]),
            (note.clone(), Vec::new()),
            (answers.clone(), vec![thanks.clone(), asks.clone()]),
        ];
        assert_eq!(read(&found, 1), [vec!["asks", "answers"], vec!["note"]]);
        assert_eq!(read(&found, 2), [vec!["asks", "answers"], vec!["note"]]);
        assert_eq!(read(&found, 3), [["asks", "answers", "note"]]);
        let found = [(answers, vec![thanks, asks]), (note, Vec::new())];
        assert_eq!(read(&found, 1), [vec!["answers", "thanks"], vec!["note"]]);
        assert_eq!(read(&found, 3), [vec!["answers", "thanks", "asks"], vec!["note"]]);
    }
}
