//! The matrices of a file, repacked into strips for the kernels.
//!
//! Every kind keeps its numbers exactly and about the size it has in the file. `Q3_K` becomes the strips of `Q6_K`, which
//! can say all it says; `Q2_K` has minimums that no strip has, and is widened to floats.

use super::{floats, half};
use crate::{
    ModelError,
    gguf::{Kind, Tensor},
    kernels::{
        BLOCK, Matrix, Q4Block, Q4KBlock, Q4MinBlock, Q5Block, Q5KBlock, Q5MinBlock, Q6KBlock, Q8Block, STRIP, Strips,
    },
    shelf::Shelf,
};
use half::f16;

/// Columns of a superblock.
const SUPER: usize = 256;

/// Repacks a tensor of two dimensions whose columns are a multiple of 32.
pub(crate) fn matrix_of(tensor: &Tensor<'_>) -> Result<Matrix, ModelError> {
    let wrong = |problem| ModelError::BadTensor { name: tensor.name.into(), problem };
    let [rows, columns] = *tensor.shape else { return Err(wrong("is not a matrix")) };
    let (numbers, size) = tensor.kind.block();
    if !columns.is_multiple_of(BLOCK) || !columns.is_multiple_of(numbers) {
        return Err(wrong("has rows that end in the middle of a block"));
    }
    if rows.checked_mul(columns / numbers * size) != Some(tensor.bytes.len()) {
        return Err(wrong("is not as long as its shape says"));
    }
    let strips = match tensor.kind {
        Kind::Q4_0 => Strips::Q4(blocks(tensor, Q4Block::ZERO, |to: &mut Q4Block, row, bytes| {
            to.set_row(row, &bytes[2..], half(bytes).to_bits());
            [half(bytes)]
        })?),
        Kind::Q4_1 => Strips::Q4Min(blocks(tensor, Q4MinBlock::ZERO, |to: &mut Q4MinBlock, row, bytes| {
            let (scale, min) = (half(bytes), half(&bytes[2..]));
            to.set_row(row, &bytes[4..], scale.to_bits(), min.to_bits());
            [scale, min]
        })?),
        Kind::Q5_0 => Strips::Q5(blocks(tensor, Q5Block::ZERO, |to: &mut Q5Block, row, bytes| {
            to.set_row(row, &five_bit(&bytes[2..]), half(bytes).to_bits());
            [half(bytes)]
        })?),
        Kind::Q5_1 => Strips::Q5Min(blocks(tensor, Q5MinBlock::ZERO, |to: &mut Q5MinBlock, row, bytes| {
            let (scale, min) = (half(bytes), half(&bytes[2..]));
            to.set_row(row, &five_bit(&bytes[4..]), scale.to_bits(), min.to_bits());
            [scale, min]
        })?),
        Kind::Q8_0 => Strips::Q8(blocks(tensor, Q8Block::ZERO, |to: &mut Q8Block, row, bytes| {
            to.set_row(row, &bytes[2..], half(bytes).to_bits());
            [half(bytes)]
        })?),
        Kind::Q4K => Strips::Q4K(blocks(tensor, Q4KBlock::ZERO, q4_k)?),
        Kind::Q5K => Strips::Q5K(blocks(tensor, Q5KBlock::ZERO, q5_k)?),
        Kind::Q6K => Strips::Q6K(blocks(tensor, Q6KBlock::ZERO, q6_k)?),
        Kind::Q3K => Strips::Q6K(blocks(tensor, Q6KBlock::ZERO, q3_k)?),
        Kind::F16 => {
            let finite = |bits: u16| f16::from_bits(bits).is_finite().then_some(bits);
            Strips::Half(transposed(tensor, |bytes: &[u8; 2]| finite(u16::from_le_bytes(*bytes)))?)
        }
        Kind::BF16 => {
            let finite = |bits: u16| half::bf16::from_bits(bits).is_finite().then_some(bits);
            Strips::Brain(transposed(tensor, |bytes: &[u8; 2]| finite(u16::from_le_bytes(*bytes)))?)
        }
        Kind::F32 => {
            let finite = |number: f32| number.is_finite().then_some(number);
            Strips::Dense(transposed(tensor, |bytes: &[u8; 4]| finite(f32::from_le_bytes(*bytes)))?)
        }
        Kind::Q2K => {
            let all = floats(tensor)?;
            let mut strips = Shelf::filled(0.0, rows.div_ceil(STRIP) * STRIP * columns);
            for (index, row) in all.chunks_exact(columns).enumerate() {
                place(&mut strips, index, row.iter().copied());
            }
            Strips::Dense(strips)
        }
    };
    Ok(Matrix { rows, columns, strips, slot: None })
}

/// Repacks a matrix of blocks; `set` puts one row's block in its place and gives back the half floats it holds.
fn blocks<B: Copy, const N: usize>(
    tensor: &Tensor<'_>,
    zero: B,
    set: impl Fn(&mut B, usize, &[u8]) -> [f16; N],
) -> Result<Shelf<B>, ModelError> {
    let (numbers, size) = tensor.kind.block();
    let (rows, count) = (tensor.shape[0], tensor.shape[1] / numbers);
    let mut strips = Shelf::filled(zero, rows.div_ceil(STRIP) * count);
    for (row, bytes) in tensor.bytes.chunks_exact(count * size).enumerate() {
        let strip = &mut strips[row / STRIP * count..][..count];
        for (to, bytes) in strip.iter_mut().zip(bytes.chunks_exact(size)) {
            if !set(to, row % STRIP, bytes).iter().all(|half| half.is_finite()) {
                return Err(ModelError::NotFinite { name: tensor.name.into() });
            }
        }
    }
    Ok(strips)
}

/// Repacks a matrix of numbers; `read` refuses what is not finite.
fn transposed<W: Copy + Default, const N: usize>(
    tensor: &Tensor<'_>,
    read: impl Fn(&[u8; N]) -> Option<W>,
) -> Result<Shelf<W>, ModelError> {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1]);
    let mut strips = Shelf::filled(W::default(), rows.div_ceil(STRIP) * STRIP * columns);
    let mut finite = true;
    for (index, row) in tensor.bytes.chunks_exact(columns * N).enumerate() {
        let numbers = row.as_chunks::<N>().0.iter().map(&read);
        place(
            &mut strips,
            index,
            numbers.map(|number| {
                number.unwrap_or_else(|| {
                    finite = false;
                    W::default()
                })
            }),
        );
    }
    if finite { Ok(strips) } else { Err(ModelError::NotFinite { name: tensor.name.into() }) }
}

/// Puts one row into strips of numbers.
fn place<W>(strips: &mut [W], index: usize, row: impl ExactSizeIterator<Item = W>) {
    let strip = &mut strips[index / STRIP * STRIP * row.len()..];
    for (to, number) in strip.chunks_exact_mut(STRIP).zip(row) {
        to[index % STRIP] = number;
    }
}

/// The codes of `Q5_0` and `Q5_1`: four bytes of fifth bits, sixteen of the others.
fn five_bit(bytes: &[u8]) -> [u8; BLOCK] {
    let fifth = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    std::array::from_fn(|column| {
        let byte = bytes[4 + column % 16];
        let low = if column < 16 { byte & 15 } else { byte >> 4 };
        low | u8::from(fifth >> column & 1 == 1) << 4
    })
}

/// The whole scale and minimum of a part of `Q4_K` and `Q5_K`: six bits each, in twelve bytes.
fn six_bits(bytes: &[u8], part: usize) -> (u8, u8) {
    if part < 4 {
        (bytes[part] & 63, bytes[part + 4] & 63)
    } else {
        let low = bytes[part + 4];
        (low & 15 | bytes[part - 4] >> 6 << 4, low >> 4 | bytes[part] >> 6 << 4)
    }
}

/// The four bits of a part: two parts share 32 bytes.
fn four_bit(bytes: &[u8], part: usize) -> [u8; BLOCK] {
    std::array::from_fn(|column| {
        let byte = bytes[32 * (part / 2) + column];
        if part.is_multiple_of(2) { byte & 15 } else { byte >> 4 }
    })
}

fn q4_k(to: &mut Q4KBlock, row: usize, bytes: &[u8]) -> [f16; 2] {
    let (scale, min) = (half(bytes), half(&bytes[2..]));
    (to.scale[row], to.min[row]) = (scale.to_bits(), min.to_bits());
    for part in 0..SUPER / BLOCK {
        let (scale, min) = six_bits(&bytes[4..16], part);
        to.set_row(part, row, &four_bit(&bytes[16..], part), scale, min);
    }
    [scale, min]
}

fn q5_k(to: &mut Q5KBlock, row: usize, bytes: &[u8]) -> [f16; 2] {
    let (scale, min) = (half(bytes), half(&bytes[2..]));
    (to.scale[row], to.min[row]) = (scale.to_bits(), min.to_bits());
    for part in 0..SUPER / BLOCK {
        let (scale, min) = six_bits(&bytes[4..16], part);
        let mut codes = four_bit(&bytes[48..], part);
        for (code, fifth) in codes.iter_mut().zip(&bytes[16..48]) {
            *code |= (fifth >> part & 1) << 4;
        }
        to.set_row(part, row, &codes, scale, min);
    }
    [scale, min]
}

fn q6_k(to: &mut Q6KBlock, row: usize, bytes: &[u8]) -> [f16; 1] {
    let scale = half(&bytes[208..]);
    to.scale[row] = scale.to_bits();
    for part in 0..SUPER / BLOCK {
        // Four parts share 64 bytes of low bits and 32 bytes of high ones.
        let (group, place) = (part / 4, part % 4);
        let codes = std::array::from_fn(|column| {
            let low = bytes[64 * group + 32 * (place % 2) + column];
            let high = bytes[128 + 32 * group + column] >> (2 * place) & 3;
            (if place < 2 { low & 15 } else { low >> 4 }) | high << 4
        });
        let factors = [bytes[192 + 2 * part].cast_signed(), bytes[193 + 2 * part].cast_signed()];
        to.set_row(part, row, &codes, factors);
    }
    [scale]
}

/// `scale · (s - 32) · (q - 4)`, where `q` has its third bit apart: as codes that count from -32.
fn q3_k(to: &mut Q6KBlock, row: usize, bytes: &[u8]) -> [f16; 1] {
    let scale = half(&bytes[108..]);
    to.scale[row] = scale.to_bits();
    let factor = |index: usize| {
        let low = bytes[96 + index % 8] >> (4 * (index / 8)) & 15;
        let high = bytes[104 + index % 4] >> (2 * (index / 4)) & 3;
        (low | high << 4).cast_signed() - 32
    };
    for part in 0..SUPER / BLOCK {
        let codes = std::array::from_fn(|column| {
            let low = bytes[32 + 32 * (part / 4) + column] >> (2 * (part % 4)) & 3;
            let high = bytes[column] >> part & 1;
            low + 4 * high + 28
        });
        to.set_row(part, row, &codes, [factor(2 * part), factor(2 * part + 1)]);
    }
    [scale]
}
