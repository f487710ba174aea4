//! Along the arc between two weights (Shoemake 1985).

use super::{Sink, blocks::Blocks};
use crate::{ComposeError, error::recipe};

/// Beyond this cosine two directions are taken as one, and the way between them as straight.
const STRAIGHT: f64 = 0.9995;

/// From the base (`t` of 0) to the one member (`t` of 1), each tensor as one direction.
#[allow(clippy::cast_possible_truncation, reason = "two coefficients")]
pub(super) fn slerp(t: f32, blocks: &Blocks<'_>, sink: &mut Sink<'_>) -> Result<(), ComposeError> {
    if blocks.stack.members() != 1 {
        return Err(recipe("slerp goes from the base to one member; merge several by another method"));
    }
    let parts = blocks.look(|block| {
        let (base, mut member) = (blocks.base(block)?, blocks.room(block));
        blocks.stack.member(0, block.first, &mut member)?;
        let mut sums = [0.0f64; 3];
        for (a, b) in base.iter().zip(&member) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            sums[0] += a * a;
            sums[1] += b * b;
            sums[2] += a * b;
        }
        Ok(sums)
    })?;
    let sum = |index: usize| parts.iter().map(|part| part[index]).sum::<f64>();
    let length = |square: f64| if square.sqrt() > 1e-8 { square.sqrt() } else { 1.0 };
    let cosine = (sum(2) / length(sum(0)) / length(sum(1))).clamp(-1.0, 1.0);
    let t = f64::from(t);
    let (from, to) = if cosine.abs() > STRAIGHT {
        (1.0 - t, t)
    } else {
        let angle = cosine.acos();
        (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin())
    };
    let (from, to) = (from as f32, to as f32);
    blocks.write(sink, |block, out| {
        let base = blocks.base(block)?;
        blocks.stack.member(0, block.first, out)?;
        out.iter_mut().zip(&base).for_each(|(b, a)| *b = from * a + to * *b);
        Ok(())
    })
}
