//! Words: BM25 over body, exact words, title, heading and file name, and for what was said in a conversation over who
//! said it and what was said before it, on the sealed directory.
//!
//! One document per chunk. Nothing is stored but ids and times; the text stays in the vault. Positions are not kept.
//! The payload of each commit names the last queue entry it holds, which the vault must agree with.

use crate::{
    IndexError,
    chunk::{CHAT, speaker},
    directory::{MANAGED, META, SealedDirectory},
    view::View,
    words,
};
use hinet_vault::records::ChunkView;
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, path::PathBuf};
use tantivy::{
    Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, TantivyDocument, Term,
    index::SegmentComponent,
    indexer::{IndexWriterOptions, LogMergePolicy, NoMergePolicy},
    schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions},
};

/// Raised whenever fields or word rules change, so that an index made by other rules is made again.
const RULES: u32 = 2;
/// What documents may take in RAM before a segment is written; the least tantivy accepts is 15 MB.
const ARENA_BYTES: usize = 24 * 1024 * 1024;
/// Larger segments are left alone by background merging, so that forgetting one item rewrites a bounded amount.
const SEGMENT_CHUNKS_MAX: usize = 20_000;

/// Kinds of items whose time is the time of what they tell: a file's is only that of its last change.
const DATED: &[&str] = &[CHAT, "mail", "event"];

#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    pub chunk: Field,
    pub item_high: Field,
    pub item_low: Field,
    pub modified: Field,
    pub dated: Field,
    pub body: Field,
    pub plain: Field,
    pub title: Field,
    pub heading: Field,
    pub path: Field,
    /// Of a conversation only: who says it, and what was said before it.
    pub who: Field,
    pub before: Field,
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
        dated: builder.add_u64_field("dated", FAST),
        body: builder.add_text_field("body", text(words::STEMMED)),
        plain: builder.add_text_field("plain", text(words::PLAIN)),
        title: builder.add_text_field("title", text(words::STEMMED)),
        heading: builder.add_text_field("heading", text(words::STEMMED)),
        path: builder.add_text_field("path", text(words::STEMMED)),
        who: builder.add_text_field("who", text(words::STEMMED)),
        before: builder.add_text_field("before", text(words::STEMMED)),
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
        document.add_u64(fields.dated, u64::from(DATED.contains(&view.item.kind.as_str())));
        document.add_text(fields.body, &view.text);
        document.add_text(fields.plain, &view.text);
        document.add_text(fields.title, &view.item.title);
        let talk = view.item.kind == CHAT;
        document.add_text(if talk { fields.before } else { fields.heading }, &view.chunk.heading);
        if let Some(who) = talk.then(|| speaker(&view.text)).flatten() {
            document.add_text(fields.who, who);
        }
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
        View::of(self.reader.searcher(), self.fields)
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
