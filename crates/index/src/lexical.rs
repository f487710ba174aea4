//! Words: BM25 over body, exact words, title, heading and file name, on the sealed directory.
//!
//! One document per chunk. Nothing is stored but ids and times; the text stays in the vault. Positions are not kept.
//! The payload of each commit names the last queue entry it holds, which the vault must agree with.

use crate::{
    IndexError,
    choose::Chunks,
    directory::{MANAGED, META, SealedDirectory},
    words,
};
use hinet_protocol::{ItemId, Millis};
use hinet_vault::records::ChunkView;
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, path::PathBuf, sync::Arc};
use tantivy::{
    DocAddress, DocSet, Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, TERMINATED,
    TantivyDocument, Term,
    collector::{DocSetCollector, FilterCollector, TopDocs},
    columnar::Column,
    fieldnorm::FieldNormReader,
    index::SegmentComponent,
    indexer::{IndexWriterOptions, LogMergePolicy, NoMergePolicy},
    query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery},
    schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions},
};
use uuid::Uuid;

/// Raised whenever fields or word rules change, so that an index made by other rules is made again.
const RULES: u32 = 1;
/// What documents may take in RAM before a segment is written; the least tantivy accepts is 15 MB.
const ARENA_BYTES: usize = 24 * 1024 * 1024;
/// Larger segments are left alone by background merging, so that forgetting one item rewrites a bounded amount.
const SEGMENT_CHUNKS_MAX: usize = 20_000;

/// Weights of the fields: what a passage says counts most, exact words and labels add to it.
const BOOSTS: Boosts = Boosts { body: 1.0, plain: 0.4, title: 0.6, heading: 0.4, path: 0.3 };

struct Boosts {
    body: f32,
    plain: f32,
    title: f32,
    heading: f32,
    path: f32,
}

#[derive(Debug, Clone, Copy)]
struct Fields {
    chunk: Field,
    item_high: Field,
    item_low: Field,
    modified: Field,
    body: Field,
    plain: Field,
    title: Field,
    heading: Field,
    path: Field,
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let text = |analyzer: &str| {
        TextOptions::default().set_indexing_options(
            TextFieldIndexing::default().set_tokenizer(analyzer).set_index_option(IndexRecordOption::WithFreqs),
        )
    };
    let fields = Fields {
        chunk: builder.add_i64_field("chunk", FAST | INDEXED),
        item_high: builder.add_u64_field("item_high", FAST),
        item_low: builder.add_u64_field("item_low", FAST),
        modified: builder.add_i64_field("modified", FAST),
        body: builder.add_text_field("body", text(words::STEMMED)),
        plain: builder.add_text_field("plain", text(words::PLAIN)),
        title: builder.add_text_field("title", text(words::STEMMED)),
        heading: builder.add_text_field("heading", text(words::STEMMED)),
        path: builder.add_text_field("path", text(words::STEMMED)),
    };
    (builder.build(), fields)
}

/// What a commit says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Payload {
    rules: u32,
    seq: i64,
}

/// The lexical index with its one writer.
pub(crate) struct Lexical {
    directory: SealedDirectory,
    index: Index,
    fields: Fields,
    reader: IndexReader,
    /// Absent only inside [`Lexical::settle`], or after it failed.
    writer: Option<IndexWriter>,
}

impl Lexical {
    /// A new, empty index in place of whatever the directory holds.
    pub(crate) fn create(directory: SealedDirectory) -> Result<Self, IndexError> {
        directory.sweep(&HashSet::new())?;
        let (schema, fields) = schema();
        let index = Index::create(directory.clone(), schema, IndexSettings::default())?;
        Self::with(directory, index, fields)
    }

    /// The index the directory holds, after every block of every file was opened. Nothing where there is none.
    pub(crate) fn open(directory: SealedDirectory) -> Result<Option<Self>, IndexError> {
        use tantivy::directory::Directory as _;
        let exists = directory.exists(META.as_ref()).map_err(tantivy::TantivyError::from)?;
        if !exists {
            return Ok(None);
        }
        let (schema, fields) = schema();
        let index = Index::open(directory.clone())?;
        if index.schema() != schema {
            return Err(tantivy::TantivyError::SchemaError("the fields are those of another version".into()).into());
        }
        let mut living = files(&index)?;
        for name in &living {
            directory.verify(name).map_err(tantivy::TantivyError::from)?;
        }
        let listed = directory.atomic_read(MANAGED.as_ref()).map_err(tantivy::TantivyError::from)?;
        let listed: HashSet<PathBuf> = serde_json::from_slice(&listed).unwrap_or_default();
        if !living.is_subset(&listed) {
            return Err(tantivy::TantivyError::SystemError("the list of files is an old one".into()).into());
        }
        living.insert(MANAGED.into());
        directory.sweep(&living)?;
        Self::with(directory, index, fields).map(Some)
    }

    fn with(directory: SealedDirectory, index: Index, fields: Fields) -> Result<Self, IndexError> {
        words::register(index.tokenizers());
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let mut lexical = Self { directory, index, fields, reader, writer: None };
        lexical.writer()?;
        Ok(lexical)
    }

    fn writer(&mut self) -> Result<&mut IndexWriter, IndexError> {
        if self.writer.is_none() {
            let options = IndexWriterOptions::builder()
                .num_worker_threads(1)
                .num_merge_threads(1)
                .memory_budget_per_thread(ARENA_BYTES)
                .build();
            let writer: IndexWriter = self.index.writer_with_options(options)?;
            writer.set_merge_policy(Box::new(merge_policy()));
            self.writer = Some(writer);
        }
        Ok(self.writer.as_mut().expect("the writer was made just above"))
    }

    /// Lets go of a writer that failed, with all that is not committed: it may never write again, and what it was given
    /// is in the queue still. The next use makes a new one.
    pub(crate) fn give_up(&mut self) {
        self.writer = None;
    }

    /// The queue entry the index is at, where its rules are those of this version.
    pub(crate) fn seq(&self) -> Result<Option<i64>, IndexError> {
        let payload = self.index.load_metas()?.payload;
        let payload: Option<Payload> = payload.and_then(|json| serde_json::from_str(&json).ok());
        Ok(payload.filter(|p| p.rules == RULES).map(|p| p.seq))
    }

    /// Adds a chunk, in place of what was there under its id.
    pub(crate) fn add(&mut self, view: &ChunkView) -> Result<(), IndexError> {
        self.remove(view.chunk.id)?;
        let fields = self.fields;
        let (high, low) = view.item.id.0.as_u64_pair();
        let mut document = TantivyDocument::new();
        document.add_i64(fields.chunk, view.chunk.id);
        document.add_u64(fields.item_high, high);
        document.add_u64(fields.item_low, low);
        document.add_i64(fields.modified, view.item.modified);
        document.add_text(fields.body, &view.text);
        document.add_text(fields.plain, &view.text);
        document.add_text(fields.title, &view.item.title);
        document.add_text(fields.heading, &view.chunk.heading);
        document.add_text(fields.path, &view.item.key);
        self.writer()?.add_document(document)?;
        Ok(())
    }

    /// Removes a chunk where it is there.
    pub(crate) fn remove(&mut self, chunk: i64) -> Result<(), IndexError> {
        let term = Term::from_field_i64(self.fields.chunk, chunk);
        self.writer()?.delete_term(term);
        Ok(())
    }

    /// Commits everything since the last commit, ready to be seen; [`Lexical::make_durable`] must follow.
    pub(crate) fn commit(&mut self, seq: i64) -> Result<(), IndexError> {
        let payload = serde_json::json!(Payload { rules: RULES, seq }).to_string();
        self.directory.defer();
        let writer = self.writer()?;
        let mut prepared = writer.prepare_commit()?;
        prepared.set_payload(&payload);
        prepared.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    /// Waits until everything committed is on disk.
    pub(crate) fn make_durable(&mut self) -> Result<(), IndexError> {
        Ok(self.directory.make_durable()?)
    }

    /// Rewrites every segment that holds deleted chunks. Files are removed by [`Lexical::clear`], once no view of
    /// before is alive.
    pub(crate) fn settle(&mut self) -> Result<(), IndexError> {
        self.writer()?;
        if let Some(writer) = self.writer.take() {
            writer.wait_merging_threads()?;
        }
        self.writer()?.set_merge_policy(Box::new(NoMergePolicy));
        for meta in self.index.searchable_segment_metas()? {
            if meta.num_deleted_docs() > 0 {
                self.writer()?.merge(&[meta.id()]).wait()?;
            }
        }
        self.writer()?.set_merge_policy(Box::new(merge_policy()));
        self.reader.reload()?;
        Ok(())
    }

    /// Removes every file that no segment needs. No view of before [`Lexical::settle`] may be alive.
    pub(crate) fn clear(&mut self) -> Result<(), IndexError> {
        let collected = self.writer()?.garbage_collect_files().wait()?;
        let mut living = files(&self.index)?;
        living.insert(MANAGED.into());
        self.directory.sweep(&living)?;
        let left = collected.failed_to_delete_files.len()
            + self.index.searchable_segment_metas()?.iter().filter(|meta| meta.num_deleted_docs() > 0).count();
        if left > 0 { Err(IndexError::Remains { left }) } else { Ok(()) }
    }

    /// Opens every block of every file; the names of those that do not open, with the reason.
    pub(crate) fn verify(&self) -> Result<Vec<String>, IndexError> {
        let names = files(&self.index)?.into_iter().chain([MANAGED.into()]);
        let bad = names.filter_map(|name| {
            let error = self.directory.verify(&name).err()?;
            Some(format!("{}: {error}", name.display()))
        });
        Ok(bad.collect())
    }

    /// How many bytes the files take.
    pub(crate) fn bytes(&self) -> Result<u64, IndexError> {
        Ok(self.directory.bytes()?)
    }

    /// A view of the last commit.
    pub(crate) fn view(&self) -> Result<View, IndexError> {
        let searcher = self.reader.searcher();
        let columns =
            searcher.segment_readers().iter().map(|s| Columns::of(s, self.fields)).collect::<Result<_, _>>()?;
        Ok(View { searcher, columns, fields: self.fields })
    }
}

fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_max_docs_before_merge(SEGMENT_CHUNKS_MAX);
    policy.set_min_layer_size(2_000);
    policy.set_del_docs_ratio_before_merge(0.2);
    policy
}

/// The files of the last commit, each of which must be there: a segment has all its parts, if only as empty files, but
/// for the store that is there while it is sorted, and the deletions where it has none.
fn files(index: &Index) -> Result<HashSet<PathBuf>, IndexError> {
    let metas = index.load_metas()?;
    let mut names = metas.list_segment_files();
    names.retain(|name| name.extension().is_none_or(|part| part != "temp"));
    for segment in metas.segments.iter().filter(|segment| !segment.has_deletes()) {
        names.remove(&segment.relative_path(SegmentComponent::Delete));
    }
    names.insert(META.into());
    Ok(names)
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
    /// Held so that searches find them open (see [`SealedDirectory`]).
    _norms: Vec<FieldNormReader>,
}

impl Columns {
    fn of(segment: &tantivy::SegmentReader, fields: Fields) -> Result<Self, IndexError> {
        let fast = segment.fast_fields();
        let texts = [fields.body, fields.plain, fields.title, fields.heading, fields.path];
        let norms = texts.into_iter().map(|field| segment.get_fieldnorms_reader(field)).collect::<Result<_, _>>()?;
        Ok(Self {
            chunk: fast.i64("chunk")?,
            high: fast.u64("item_high")?,
            low: fast.u64("item_low")?,
            modified: fast.i64("modified")?,
            _norms: norms,
        })
    }

    fn facts(&self, doc: u32) -> Option<Facts> {
        let id = Uuid::from_u64_pair(self.high.first(doc)?, self.low.first(doc)?);
        Some(Facts { item: ItemId(id), modified: self.modified.first(doc)? })
    }
}

impl View {
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

    /// The `limit` best chunks for a question in free text, among those of `within` where it is given.
    pub(crate) fn search(
        &self,
        text: &str,
        limit: usize,
        within: Option<&Arc<Chunks>>,
    ) -> Result<Vec<Shared>, IndexError> {
        match self.query(&words::question(text)) {
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

    fn query(&self, question: &words::Question) -> Option<BooleanQuery> {
        let fields = self.fields;
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        let mut add = |field, word: &str, boost| {
            let term = TermQuery::new(Term::from_field_text(field, word), IndexRecordOption::WithFreqs);
            clauses.push((Occur::Should, Box::new(BoostQuery::new(Box::new(term), boost))));
        };
        for word in &question.stemmed {
            add(fields.body, word, BOOSTS.body);
            add(fields.title, word, BOOSTS.title);
            add(fields.heading, word, BOOSTS.heading);
            add(fields.path, word, BOOSTS.path);
        }
        for word in &question.plain {
            add(fields.plain, word, BOOSTS.plain);
        }
        (!clauses.is_empty()).then(|| BooleanQuery::new(clauses))
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
