//! Folding: a model file with what was learned added to its weights, which any runtime opens.
//!
//! The linear layers that change are written as floats of the kind asked for, because a Q4 file would round most of a
//! delta away; everything else is copied as it is. Only one tensor is in memory at a time. A folded file is another model
//! with a passport of its own: whoever serves it measures it again.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write},
};

use half::{bf16, f16};

use crate::{
    Config, Delta, ModelError,
    delta::{Place, row_order, to_checkpoint_order},
    gguf::{
        Gguf, Kind, Tensor, Value,
        write::{Head, write, write_with},
    },
    weights::floats,
};

/// What is added to one linear layer: it is given `[rows, columns]` in a Hugging Face checkpoint's order of rows.
pub type Change<'a> = dyn FnMut(Place, &mut [f32]) -> Result<(), ModelError> + 'a;

/// Writes `file` with the linear layers at `places` changed, as floats of `kind` (F32, F16 or BF16).
///
/// # Errors
/// Where the file has no such layer, a changed number does not fit into `kind`, or it cannot be written.
pub fn fold(
    file: &Gguf,
    places: &[Place],
    kind: Kind,
    change: &mut Change<'_>,
    out: &mut dyn Write,
) -> Result<(), ModelError> {
    let config = Config::from_gguf(file)?;
    let (number, encode): (i64, fn(f32, &mut Vec<u8>)) = match kind {
        Kind::F32 => (0, |number, out| out.extend(number.to_le_bytes())),
        Kind::F16 => (1, |number, out| out.extend(f16::from_f32(number).to_le_bytes())),
        Kind::BF16 => (32, |number, out| out.extend(bf16::from_f32(number).to_le_bytes())),
        _ => {
            let problem = "a fold is written as F32, F16 or BF16; a smaller kind would round the delta away".into();
            return Err(ModelError::BadDelta { problem });
        }
    };
    let changed: BTreeMap<String, Place> = places.iter().map(|place| (name(*place), *place)).collect();
    for name in changed.keys() {
        file.tensor(name)?;
    }
    let names: Vec<&str> = file.tensor_names().collect();
    let mut heads = Vec::with_capacity(names.len());
    for name in &names {
        let tensor = file.tensor(name)?;
        let kind = if changed.contains_key(*name) { kind } else { tensor.kind };
        heads.push(Head { name, shape: tensor.shape, kind });
    }
    let mut metadata = file.metadata().clone();
    metadata.insert("general.file_type".into(), Value::Int(number));
    // The writer's alignment is the usual one, whatever the file had.
    metadata.remove("general.alignment");
    // What is wrong with the numbers is an error of the model, not of the stream.
    let mut failed = None;
    let mut bytes = |index: usize| {
        let tensor = file.tensor(names[index]).map_err(io::Error::other)?;
        let Some(place) = changed.get(tensor.name) else { return Ok(Cow::Borrowed(tensor.bytes)) };
        let made = floats(&tensor).and_then(|weights| {
            let weights = changed_weights(&config, *place, weights, change)?;
            let mut bytes = Vec::with_capacity(weights.len() * kind.block().1);
            weights.iter().for_each(|weight| encode(*weight, &mut bytes));
            let fits = weights.iter().all(|weight| kind != Kind::F16 || weight.abs() <= f16::MAX.to_f32());
            let finite = fits && weights.iter().all(|weight| weight.is_finite());
            if finite { Ok(bytes) } else { Err(ModelError::NotFinite { name: tensor.name.into() }) }
        });
        made.map(Cow::Owned).map_err(|error| {
            failed = Some(error);
            io::Error::other("a tensor could not be made")
        })
    };
    let written = write_with(out, &metadata, &heads, &mut bytes);
    match (written, failed) {
        (_, Some(error)) => Err(error),
        (Err(source), None) => Err(ModelError::Write { path: "the folded model".into(), source }),
        (Ok(()), None) => Ok(()),
    }
}

/// Gives the weights of a layer to whoever changes them, in the checkpoint's order, and takes them back in the file's.
fn changed_weights(
    config: &Config,
    place: Place,
    weights: Vec<f32>,
    change: &mut Change<'_>,
) -> Result<Vec<f32>, ModelError> {
    let (rows, columns) = place.linear.shape(config);
    if weights.len() != rows * columns {
        return Err(ModelError::BadTensor { name: name(place), problem: "has another size than the model says" });
    }
    let mut ordered = to_checkpoint_order(config, place.linear, &weights, columns);
    change(place, &mut ordered)?;
    let Some(order) = row_order(config, place.linear) else { return Ok(ordered) };
    let mut out = weights;
    for (to, from) in out.chunks_exact_mut(columns).zip(order) {
        to.copy_from_slice(&ordered[from * columns..][..columns]);
    }
    Ok(out)
}

/// What a GGUF file calls a linear layer.
fn name(place: Place) -> String {
    format!("blk.{}.{}.weight", place.layer, place.linear.gguf())
}

/// Writes low-rank factors as the GGUF file that llama.cpp loads beside a model, for the model of `file`, as floats.
///
/// # Errors
/// Where the delta learned lengths of rows, which such a file has no place for, or it cannot be written.
pub fn write_lora(delta: &Delta, file: &Gguf, out: &mut dyn Write) -> Result<(), ModelError> {
    let config = Config::from_gguf(file)?;
    let refused = |problem: &str| Err(ModelError::BadDelta { problem: problem.into() });
    if delta.iter().next().is_none() {
        return refused("it holds no factors");
    }
    if delta.iter().any(|(_, factors)| factors.magnitudes.is_some()) {
        return refused(
            "it learned lengths of rows (DoRA), which GGUF has no place for; fold it into a model file instead",
        );
    }
    // One alpha stands for all: whoever reads the file multiplies with alpha over the rank of each matrix.
    #[allow(clippy::cast_precision_loss, reason = "a rank is small")]
    let alphas = delta.iter().map(|(_, factors)| delta.scale(factors) * factors.rank as f32);
    let alpha = alphas.into_iter().find(|alpha| *alpha != 0.0).unwrap_or(1.0);
    let mut parts: Vec<(String, [usize; 2], Vec<u8>)> = Vec::new();
    for (place, factors) in delta.iter() {
        let (name, rank) = (name(place), factors.rank);
        #[allow(clippy::cast_precision_loss, reason = "a rank is small")]
        let scale = delta.scale(factors) * rank as f32 / alpha;
        let order = row_order(&config, place.linear).unwrap_or_else(|| (0..factors.outputs()).collect());
        let b = order.into_iter().flat_map(|row| &factors.b[row * rank..][..rank]).map(|number| number * scale);
        let b: Vec<u8> = b.flat_map(f32::to_le_bytes).collect();
        let a: Vec<u8> = factors.a.iter().flat_map(|number| number.to_le_bytes()).collect();
        parts.push((format!("{name}.lora_a"), [rank, factors.inputs()], a));
        parts.push((format!("{name}.lora_b"), [factors.outputs(), rank], b));
    }
    let text = |text: &str| Value::Text(text.into());
    let metadata: BTreeMap<String, Value> = [
        ("general.architecture", text(file.text("general.architecture")?)),
        ("general.type", text("adapter")),
        ("general.file_type", Value::Int(0)),
        ("adapter.type", text("lora")),
        ("adapter.lora.alpha", Value::Float(f64::from(alpha))),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    let tensors: Vec<Tensor<'_>> =
        parts.iter().map(|(name, shape, bytes)| Tensor { name, shape, kind: Kind::F32, bytes }).collect();
    write(out, &metadata, &tensors).map_err(|source| ModelError::Write { path: "the factors".into(), source })
}

impl Delta {
    /// The linear layers that it changes.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        self.iter().map(|(place, _)| place).collect()
    }

    /// Adds it to the weights of one linear layer, `[rows, columns]` in the checkpoint's order of rows: `W + s·B·A`, with
    /// `DoRA`'s learned length for each row where it has them (Liu et al. 2024). Nothing changes where it has no factors.
    ///
    /// # Errors
    /// Where its factors have another shape.
    pub fn add_to(&self, place: Place, weights: &mut [f32], strength: f32) -> Result<(), ModelError> {
        let Some(factors) = self.get(place) else { return Ok(()) };
        let (columns, rows) = (factors.inputs(), factors.outputs());
        if weights.len() != rows * columns {
            return Err(ModelError::BadTensor { name: place.path(), problem: "has another shape in the model" });
        }
        let scale = strength * self.scale(factors);
        for (row, (weights, b)) in
            weights.chunks_exact_mut(columns).zip(factors.b.chunks_exact(factors.rank)).enumerate()
        {
            for (b, a) in b.iter().zip(factors.a.chunks_exact(columns)) {
                for (weight, a) in weights.iter_mut().zip(a) {
                    *weight += scale * b * a;
                }
            }
            if let Some(lengths) = &factors.magnitudes {
                let square: f64 = weights.iter().map(|weight| f64::from(*weight).powi(2)).sum();
                #[allow(clippy::cast_possible_truncation, reason = "weights are floats")]
                let factor = (f64::from(lengths[row]) / square.sqrt().max(f64::MIN_POSITIVE)) as f32;
                weights.iter_mut().for_each(|weight| *weight *= factor);
            }
        }
        Ok(())
    }
}
