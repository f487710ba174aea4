//! Writing a GGUF file, version 3.
//!
//! Metadata comes in the order of its keys and tensors in the order given, so the same contents give the same bytes.
//! Numbers have the widths that programs expect: 32 bits wherever they fit, and floats of 32 bits.

use super::{Kind, Tensor, Value};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write},
};

/// The data of every tensor begins at a multiple of this.
const ALIGNMENT: usize = 32;

/// A tensor whose bytes are made when its turn comes.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// Its dimensions, slowest first.
    pub shape: &'a [usize],
    /// How its numbers are stored.
    pub kind: Kind,
}

impl Head<'_> {
    /// Bytes of its numbers.
    fn bytes(&self) -> usize {
        let (numbers, bytes) = self.kind.block();
        self.shape.iter().product::<usize>() / numbers * bytes
    }
}

/// Writes a file. Bytes of tensors are written as they are, one after the other.
pub fn write(out: &mut dyn Write, metadata: &BTreeMap<String, Value>, tensors: &[Tensor<'_>]) -> io::Result<()> {
    let heads: Vec<Head<'_>> =
        tensors.iter().map(|&Tensor { name, shape, kind, .. }| Head { name, shape, kind }).collect();
    write_with(out, metadata, &heads, &mut |index| Ok(Cow::Borrowed(tensors[index].bytes)))
}

/// Writes a file whose tensors are made one after the other, so that only one has to be in memory. `bytes` gives those of
/// each; a number of them that its head does not say is an error.
pub fn write_with<'a>(
    out: &mut dyn Write,
    metadata: &BTreeMap<String, Value>,
    tensors: &[Head<'_>],
    bytes: &mut dyn FnMut(usize) -> io::Result<Cow<'a, [u8]>>,
) -> io::Result<()> {
    let mut head = b"GGUF\x03\0\0\0".to_vec();
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        text(&mut head, key);
        let number = kind(value, false)?;
        head.extend(number.to_le_bytes());
        put(&mut head, value, number)?;
    }
    let mut offset = 0usize;
    for tensor in tensors {
        text(&mut head, tensor.name);
        head.extend(u32::try_from(tensor.shape.len()).map_err(io::Error::other)?.to_le_bytes());
        tensor.shape.iter().rev().for_each(|size| head.extend((*size as u64).to_le_bytes()));
        head.extend(tensor.kind.number().to_le_bytes());
        head.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
    out.write_all(&head)?;
    for (index, tensor) in tensors.iter().enumerate() {
        let bytes = bytes(index)?;
        if bytes.len() != tensor.bytes() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a tensor has more or fewer bytes than its shape says",
            ));
        }
        out.write_all(&bytes)?;
        out.write_all(&[0; ALIGNMENT][..bytes.len().next_multiple_of(ALIGNMENT) - bytes.len()])?;
    }
    out.flush()
}

fn text(head: &mut Vec<u8>, text: &str) {
    head.extend((text.len() as u64).to_le_bytes());
    head.extend(text.as_bytes());
}

/// GGUF's number of the type a value is written as. In lists integers have a sign, as kinds of tokens are expected to.
fn kind(value: &Value, in_list: bool) -> io::Result<u32> {
    let invalid = |problem| io::Error::new(io::ErrorKind::InvalidInput, problem);
    Ok(match value {
        Value::Int(number) if !in_list && u32::try_from(*number).is_ok() => 4,
        Value::Int(number) if i32::try_from(*number).is_ok() => 5,
        Value::Int(_) => 11,
        Value::Float(_) => 6,
        Value::Bool(_) => 7,
        Value::Text(_) => 8,
        Value::List(_) if in_list => return Err(invalid("a list of lists cannot be written")),
        Value::List(_) => 9,
    })
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the kind was chosen so that the number fits, and floats have 32 bits"
)]
fn put(head: &mut Vec<u8>, value: &Value, number: u32) -> io::Result<()> {
    match (value, number) {
        (Value::Int(value), 4) => head.extend((*value as u32).to_le_bytes()),
        (Value::Int(value), 5) => head.extend((*value as i32).to_le_bytes()),
        (Value::Int(value), _) => head.extend(value.to_le_bytes()),
        (Value::Float(value), _) => head.extend((*value as f32).to_le_bytes()),
        (Value::Bool(value), _) => head.push(u8::from(*value)),
        (Value::Text(value), _) => text(head, value),
        (Value::List(list), _) => {
            let kinds = list.iter().map(|value| kind(value, true)).collect::<io::Result<Vec<_>>>()?;
            // A list of integers is as wide as its widest; an empty list is one of strings, as merges are expected to be.
            let number = kinds.iter().copied().max().unwrap_or(8);
            let same = |kind: &u32| *kind == number || (*kind == 5 && number == 11);
            if !kinds.iter().all(same) {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "a list holds values of several types"));
            }
            head.extend(number.to_le_bytes());
            head.extend((list.len() as u64).to_le_bytes());
            list.iter().try_for_each(|value| put(head, value, number))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::{Gguf, Kind};

    #[test]
    fn what_is_written_is_read_again() {
        let list = |values: &[i64]| Value::List(values.iter().map(|value| Value::Int(*value)).collect());
        let metadata: BTreeMap<String, Value> = [
            ("a", Value::Int(7)),
            ("b", Value::Int(-7)),
            ("c", Value::Int(1 << 40)),
            ("d", Value::Float(0.5)),
            ("e", Value::Bool(true)),
            ("f", Value::Text("né".into())),
            ("g", list(&[1, -2, 3])),
            ("h", list(&[1, 1 << 40])),
            ("i", Value::List(vec![Value::Text("x".into()), Value::Text(String::new())])),
            ("j", Value::List(vec![])),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        let (first, second) = ([1u8; 12], [2u8; 34 * 4]);
        let tensors = [
            Tensor { name: "v", shape: &[3], kind: Kind::F32, bytes: &first },
            Tensor { name: "m", shape: &[2, 64], kind: Kind::Q8_0, bytes: &second },
        ];
        let mut bytes = Vec::new();
        write(&mut bytes, &metadata, &tensors).unwrap();
        let file = Gguf::from_bytes(bytes).unwrap();
        for (key, value) in &metadata {
            assert_eq!(file.find(key), Some(value), "{key}");
        }
        for tensor in tensors {
            let read = file.tensor(tensor.name).unwrap();
            assert_eq!((read.shape, read.kind, read.bytes), (tensor.shape, tensor.kind, tensor.bytes));
        }
        let mixed = Value::List(vec![Value::Int(1), Value::Text("x".into())]);
        assert!(write(&mut Vec::new(), &[("x".to_owned(), mixed)].into(), &[]).is_err());
    }

    #[test]
    fn every_kind_keeps_its_number() {
        for number in 0..64 {
            if let Some(kind) = Kind::of(number) {
                assert_eq!(kind.number(), number);
            }
        }
    }
}
