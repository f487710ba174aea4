//! Vectors in RAM: one signed byte per dimension, scanned exactly.
//!
//! Stored form (version 1, little endian): `[1u8][0u8][dim u16][scale f32][dim × i8]`; the vector is `scale × bytes`
//! and has unit length up to rounding. Removing overwrites the bytes. Results do not depend on the number of
//! threads: threads split rows, never a sum, and equal scores are ordered by chunk.

use crate::{IndexError, kernel};
use hinet_protocol::ItemId;
use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap},
};

const VERSION: u8 = 1;
const HEADER: usize = 8;
/// Below so many rows a second thread costs more than it saves.
const ROWS_PER_THREAD_MIN: usize = 4096;
/// Embedders of the class used here have 384 to 1024 dimensions; anything beyond this is not a sentence vector.
const DIM_MAX: usize = 4096;

/// The stored form of a vector.
///
/// # Errors
/// Where it is empty, longer than 4096, or holds a number that is not finite.
pub fn encode(vector: &[f32]) -> Result<Vec<u8>, IndexError> {
    let norm = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if vector.is_empty() || vector.len() > DIM_MAX || !norm.is_finite() {
        return Err(IndexError::NotAVector);
    }
    let norm = if norm > 0.0 { norm as f32 } else { 1.0 };
    let largest = vector.iter().fold(0f32, |max, x| max.max(x.abs())) / norm;
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    let mut out = Vec::with_capacity(HEADER + vector.len());
    out.extend([VERSION, 0]);
    out.extend((vector.len() as u16).to_le_bytes());
    out.extend(scale.to_le_bytes());
    out.extend(vector.iter().map(|x| ((x / norm / scale).round().clamp(-127.0, 127.0) as i8) as u8));
    Ok(out)
}

/// The scale and the bytes of a stored vector; nothing where it is not one.
#[must_use]
pub fn decode(stored: &[u8]) -> Option<(f32, &[u8])> {
    let (head, body) = stored.split_first_chunk::<HEADER>()?;
    let dim = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let scale = f32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    (head[0] == VERSION && head[1] == 0 && body.len() == dim && dim > 0 && scale.is_finite()).then_some((scale, body))
}

/// A vector that is asked with, in 16 bits, so that only the stored side is coarse.
#[derive(Debug, Clone)]
pub struct Probe {
    values: Vec<i16>,
    scale: f32,
}

impl Probe {
    /// Prepares a vector of any length greater than zero.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn new(vector: &[f32]) -> Result<Self, IndexError> {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if vector.is_empty() || vector.len() > DIM_MAX || !norm.is_finite() {
            return Err(IndexError::NotAVector);
        }
        // The largest value whose products, summed over all dimensions, still fit 32 bits.
        let limit = (i32::MAX / 127 / vector.len() as i32).min(i32::from(i16::MAX)) as f32;
        let largest = vector.iter().fold(0f32, |max, x| max.max(x.abs()));
        let step = if largest > 0.0 { largest / limit } else { 1.0 };
        let values = vector.iter().map(|x| (x / step).round().clamp(-limit, limit) as i16).collect();
        Ok(Self { values, scale: if norm > 0.0 { step / norm } else { 0.0 } })
    }
}

/// A chunk and how near it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// The chunk.
    pub chunk: i64,
    /// Its item.
    pub item: ItemId,
    /// The cosine, in -1..=1.
    pub cosine: f32,
}

/// All vectors of one embedder.
#[derive(Debug, Default)]
pub struct Vectors {
    dim: usize,
    values: Vec<i8>,
    scales: Vec<f32>,
    chunks: Vec<i64>,
    items: Vec<ItemId>,
    rows: HashMap<i64, u32>,
}

impl Vectors {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Dimensions; 0 until the first vector came.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Whether a chunk has a vector here.
    #[must_use]
    pub fn contains(&self, chunk: i64) -> bool {
        self.rows.contains_key(&chunk)
    }

    /// All chunks that have a vector, in no particular order.
    #[must_use]
    pub fn chunks(&self) -> &[i64] {
        &self.chunks
    }

    /// The bytes of a chunk's vector.
    #[must_use]
    pub fn values(&self, chunk: i64) -> Option<&[i8]> {
        let row = *self.rows.get(&chunk)? as usize;
        Some(&self.values[row * self.dim..(row + 1) * self.dim])
    }

    /// Adds or replaces a chunk's stored vector. False where it is not one, or of another dimension.
    pub fn insert(&mut self, chunk: i64, item: ItemId, stored: &[u8]) -> bool {
        let Some((scale, bytes)) = decode(stored) else { return false };
        if self.is_empty() {
            self.dim = bytes.len();
        }
        if bytes.len() != self.dim {
            return false;
        }
        self.remove(chunk);
        self.rows.insert(chunk, self.chunks.len() as u32);
        self.values.extend(bytes.iter().map(|byte| *byte as i8));
        self.scales.push(scale);
        self.chunks.push(chunk);
        self.items.push(item);
        true
    }

    /// Removes a chunk's vector and overwrites its bytes.
    pub fn remove(&mut self, chunk: i64) -> bool {
        let Some(row) = self.rows.remove(&chunk) else { return false };
        let (row, last, dim) = (row as usize, self.chunks.len() - 1, self.dim);
        self.values.copy_within(last * dim..(last + 1) * dim, row * dim);
        self.values[last * dim..].fill(0);
        self.values.truncate(last * dim);
        self.scales.swap_remove(row);
        self.chunks.swap_remove(row);
        self.items.swap_remove(row);
        if row < last {
            self.rows.insert(self.chunks[row], row as u32);
        }
        true
    }

    /// The cosine of one chunk.
    #[must_use]
    pub fn cosine(&self, chunk: i64, probe: &Probe) -> Option<f32> {
        let row = *self.rows.get(&chunk)? as usize;
        (probe.values.len() == self.dim).then(|| {
            self.score(row, kernel::dot(&self.values[row * self.dim..(row + 1) * self.dim], &probe.values), probe)
        })
    }

    /// The item of a chunk.
    #[must_use]
    pub fn item(&self, chunk: i64) -> Option<ItemId> {
        self.rows.get(&chunk).map(|row| self.items[*row as usize])
    }

    fn score(&self, row: usize, dot: i32, probe: &Probe) -> f32 {
        let cosine = dot as f32 * self.scales[row] * probe.scale;
        if cosine.is_finite() { cosine.clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// The `k` nearest, nearest first, by an exact scan on up to `threads` threads.
    ///
    /// # Errors
    /// Where the probe has another dimension.
    pub fn nearest(&self, probe: &Probe, k: usize, threads: usize) -> Result<Vec<Near>, IndexError> {
        self.nearest_among(probe, k, threads, &|_| true)
    }

    /// [`Self::nearest`] among the chunks that `among` says yes to.
    ///
    /// # Errors
    /// As [`Self::nearest`].
    pub fn nearest_among(
        &self,
        probe: &Probe,
        k: usize,
        threads: usize,
        among: &(dyn Fn(i64) -> bool + Sync),
    ) -> Result<Vec<Near>, IndexError> {
        if self.is_empty() || k == 0 {
            return Ok(Vec::new());
        }
        if probe.values.len() != self.dim {
            return Err(IndexError::Dimension { expected: self.dim, got: probe.values.len() });
        }
        let parts = threads.clamp(1, self.len().div_ceil(ROWS_PER_THREAD_MIN));
        let each = self.len().div_ceil(parts);
        let mut best = if parts == 1 {
            self.scan(0, self.len(), probe, k, among)
        } else {
            use rayon::prelude::*;
            let scanned: Vec<Vec<Ranked>> = (0..parts)
                .into_par_iter()
                .map(|part| self.scan(part * each, self.len().min((part + 1) * each), probe, k, among))
                .collect();
            scanned.into_iter().flatten().collect()
        };
        best.sort_unstable_by(|a, b| b.cmp(a));
        best.truncate(k);
        Ok(best.into_iter().map(|r| Near { chunk: r.chunk, item: self.items[r.row], cosine: r.cosine }).collect())
    }

    fn scan(&self, from: usize, to: usize, probe: &Probe, k: usize, among: &dyn Fn(i64) -> bool) -> Vec<Ranked> {
        let mut heap: BinaryHeap<std::cmp::Reverse<Ranked>> = BinaryHeap::with_capacity(k + 1);
        let mut floor = f32::NEG_INFINITY;
        kernel::dots(&self.values[from * self.dim..to * self.dim], self.dim, &probe.values, &mut |offset, dot| {
            let row = from + offset;
            let cosine = self.score(row, dot, probe);
            if cosine < floor || !among(self.chunks[row]) {
                return;
            }
            heap.push(std::cmp::Reverse(Ranked { cosine, chunk: self.chunks[row], row }));
            if heap.len() > k {
                heap.pop();
                floor = heap.peek().map_or(floor, |worst| worst.0.cosine);
            }
        });
        heap.into_iter().map(|r| r.0).collect()
    }
}

#[derive(Debug, Clone, Copy)]
struct Ranked {
    cosine: f32,
    chunk: i64,
    row: usize,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cosine.total_cmp(&other.cosine).then(other.chunk.cmp(&self.chunk))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    fn unit(rng: &mut StdRng, dim: usize) -> Vec<f32> {
        let v: Vec<f32> = (0..dim).map(|_| rng.random_range(-1.0f32..1.0)).collect();
        let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
        v.into_iter().map(|x| x / norm).collect()
    }

    #[test]
    fn the_stored_form_is_what_it_was() {
        let stored = encode(&[0.0, 0.6, -0.8]).unwrap();
        assert_eq!(stored, [1, 0, 3, 0, 0xa0, 0x69, 0xce, 0x3b, 0, 95, 129], "golden vector of version 1");
        assert!(decode(&stored).is_some());
        for cut in 0..stored.len() {
            assert!(decode(&stored[..cut]).is_none(), "cut at {cut}");
        }
        assert!(decode(&[&[2], &stored[1..]].concat()).is_none(), "a newer version is not guessed at");
    }

    #[test]
    fn what_is_no_vector_is_refused() {
        for bad in [&[][..], &[f32::NAN, 1.0], &[f32::INFINITY]] {
            assert!(matches!(encode(bad), Err(IndexError::NotAVector)));
            assert!(matches!(Probe::new(bad), Err(IndexError::NotAVector)));
        }
        let zero = encode(&[0.0; 8]).unwrap();
        let mut set = Vectors::default();
        assert!(set.insert(1, ItemId::new(), &zero));
        assert_eq!(set.nearest(&Probe::new(&[0.0; 8]).unwrap(), 3, 2).unwrap()[0].cosine, 0.0);
        assert!(!set.insert(2, ItemId::new(), &encode(&[1.0; 4]).unwrap()), "another dimension");
        assert!(matches!(set.nearest(&Probe::new(&[1.0; 4]).unwrap(), 1, 1), Err(IndexError::Dimension { .. })));
    }

    #[test]
    fn the_scan_agrees_with_floats_and_does_not_depend_on_threads() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut set = Vectors::default();
        let all: Vec<Vec<f32>> = (0..9000).map(|_| unit(&mut rng, 96)).collect();
        for (i, v) in all.iter().enumerate() {
            assert!(set.insert(i as i64, ItemId::new(), &encode(v).unwrap()));
        }
        for gone in (0..9000).step_by(7) {
            assert!(set.remove(gone));
        }
        for _ in 0..5 {
            let q = unit(&mut rng, 96);
            let probe = Probe::new(&q).unwrap();
            let one = set.nearest(&probe, 10, 1).unwrap();
            assert_eq!(one, set.nearest(&probe, 10, 2).unwrap());
            let mut exact: Vec<(f32, i64)> = (0..9000)
                .filter(|i| i % 7 != 0)
                .map(|i| (all[i as usize].iter().zip(&q).map(|(a, b)| a * b).sum(), i))
                .collect();
            exact.sort_by(|a, b| b.0.total_cmp(&a.0));
            assert!((one[0].cosine - exact[0].0).abs() < 0.01);
            let found: Vec<i64> = one.iter().map(|n| n.chunk).collect();
            let agreed = exact[..10].iter().filter(|(_, i)| found.contains(i)).count();
            assert!(agreed >= 8, "int8 keeps the neighbours: {agreed} of 10");
        }
    }

    #[test]
    fn removing_leaves_no_bytes_behind() {
        let mut set = Vectors::default();
        for i in 0..50i64 {
            set.insert(i, ItemId::new(), &encode(&[i as f32 + 1.0, 1.0, -1.0, 0.5]).unwrap());
        }
        for i in 0..50i64 {
            assert!(set.remove(i) && !set.contains(i));
            assert_eq!(set.len(), 49 - i as usize);
            for left in i + 1..50 {
                assert_eq!(set.values(left).unwrap().len(), 4);
            }
        }
        assert!(set.nearest(&Probe::new(&[1.0; 4]).unwrap(), 3, 1).unwrap().is_empty());
    }
}
