//! Model Stock (Jang et al. 2024): how far to go from the base towards the members' mean, by the angles between them.

use super::{Sink, blocks::Blocks};
use crate::ComposeError;

/// One step for the whole tensor, or one for each row. Of one member alone there is no angle; it is taken as it is.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a number of members, and a ratio")]
pub(super) fn model_stock(filter_wise: bool, blocks: &Blocks<'_>, sink: &mut Sink<'_>) -> Result<(), ComposeError> {
    let (count, columns) = (blocks.stack.members(), blocks.columns);
    let whole = if filter_wise {
        None
    } else {
        let parts = blocks.look(|block| {
            let base = blocks.base(block)?;
            let all = (0..count).map(|i| blocks.difference(i, block, &base)).collect::<Result<Vec<_>, _>>()?;
            Ok(products(&all.iter().map(Vec::as_slice).collect::<Vec<_>>()))
        })?;
        let mut sums = vec![0.0; count * count];
        parts.iter().for_each(|part| sums.iter_mut().zip(part).for_each(|(to, from)| *to += from));
        Some(step(&sums, count) as f32)
    };
    blocks.write(sink, |block, out| {
        let base = blocks.base(block)?;
        let all = (0..count).map(|i| blocks.difference(i, block, &base)).collect::<Result<Vec<_>, _>>()?;
        for (row, out) in out.chunks_exact_mut(columns).enumerate() {
            let here = row * columns..(row + 1) * columns;
            let rows: Vec<&[f32]> = all.iter().map(|numbers| &numbers[here.clone()]).collect();
            let step = whole.unwrap_or_else(|| step(&products(&rows), count) as f32) / count as f32;
            for row in rows {
                out.iter_mut().zip(row).for_each(|(to, from)| *to += from);
            }
            out.iter_mut().zip(&base[here]).for_each(|(to, base)| *to = base + step * *to);
        }
        Ok(())
    })
}

/// The products of all pairs, `[count, count]`, of which only those from the diagonal on are filled in.
fn products(all: &[&[f32]]) -> Vec<f64> {
    let count = all.len();
    let mut out = vec![0.0; count * count];
    for i in 0..count {
        for j in i..count {
            out[i * count + j] = all[i].iter().zip(all[j]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        }
    }
    out
}

/// How far to go: `n cos / (1 + (n - 1) cos)`, with the mean cosine of all pairs.
#[allow(clippy::cast_precision_loss, reason = "a number of members")]
fn step(products: &[f64], count: usize) -> f64 {
    if count < 2 {
        return 1.0;
    }
    let (mut sum, mut pairs) = (0.0, 0.0);
    for i in 0..count {
        for j in i + 1..count {
            let lengths = (products[i * count + i] * products[j * count + j]).sqrt();
            sum += (products[i * count + j] / lengths.max(1e-6)).clamp(-1.0, 1.0);
            pairs += 1.0;
        }
    }
    let (cosine, count) = (sum / pairs, count as f64);
    let below = 1.0 + (count - 1.0) * cosine;
    // Members that cancel each other out say nothing about where to go.
    if below.abs() < 1e-6 { 0.0 } else { count * cosine / below }
}
