//! A model reads public prompts layer by layer, and somebody sees what its linear layers are given.

use crate::{
    Lora, Method, TrainError, Tuner,
    engine::Engine,
    grams::PublicPrompts,
    model::Model,
    run::{Pack, Run},
    tape::Pool,
};
use hinet_model::Anchor;
use std::{ops::Range, sync::atomic::AtomicBool};

/// Rows that are read at once, unless one text is longer.
const ROWS: usize = 1024;

/// What some matrices that share their inputs are given by some texts.
pub(crate) struct Seen<'a> {
    /// The matrices, by their numbers in the graph.
    pub matrices: &'a [usize],
    /// How many inputs they have.
    pub columns: usize,
    /// The number of the first of these texts among all prompts.
    first: usize,
    segments: &'a [Range<usize>],
    inputs: &'a [f32],
}

impl Seen<'_> {
    /// Each text by its number, and its rows but for the first position: its numbers are hundreds of times larger than all
    /// others and say nothing about the text.
    pub fn texts(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let behind_first = |text: &Range<usize>| &self.inputs[(text.start + 1) * self.columns..text.end * self.columns];
        self.segments.iter().enumerate().map(move |(at, text)| (self.first + at, behind_first(text)))
    }
}

/// Whoever sees it.
pub(crate) trait Seer {
    /// Some inputs of the layer that is being read.
    fn see(&mut self, seen: &Seen<'_>) -> Result<(), TrainError>;

    /// All prompts went through this layer.
    fn end(&mut self, layer: usize) -> Result<(), TrainError>;
}

/// Has `model` read the prompts with the weights that serve. What is seen is the same for any number of threads.
///
/// # Errors
/// Where the model is a mixture or cannot read the prompts, somebody asked to stop, or whoever sees says so.
pub(crate) fn read(
    model: &Anchor,
    prompts: &PublicPrompts,
    cancel: &AtomicBool,
    seer: &mut dyn Seer,
) -> Result<(), TrainError> {
    let config = model.config();
    if let Some(layer) = config.plan.iter().position(|plan| plan.mixture) {
        return Err(TrainError::Mixture { layer });
    }
    let texts = prompts.texts();
    let longest = texts.iter().map(Vec::len).max().unwrap_or(1);
    if longest > config.context {
        let problem = format!("one has {longest} tokens, and the model reads {}; cut it", config.context);
        return Err(TrainError::Prompts { problem });
    }
    if let Some(id) = texts.iter().flatten().find(|id| **id as usize >= config.vocabulary) {
        let problem = format!("token {id} is outside the vocabulary; encode them with this model's tokenizer");
        return Err(TrainError::Prompts { problem });
    }
    let engine = Engine::new(model.kernel().checked()?, model.threads());
    // Nothing changes, so that the weights are those that serve.
    let frozen = Model::new(model, &Method::Lora(Lora { linears: Vec::new(), ..Lora::default() }), longest);
    // But for the root it stands on, where it has one, these are none.
    let values = frozen.first(&engine, 0);
    let (weights, gains) = frozen.tables(&values, &[]);
    let run = Run { model: &frozen, engine: &engine, weights: &weights, gains: &gains, cancel };
    let packs = packs(texts);
    let mut pool = Pool::default();
    let mut rows = packs.iter().map(|pack| run.embedded(pack, &mut pool)).collect::<Result<Vec<_>, _>>()?;
    for layer in 0..config.layers {
        let mut first = 0;
        for (pack, x) in packs.iter().zip(&mut rows) {
            Tuner::stopped(cancel)?;
            let segments = &pack.segments;
            let mut look = |matrices: &[usize], inputs: &[f32]| {
                seer.see(&Seen { matrices, columns: weights[matrices[0]].columns, first, segments, inputs })
            };
            *x = run.seen((pack, &mut pool), layer, std::mem::take(x), &mut look)?;
            first += segments.len();
        }
        seer.end(layer)?;
    }
    Ok(())
}

/// Texts one after the other, some rows in each.
fn packs(texts: &[Vec<u32>]) -> Vec<Pack<'static>> {
    let (mut packs, mut from, mut rows) = (Vec::new(), 0, 0);
    for (at, text) in texts.iter().enumerate() {
        if rows > 0 && rows + text.len() > ROWS {
            packs.push(Pack::texts(texts[from..at].iter().map(Vec::as_slice)));
            (from, rows) = (at, 0);
        }
        rows += text.len();
    }
    packs.push(Pack::texts(texts[from..].iter().map(Vec::as_slice)));
    packs
}
