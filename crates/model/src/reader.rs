//! Reading many texts to say how likely their tokens are, on the path that serves.
//!
//! Texts that begin alike are read once as far as they agree. They are sorted, so that they form a tree; a stretch of it
//! that does not branch is one segment of a step, and its keys and values are shared by all that go on from there. A row's
//! result is the same alone and in any company, so neither the sharing nor the order changes a bit. The head runs only at
//! the rows that are asked about, some at a time.

use crate::{
    Anchor, ModelError, Resident, TokenLog,
    delta::DeltaSet,
    graph,
    kv::{KvKind, PageTable},
    ops::{FastOps, Rows},
    sample::{log_total, top_logs},
    step::Segment,
};
use std::{ops::Range, sync::OnceLock};
use zeroize::Zeroize;

/// Rows read in one step.
const ROWS: usize = 256;
/// Sequences in one step: each may need a page of its own.
const SEQUENCES: usize = 64;
/// Rows whose logits are there at once.
const LOGITS: usize = 32;

/// A text, and which of its tokens are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The tokens.
    pub tokens: &'a [u32],
    /// For each token whether its probability is wanted; the first never has one, because nothing comes before it.
    pub wanted: &'a [bool],
}

impl Asked<'_> {
    /// Tokens that have to be read: nothing after the last that is asked about, and not that one itself.
    fn read(&self) -> &[u32] {
        let last = (0..self.tokens.len()).rev().find(|at| self.wants(*at));
        &self.tokens[..last.unwrap_or(0)]
    }

    fn wants(&self, at: usize) -> bool {
        at < self.tokens.len() && self.wanted.get(at).copied().unwrap_or(false)
    }
}

/// Reads texts with some deltas.
pub struct Reader {
    anchor: Anchor,
    ops: FastOps,
    deltas: DeltaSet,
    context: usize,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader(up to {} tokens)", self.context)
    }
}

/// A stretch of the tree that is still to be read.
struct Branch {
    /// The texts that go through it, in the order in which they are sorted.
    texts: Range<usize>,
    /// Its tokens, by their positions.
    tokens: Range<usize>,
    /// What comes before it.
    table: PageTable,
}

/// How many tokens two texts agree in.
fn common(one: &[u32], two: &[u32]) -> usize {
    one.iter().zip(two).take_while(|(a, b)| a == b).count()
}

impl Anchor {
    /// Gets ready to read texts of up to `context` tokens with these deltas, each as much as its gate says.
    pub fn reader(&self, deltas: &[(Resident, f32)], context: usize) -> Result<Reader, ModelError> {
        let context = context.clamp(1, self.context());
        let ops = FastOps::new(self.running(), self.crew(), self.config(), context);
        Ok(Reader { anchor: self.clone(), ops, deltas: DeltaSet::new(self, deltas)?, context })
    }
}

impl Reader {
    /// Reads on with these weights of the experts for every token, in place of what the routers say; with none, the routers
    /// say it.
    ///
    /// # Errors
    /// Where the model has no experts, or the weights are not one finite number for each, of which some is not zero.
    pub fn set_experts(&mut self, weights: Option<&[f32]>) -> Result<(), ModelError> {
        weights.map_or(Ok(()), |weights| self.anchor.check_experts(weights))?;
        self.ops.experts = weights.map(<[f32]>::to_vec);
        Ok(())
    }

    /// For each text what is to be told of each token that is asked about, in their order, with the `top` likeliest
    /// tokens at its place.
    ///
    /// `go_on` is told how many rows are read and how many there are, and may stop it: then there is no result.
    pub fn read(
        &mut self,
        texts: &[Asked<'_>],
        top: usize,
        go_on: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Vec<Vec<TokenLog>>>, ModelError> {
        let vocabulary = self.anchor.config().vocabulary;
        let mut order = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            if text.read().is_empty() {
                continue;
            }
            self.anchor.check_prompt(text.read(), self.context)?;
            if let Some(&id) = text.tokens.iter().find(|id| **id as usize >= vocabulary) {
                return Err(ModelError::UnknownToken { id, vocabulary });
            }
            order.push(index);
        }
        let read: Vec<&[u32]> = texts.iter().map(Asked::read).collect();
        order.sort_by_key(|index| read[*index]);
        let new = |at: usize| {
            let known = at.checked_sub(1).map_or(0, |before| common(read[order[before]], read[order[at]]));
            read[order[at]].len() - known
        };
        let total = (0..order.len()).map(new).sum();
        let mut out: Vec<Vec<TokenLog>> = texts.iter().map(|_| Vec::new()).collect();
        let forest = Forest { texts, read: &read, order: &order };
        let pool = self.anchor.kv_pool().clone();
        let mut left = Vec::new();
        forest.branches(0..order.len(), 0, PageTable::new(pool, KvKind::default(), 0, None), &mut left);
        let mut done = 0;
        while !left.is_empty() {
            if !go_on(done, total) {
                return Ok(None);
            }
            done += self.step(&forest, &mut left, top, &mut out)?;
        }
        go_on(done, total);
        Ok(Some(out))
    }

    /// Reads the next rows; gives how many.
    fn step(
        &mut self,
        forest: &Forest<'_>,
        left: &mut Vec<Branch>,
        top: usize,
        out: &mut [Vec<TokenLog>],
    ) -> Result<usize, ModelError> {
        let mut chosen: Vec<(Branch, usize)> = Vec::new();
        let mut rows = 0;
        while rows < ROWS && chosen.len() < SEQUENCES {
            let Some(mut branch) = left.pop() else { break };
            let count = branch.tokens.len().min(ROWS - rows);
            match branch.table.make_room(branch.tokens.start, count) {
                Ok(()) => chosen.push((branch, count)),
                Err(error) if chosen.is_empty() => return Err(error),
                Err(_) => {
                    left.push(branch);
                    break;
                }
            }
            rows += count;
        }
        let mut tokens = Vec::with_capacity(rows);
        self.ops.deltas.begin(rows);
        for (branch, count) in &chosen {
            let start = branch.tokens.start;
            self.deltas.fill(&mut self.ops.deltas, tokens.len(), start, *count);
            tokens.extend_from_slice(&forest.text(branch.texts.start)[start..start + count]);
        }
        self.ops.step.begin(chosen.iter_mut().map(|(branch, rows)| Segment {
            table: branch.table.lend(),
            start: branch.tokens.start,
            rows: *rows,
        }));
        let anchor = self.anchor.clone();
        let Ok(x) = graph::forward(&mut self.ops, anchor.decoder(), &tokens);
        tokens.zeroize();
        chosen.iter_mut().zip(self.ops.step.end()).for_each(|((branch, _), table)| branch.table = table);
        // Rounding to int8 would hide a NaN, so it is looked for here, before the head.
        if x.data.iter().any(|number| !number.is_finite()) {
            return Err(ModelError::Diverged);
        }
        let mut questions = Vec::new();
        let mut row = 0;
        for (branch, count) in &chosen {
            for at in branch.tokens.start..branch.tokens.start + count {
                let asking = branch.texts.clone().filter(|text| forest.wants(*text, at + 1));
                let asked: Vec<usize> = asking.collect();
                if !asked.is_empty() {
                    questions.push(Question { row, at: at + 1, asked });
                }
                row += 1;
            }
        }
        for part in questions.chunks(LOGITS) {
            self.answer(forest, &x, part, top, out);
        }
        self.ops.give(x);
        for (mut branch, count) in chosen.into_iter().rev() {
            branch.tokens.start += count;
            if branch.tokens.is_empty() {
                forest.branches(branch.texts, branch.tokens.end, branch.table, left);
            } else {
                left.push(branch);
            }
        }
        Ok(rows)
    }

    /// Runs the head at the rows that are asked about.
    fn answer(&mut self, forest: &Forest<'_>, x: &Rows, part: &[Question], top: usize, out: &mut [Vec<TokenLog>]) {
        let places: Vec<usize> = part.iter().map(|question| question.row).collect();
        let picked = self.ops.copies(x, &places);
        let (anchor, crew) = (self.anchor.clone(), self.anchor.crew());
        let Ok(logits) = graph::head(&mut self.ops, anchor.decoder(), picked);
        let (width, vocabulary) = (logits.data.len() / part.len(), anchor.config().vocabulary);
        let row = |at: usize| &logits.data[at * width..][..vocabulary];
        let found: Vec<OnceLock<Found>> = part.iter().map(|_| OnceLock::new()).collect();
        crew.run(part.len(), |_, at| {
            let total = log_total(row(at));
            // Each row is looked at once.
            let _ = found[at].set(Found { total, top: top_logs(row(at), total, top) });
        });
        for (at, (question, found)) in part.iter().zip(found).enumerate() {
            let Found { total, top } = found.into_inner().unwrap_or_default();
            for text in &question.asked {
                let token = forest.texts[forest.order[*text]].tokens[question.at];
                #[allow(clippy::cast_possible_truncation, reason = "a log-probability is small")]
                let log_probability = (f64::from(row(at)[token as usize]) - total) as f32;
                out[forest.order[*text]].push(TokenLog { token, log_probability, top: top.clone() });
            }
        }
        self.ops.give(logits);
    }
}

/// A row of a step whose logits are wanted.
struct Question {
    row: usize,
    /// The position of the tokens that are asked about.
    at: usize,
    /// The texts that ask, in the order in which they are sorted.
    asked: Vec<usize>,
}

/// What is found in the logits of a row.
#[derive(Default)]
struct Found {
    /// The logarithm of the sum of their exponentials.
    total: f64,
    /// The likeliest tokens.
    top: Vec<(u32, f32)>,
}

/// Texts in the order in which they are sorted.
struct Forest<'a> {
    texts: &'a [Asked<'a>],
    read: &'a [&'a [u32]],
    order: &'a [usize],
}

impl Forest<'_> {
    fn text(&self, at: usize) -> &[u32] {
        self.read[self.order[at]]
    }

    fn wants(&self, at: usize, position: usize) -> bool {
        self.texts[self.order[at]].wants(position)
    }

    /// How these texts, which agree in the first `from` tokens, go on; the first of the branches will be read first.
    fn branches(&self, texts: Range<usize>, from: usize, table: PageTable, left: &mut Vec<Branch>) {
        let before = left.len();
        let mut first = texts.start;
        while first < texts.end {
            let Some(token) = self.text(first).get(from) else {
                // It ends here.
                first += 1;
                continue;
            };
            let alike = (first..texts.end).take_while(|at| self.text(*at).get(from) == Some(token)).count();
            let end = common(self.text(first), self.text(first + alike - 1));
            left.push(Branch { texts: first..first + alike, tokens: from..end, table: table.fork() });
            first += alike;
        }
        left[before..].reverse();
    }
}
