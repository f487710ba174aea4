//! Reading a GGUF header: every length is capped and checked before anything is taken or reserved.

use super::{Entry, Kind, Value};
use crate::ModelError;
use std::collections::BTreeMap;

/// Array elements accepted in the whole file: three arrays over a vocabulary of a quarter million, and room.
const ELEMENTS_MAX: u64 = 4_194_304;
/// Bytes accepted in one name.
pub(super) const NAME_MAX: u64 = 4096;
/// Bytes accepted in one metadata string; the largest are chat templates of some tens of kilobytes.
const TEXT_MAX: u64 = 1 << 20;
/// Elements accepted in one tensor, so that element counts times four never overflow.
const TENSOR_ELEMENTS_MAX: u64 = 1 << 36;

pub(super) fn capped(what: &'static str, count: u64, limit: u64) -> Result<u64, ModelError> {
    if count > limit { Err(ModelError::TooMany { what, count, limit }) } else { Ok(count) }
}

/// A place in the file, and how many array elements were read so far.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) elements: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: u64, what: &'static str) -> Result<&'a [u8], ModelError> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let slice = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(ModelError::Truncated { what })?;
        self.at += slice.len();
        Ok(slice)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ModelError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64, what)?);
        Ok(out)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, ModelError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, ModelError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    pub(super) fn text(&mut self, what: &'static str, limit: u64) -> Result<String, ModelError> {
        let length = capped("bytes in a string", self.u64(what)?, limit)?;
        let bytes = self.take(length, what)?;
        let text =
            std::str::from_utf8(bytes).map_err(|_| ModelError::Malformed { problem: "a string is not UTF-8" })?;
        Ok(text.to_owned())
    }

    pub(super) fn value(&mut self, kind: u32, inside_list: bool) -> Result<Value, ModelError> {
        let what = "a metadata value";
        Ok(match kind {
            0 => Value::Int(self.array::<1>(what)?[0].into()),
            1 => Value::Int(i8::from_le_bytes(self.array(what)?).into()),
            2 => Value::Int(u16::from_le_bytes(self.array(what)?).into()),
            3 => Value::Int(i16::from_le_bytes(self.array(what)?).into()),
            4 => Value::Int(self.u32(what)?.into()),
            5 => Value::Int(i32::from_le_bytes(self.array(what)?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array(what)?).into()),
            7 => match self.array::<1>(what)?[0] {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(ModelError::Malformed { problem: "a boolean is neither 0 nor 1" }),
            },
            8 => Value::Text(self.text(what, TEXT_MAX)?),
            9 if inside_list => return Err(ModelError::Malformed { problem: "an array holds arrays" }),
            9 => self.list()?,
            10 => Value::Int(
                i64::try_from(self.u64(what)?)
                    .map_err(|_| ModelError::Malformed { problem: "an integer is beyond 63 bits" })?,
            ),
            11 => Value::Int(i64::from_le_bytes(self.array(what)?)),
            12 => Value::Float(f64::from_le_bytes(self.array(what)?)),
            _ => return Err(ModelError::Malformed { problem: "a metadata value has an unknown type" }),
        })
    }

    fn list(&mut self) -> Result<Value, ModelError> {
        let kind = self.u32("an array")?;
        let count = self.u64("an array")?;
        self.elements = self.elements.saturating_add(count);
        capped("array elements", self.elements, ELEMENTS_MAX)?;
        // Every element takes at least a byte, so a count beyond what is left of the file reserves nothing.
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(ModelError::Truncated { what: "an array" });
        }
        (0..count).map(|_| self.value(kind, true)).collect::<Result<_, _>>().map(Value::List)
    }

    pub(super) fn tensors(&mut self, count: u64, alignment: usize) -> Result<BTreeMap<String, Entry>, ModelError> {
        let what = "the list of tensors";
        let mut described = Vec::new();
        for _ in 0..count {
            let name = self.text(what, NAME_MAX)?;
            let dimensions = capped("dimensions of a tensor", self.u32(what)?.into(), 4)?;
            let mut shape = Vec::new();
            for _ in 0..dimensions {
                shape.push(usize::try_from(self.u64(what)?).unwrap_or(usize::MAX));
            }
            shape.reverse(); // GGUF writes the fastest dimension first.
            let number = self.u32(what)?;
            described.push((name, shape, number, self.u64(what)?));
        }
        let data = self.at.next_multiple_of(alignment);
        let (mut tensors, mut all) = (BTreeMap::new(), 0u64);
        for (name, shape, number, offset) in described {
            let bad = |problem| ModelError::BadTensor { name: name.clone(), problem };
            let start = usize::try_from(offset).ok().and_then(|offset| data.checked_add(offset));
            let start =
                start.filter(|start| *start <= self.bytes.len()).ok_or_else(|| bad("begins outside the file"))?;
            let kind = Kind::of(number).ok_or(number);
            let length = match kind {
                Ok(kind) => tensor_bytes(&shape, kind).ok_or_else(|| bad("has impossible dimensions"))?,
                Err(_) => 0,
            };
            let end = start.checked_add(length).filter(|end| *end <= self.bytes.len());
            let end = end.ok_or_else(|| bad("reaches beyond the end of the file"))?;
            // A small file of many tensors that share their bytes would be hashed and widened for hours.
            all = all.saturating_add(length as u64);
            if all > self.bytes.len() as u64 {
                return Err(bad("lies over another one"));
            }
            if tensors.insert(name.clone(), Entry { shape, kind, start, end }).is_some() {
                return Err(bad("appears twice"));
            }
        }
        Ok(tensors)
    }
}

fn tensor_bytes(shape: &[usize], kind: Kind) -> Option<usize> {
    let (numbers, bytes) = kind.block();
    let elements = shape.iter().try_fold(1usize, |product, &dimension| product.checked_mul(dimension))?;
    let columns = *shape.last()?;
    if elements == 0 || elements as u64 > TENSOR_ELEMENTS_MAX || !columns.is_multiple_of(numbers) {
        return None;
    }
    (elements / numbers).checked_mul(bytes)
}
