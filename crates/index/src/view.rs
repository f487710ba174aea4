//! One committed state of the lexical index, for reading: which passages share words with a question.

use crate::{IndexError, Stages, choose::Chunks, fuse::Candidate, lexical::Fields, words};
use hinet_protocol::{ItemId, Millis};
use std::{collections::HashSet, sync::Arc};
use tantivy::{
    DocAddress, DocSet, Searcher, TERMINATED, Term,
    collector::{DocSetCollector, FilterCollector, TopDocs},
    columnar::Column,
    fieldnorm::FieldNormReader,
    query::{BooleanQuery, BoostQuery, ConstScoreQuery, Occur, Query, TermQuery},
    schema::{Field, IndexRecordOption},
};
use uuid::Uuid;

/// Weights of the fields: what a passage says counts most, exact words and labels add to it.
const BOOSTS: Boosts = Boosts { body: 1.0, plain: 0.4, title: 0.6, heading: 0.4, path: 0.3, before: 0.4 };
/// Added where somebody the question names is who says it: about what a word of middling rarity adds.
const SAYS: f32 = 4.0;
/// What such a name counts elsewhere, of what another word counts: people are called by their names in what is said to
/// them, which is the other side of what they say.
const NAMED: f32 = 0.3;

struct Boosts {
    body: f32,
    plain: f32,
    title: f32,
    heading: f32,
    path: f32,
    before: f32,
}

/// A chunk that shares words with a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shared {
    pub chunk: i64,
    pub facts: Facts,
    pub bm25: f32,
}

/// What the index knows of a chunk besides its words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Facts {
    pub item: ItemId,
    pub modified: Millis,
    /// Whether that is the time of what it tells.
    pub dated: bool,
}

impl Facts {
    pub(crate) fn candidate(self, chunk: i64, bm25: f32, cosine: Option<f32>) -> Candidate {
        Candidate { chunk, item: self.item, modified: self.modified, dated: self.dated, bm25, cosine }
    }
}

/// One committed state, for reading.
pub(crate) struct View {
    searcher: Searcher,
    columns: Vec<Columns>,
    fields: Fields,
}

struct Columns {
    chunk: Column<i64>,
    high: Column<u64>,
    low: Column<u64>,
    modified: Column<i64>,
    dated: Column<u64>,
    /// Held so that searches find them open (see [`crate::directory::SealedDirectory`]).
    _norms: Vec<FieldNormReader>,
}

impl Columns {
    fn of(segment: &tantivy::SegmentReader, fields: Fields) -> Result<Self, IndexError> {
        let fast = segment.fast_fields();
        let texts = [fields.body, fields.plain, fields.title, fields.heading, fields.path, fields.who, fields.before];
        let norms = texts.into_iter().map(|field| segment.get_fieldnorms_reader(field)).collect::<Result<_, _>>()?;
        Ok(Self {
            chunk: fast.i64("chunk")?,
            high: fast.u64("item_high")?,
            low: fast.u64("item_low")?,
            modified: fast.i64("modified")?,
            dated: fast.u64("dated")?,
            _norms: norms,
        })
    }

    fn facts(&self, doc: u32) -> Option<Facts> {
        let id = Uuid::from_u64_pair(self.high.first(doc)?, self.low.first(doc)?);
        let dated = self.dated.first(doc).is_some_and(|dated| dated > 0);
        Some(Facts { item: ItemId(id), modified: self.modified.first(doc)?, dated })
    }
}

impl View {
    /// A view of what a searcher sees.
    pub(crate) fn of(searcher: Searcher, fields: Fields) -> Result<Self, IndexError> {
        let columns = searcher.segment_readers().iter().map(|s| Columns::of(s, fields)).collect::<Result<_, _>>()?;
        Ok(Self { searcher, columns, fields })
    }

    /// How many chunks it holds.
    pub(crate) fn len(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// How many segments hold them.
    pub(crate) fn segments(&self) -> usize {
        self.columns.len()
    }

    /// The ids of all chunks.
    pub(crate) fn chunks(&self) -> HashSet<i64> {
        let readers = self.searcher.segment_readers().iter().zip(&self.columns);
        readers
            .flat_map(|(reader, columns)| reader.doc_ids_alive().filter_map(|doc| columns.chunk.first(doc)))
            .collect()
    }

    /// The `limit` best chunks for a question in free text and for `more` stemmed words, each with its weight, among
    /// those of `within` where it is given.
    pub(crate) fn search(
        &self,
        text: &str,
        more: &[(String, f32)],
        stages: Stages,
        limit: usize,
        within: Option<&Arc<Chunks>>,
    ) -> Result<Vec<Shared>, IndexError> {
        match self.query(&words::question(text), more, stages)? {
            Some(query) => self.best(&query, limit, within),
            None => Ok(Vec::new()),
        }
    }

    fn best(
        &self,
        query: &BooleanQuery,
        limit: usize,
        within: Option<&Arc<Chunks>>,
    ) -> Result<Vec<Shared>, IndexError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let best = TopDocs::with_limit(limit).order_by_score();
        let found = match within.cloned() {
            None => self.searcher.search(query, &best)?,
            Some(within) => {
                let is_within = move |chunk: i64| within.contains(chunk);
                self.searcher.search(query, &FilterCollector::new("chunk".to_owned(), is_within, best))?
            }
        };
        Ok(found.into_iter().filter_map(|(bm25, at)| self.shared(at, bm25)).collect())
    }

    /// The `limit` best chunks that have every one of these plain words, among those of `within` where it is given.
    pub(crate) fn having_all(
        &self,
        words: &[String],
        limit: usize,
        within: Option<&Arc<Chunks>>,
    ) -> Result<Vec<Shared>, IndexError> {
        let must = |word: &String| -> (Occur, Box<dyn Query>) {
            let term = Term::from_field_text(self.fields.plain, word);
            (Occur::Must, Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)))
        };
        self.best(&BooleanQuery::new(words.iter().map(must).collect()), limit, within)
    }

    /// The items that have a stemmed word in a passage, a heading, their title or their path.
    pub(crate) fn items_with(&self, stem: &str) -> Result<HashSet<ItemId>, IndexError> {
        let fields = [self.fields.body, self.fields.title, self.fields.heading, self.fields.path];
        let should = |field| -> (Occur, Box<dyn Query>) {
            let term = Term::from_field_text(field, stem);
            (Occur::Should, Box::new(TermQuery::new(term, IndexRecordOption::Basic)))
        };
        let query = BooleanQuery::new(fields.into_iter().map(should).collect());
        let found = self.searcher.search(&query, &DocSetCollector)?;
        Ok(found.into_iter().filter_map(|at| self.shared(at, 0.0)).map(|shared| shared.facts.item).collect())
    }

    fn shared(&self, at: DocAddress, bm25: f32) -> Option<Shared> {
        let columns = self.columns.get(at.segment_ord as usize)?;
        Some(Shared { chunk: columns.chunk.first(at.doc_id)?, facts: columns.facts(at.doc_id)?, bm25 })
    }

    fn query(
        &self,
        question: &words::Question,
        more: &[(String, f32)],
        stages: Stages,
    ) -> Result<Option<BooleanQuery>, IndexError> {
        let fields = self.fields;
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        let term = |field: Field, word: &str| {
            Box::new(TermQuery::new(Term::from_field_text(field, word), IndexRecordOption::WithFreqs))
        };
        let mut add = |field, word: &str, boost| {
            clauses.push((Occur::Should, Box::new(BoostQuery::new(term(field, word), boost))));
        };
        let mut speakers = Vec::new();
        for word in &question.stemmed {
            let speaks = stages.speaker && self.is_speaker(word)?;
            let share = if speaks { NAMED } else { 1.0 };
            if speaks {
                speakers.push(word);
            }
            add(fields.body, word, share * BOOSTS.body);
            add(fields.title, word, share * BOOSTS.title);
            add(fields.heading, word, share * BOOSTS.heading);
            add(fields.path, word, share * BOOSTS.path);
            if stages.before && !speaks {
                add(fields.before, word, BOOSTS.before);
            }
        }
        for word in &question.plain {
            let named = words::stems(word).iter().any(|stem| speakers.contains(&stem));
            add(fields.plain, word, if named { NAMED } else { 1.0 } * BOOSTS.plain);
        }
        for (word, weight) in more {
            add(fields.body, word, *weight);
        }
        for word in speakers {
            clauses.push((Occur::Should, Box::new(ConstScoreQuery::new(term(fields.who, word), SAYS))));
        }
        Ok((!clauses.is_empty()).then(|| BooleanQuery::new(clauses)))
    }

    /// Whether somebody of this stemmed name speaks in a conversation.
    pub(crate) fn is_speaker(&self, stem: &str) -> Result<bool, IndexError> {
        Ok(self.searcher.doc_freq(&Term::from_field_text(self.fields.who, stem))? > 0)
    }

    /// How many chunks have a stemmed word.
    pub(crate) fn frequency(&self, stem: &str) -> Result<u64, IndexError> {
        Ok(self.searcher.doc_freq(&Term::from_field_text(self.fields.body, stem))?)
    }

    /// Item and time of a chunk that was found by meaning alone.
    pub(crate) fn facts(&self, chunk: i64) -> Result<Option<Facts>, IndexError> {
        let term = Term::from_field_i64(self.fields.chunk, chunk);
        for (reader, columns) in self.searcher.segment_readers().iter().zip(&self.columns) {
            if chunk < columns.chunk.min_value() || chunk > columns.chunk.max_value() {
                continue;
            }
            let inverted = reader.inverted_index(self.fields.chunk)?;
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)? else { continue };
            let mut doc = postings.doc();
            while doc != TERMINATED {
                if !reader.is_deleted(doc) {
                    return Ok(columns.facts(doc));
                }
                doc = postings.advance();
            }
        }
        Ok(None)
    }

    /// The weight of a stemmed word: its inverse document frequency among the chunks.
    pub(crate) fn rarity(&self, stem: &str) -> Result<f32, IndexError> {
        let total = self.len() as f32;
        let frequency = self.searcher.doc_freq(&Term::from_field_text(self.fields.body, stem))? as f32;
        Ok((1.0 + (total - frequency + 0.5).max(0.0) / (frequency + 0.5)).ln())
    }

    /// How much of what a question asks for a passage holds, in 0..=1: its words, weighed by how rare they are here.
    pub(crate) fn coverage(&self, question: &str, passage: &str) -> Result<f32, IndexError> {
        let asked = words::question(question).stemmed;
        let held: HashSet<String> = words::stems(passage).into_iter().collect();
        let (mut all, mut found) = (0f32, 0f32);
        for word in asked {
            let rarity = self.rarity(&word)?;
            all += rarity;
            if held.contains(&word) {
                found += rarity;
            }
        }
        Ok(if all > 0.0 { found / all } else { 0.0 })
    }
}
