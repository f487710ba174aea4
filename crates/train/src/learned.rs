//! What was learned, in the forms others read: a PEFT adapter, or differences of whole matrices.

use crate::{
    TrainError, Tuner,
    model::{Part, gains_of, matrices_of, place},
    products::transposed,
    recipe::Method,
};
use hinet_model::{
    Anchor, Config, Delta,
    delta::{Factors, Linear, to_checkpoint_order},
    kernels::STRIP,
};

/// How one tensor of a Hugging Face checkpoint differs from the anchor's, in the checkpoint's order of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The tensor's name, such as `model.layers.0.mlp.up_proj.weight`.
    pub name: String,
    /// `[rows, columns]`, or `[width]` for the gains of a norm.
    pub shape: Vec<usize>,
    /// What is to be added to it.
    pub numbers: Vec<f32>,
}

impl Tuner {
    /// What was learned as a delta, which [`Anchor::attach`] and PEFT read.
    ///
    /// Only low-rank methods have one; of the others there are [`Tuner::differences`].
    pub fn delta(&self) -> Result<Delta, TrainError> {
        let Method::Lora(lora) = &self.model.method else {
            let problem = "whole matrices were tuned, which are no low-rank delta; ask for the differences instead";
            return Err(TrainError::Form { problem });
        };
        let config = self.model.anchor.config();
        let mut delta = Delta::new(Some(self.model.anchor.passport().clone()));
        delta.rank_stabilised = lora.rank_stabilised;
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut pieces = self.model.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            let numbers = &self.values[piece.at..][..piece.count];
            let Some(place) = place(piece.index, config.layers) else { continue };
            // Of what stands on a root only what is new.
            if !lora.linears.contains(&place.linear) {
                continue;
            }
            let (rows, columns) = place.linear.shape(config);
            let (rank, new) = (piece.rank, piece.under..piece.under + lora.rank);
            let mut magnitudes = None;
            match piece.part {
                Part::A => {
                    a = transposed(numbers, columns, rank)[new.start * columns..new.end * columns].to_vec();
                }
                Part::B => {
                    let all = transposed(numbers, rank, rows);
                    let kept: Vec<f32> = all.chunks_exact(rank).flat_map(|row| &row[new.clone()]).copied().collect();
                    b = to_checkpoint_order(config, place.linear, &kept, lora.rank);
                }
                Part::Lengths => magnitudes = Some(to_checkpoint_order(config, place.linear, numbers, 1)),
                Part::Whole | Part::Gains => continue,
            }
            // All parts of a matrix follow one another.
            if pieces.peek().is_none_or(|next| next.index != piece.index) {
                let (a, b) = (std::mem::take(&mut a), std::mem::take(&mut b));
                delta.insert(place, Factors { rank: lora.rank, a, b, alpha: lora.alpha, magnitudes })?;
            }
        }
        Ok(delta)
    }

    /// What was learned as differences of whole tensors. Only full methods have them.
    pub fn differences(&self) -> Result<Vec<Difference>, TrainError> {
        if matches!(self.model.method, Method::Lora(_)) {
            let problem = "low-rank factors were tuned; ask for the delta instead";
            return Err(TrainError::Form { problem });
        }
        let (anchor, config) = (&self.model.anchor, self.model.anchor.config());
        let (matrices, gains, norms) = (matrices_of(anchor), gains_of(anchor), norm_names(anchor));
        let mut all = Vec::new();
        for piece in &self.model.pieces {
            let numbers = &self.values[piece.at..][..piece.count];
            if piece.part == Part::Gains {
                let numbers: Vec<f32> = numbers.iter().zip(gains[piece.index]).map(|(new, old)| new - old).collect();
                all.push(Difference { name: norms[piece.index].clone(), shape: vec![numbers.len()], numbers });
                continue;
            }
            let matrix = matrices[piece.index];
            let (rows, columns) = (matrix.rows, matrix.columns);
            let mut out = vec![0.0; rows * columns];
            for (row, out) in out.chunks_exact_mut(columns).enumerate() {
                matrix.row(row, out);
                let strip = &numbers[row / STRIP * columns * STRIP..][..columns * STRIP];
                for (out, new) in out.iter_mut().zip(strip.iter().skip(row % STRIP).step_by(STRIP)) {
                    *out = new - *out;
                }
            }
            let (name, linear) = match place(piece.index, config.layers) {
                Some(place) => (format!("{}.weight", place.path()), Some(place.linear)),
                None if piece.index == 0 => ("model.embed_tokens.weight".to_owned(), None),
                None => ("lm_head.weight".to_owned(), None),
            };
            let numbers =
                linear.map_or(out.clone(), |linear: Linear| to_checkpoint_order(config, linear, &out, columns));
            all.push(Difference { name, shape: vec![rows, columns], numbers });
        }
        Ok(all)
    }
}

/// What Hugging Face calls the norms, by their numbers in the graph.
fn norm_names(anchor: &Anchor) -> Vec<String> {
    let config: &Config = anchor.config();
    let mut names = Vec::new();
    for index in 0..config.layers {
        let mut put = |name: &str| names.push(format!("model.layers.{index}.{name}.weight"));
        put("input_layernorm");
        if config.head_norms {
            put("self_attn.q_norm");
            put("self_attn.k_norm");
        }
        if config.post_norms {
            put("post_attention_layernorm");
            put("pre_feedforward_layernorm");
            put("post_feedforward_layernorm");
        } else {
            put("post_attention_layernorm");
        }
    }
    names.push("model.norm.weight".into());
    names
}
