//! What of a model changes, where its numbers lie, and the tables of weights of a step.

use crate::{
    engine::Engine,
    examples::Stream,
    products::{Forward, transposed},
    recipe::{Full, Lora, Method},
    weight::{Adapter, Gains, Lengths, Numbers, Weight},
};
use hinet_model::{
    Anchor, RopeTable,
    delta::{Factors, Linear, Place, row_order},
    graph::Decoder,
    kernels::{Matrix, STRIP},
};

/// What some numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `Aᵀ` of a matrix, `[columns, rank filled up]`.
    A,
    /// `Bᵀ`, `[rank filled up, rows]`.
    B,
    /// Lengths of rows.
    Lengths,
    /// The matrix itself, in strips.
    Whole,
    /// Gains of a norm.
    Gains,
}

/// Some of the numbers that change: `count` from `at` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub part: Part,
    /// The matrix, or for gains the norm, by its number in the graph.
    pub index: usize,
    pub at: usize,
    pub count: usize,
    /// Of `A` and `B`: the rank in all, filled up to whole strips, and how much of it, at the beginning, are the factors of
    /// the root, which do not change.
    pub rank: usize,
    pub under: usize,
}

impl Piece {
    /// Whether it decays.
    pub fn decays(&self) -> bool {
        matches!(self.part, Part::A | Part::B | Part::Whole)
    }
}

/// A model of which something changes.
pub(crate) struct Model {
    pub anchor: Anchor,
    /// The graph over the numbers of matrices and norms.
    pub decoder: Decoder<usize, usize>,
    pub ropes: Vec<RopeTable>,
    pub pieces: Vec<Piece>,
    pub count: usize,
    pub method: Method,
}

/// The rank of factors, filled up to whole strips.
pub(crate) fn filled(rank: usize) -> usize {
    rank.next_multiple_of(STRIP)
}

/// The number of a linear layer in the graph: the embedding comes first.
pub(crate) fn number(place: Place) -> usize {
    1 + place.layer * Linear::ALL.len() + place.linear as usize
}

/// Where the matrix of this number is, if it is a linear layer.
pub(crate) fn place(index: usize, layers: usize) -> Option<Place> {
    let slot = index.checked_sub(1)?;
    let (layer, linear) = (slot / Linear::ALL.len(), Linear::ALL[slot % Linear::ALL.len()]);
    (layer < layers).then_some(Place { layer, linear })
}

impl Model {
    pub fn new(anchor: &Anchor, method: &Method, positions: usize) -> Self {
        let config = anchor.config();
        let (mut matrices, mut norms) = (0, 0);
        let decoder = anchor.decoder().map(|_| counted(&mut matrices), |_| counted(&mut norms));
        let mut pieces = Vec::new();
        let mut total = 0;
        let mut put = |part, index, count, (under, rank): (usize, usize)| {
            pieces.push(Piece { part, index, at: total, count, rank, under });
            total += count;
        };
        let none = (0, 0);
        let places = (0..config.layers).flat_map(|layer| Linear::ALL.map(|linear| Place { layer, linear }));
        match method {
            Method::Lora(lora) => {
                for place in places {
                    let under = anchor.root().and_then(|root| root.get(place)).map_or(0, |root| filled(root.rank));
                    let new = if lora.linears.contains(&place.linear) { filled(lora.rank) } else { 0 };
                    let rank = under + new;
                    if rank == 0 {
                        continue;
                    }
                    let (rows, columns) = place.linear.shape(config);
                    put(Part::A, number(place), columns * rank, (under, rank));
                    put(Part::B, number(place), rank * rows, (under, rank));
                    if lora.magnitudes && new > 0 {
                        put(Part::Lengths, number(place), rows, none);
                    }
                }
            }
            Method::Full(what) => {
                let words = config.vocabulary.next_multiple_of(STRIP) * config.width;
                if *what == Full::Everything {
                    put(Part::Whole, 0, words, none);
                }
                let mlp = [Linear::Gate, Linear::Up, Linear::Down];
                for place in places.filter(|place| *what != Full::Mlp || mlp.contains(&place.linear)) {
                    let (rows, columns) = place.linear.shape(config);
                    put(Part::Whole, number(place), rows * columns, none);
                }
                if *what == Full::Everything {
                    if let Some(head) = decoder.head {
                        put(Part::Whole, head, words, none);
                    }
                    for (index, gains) in gains_of(anchor).iter().enumerate() {
                        put(Part::Gains, index, gains.len(), none);
                    }
                }
            }
        }
        let ropes = config.ropes.iter().map(|rope| RopeTable::new(config, rope, positions)).collect();
        Self { anchor: anchor.clone(), ropes, pieces, count: total, method: method.clone(), decoder }
    }

    fn lora(&self) -> Option<&Lora> {
        match &self.method {
            Method::Lora(lora) => Some(lora),
            Method::Full(_) => None,
        }
    }

    /// What the anchor stands on at the matrix of this number: its place, its factors and their scale.
    fn under(&self, index: usize) -> Option<(Place, &Factors, f32)> {
        let (root, place) = (self.anchor.root()?, place(index, self.anchor.config().layers)?);
        root.get(place).map(|factors| (place, factors, root.scale(factors)))
    }

    /// Takes from a gradient what would change the root.
    pub fn spare_root(&self, grads: &mut [f32]) {
        for piece in self.pieces.iter().filter(|piece| piece.under > 0) {
            let grads = &mut grads[piece.at..][..piece.count];
            if piece.part == Part::A {
                grads.chunks_exact_mut(piece.rank).for_each(|row| row[..piece.under].fill(0.0));
            } else {
                grads[..piece.count / piece.rank * piece.under].fill(0.0);
            }
        }
    }

    /// The numbers before the first step: those of the anchor, `A` as PEFT draws it, and `B` zero.
    pub fn first(&self, engine: &Engine, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0; self.count];
        let (matrices, gains) = (matrices_of(&self.anchor), gains_of(&self.anchor));
        for piece in &self.pieces {
            let to = &mut values[piece.at..][..piece.count];
            match piece.part {
                Part::A => {
                    let (columns, rank) = (matrices[piece.index].columns, self.lora().map_or(1, |lora| lora.rank));
                    let mut stream = Stream::new(seed, &format!("A of matrix {}", piece.index));
                    #[allow(clippy::cast_precision_loss, reason = "widths are small")]
                    let bound = 1.0 / (columns as f32).sqrt();
                    let under = self.under(piece.index);
                    for (column, row) in to.chunks_exact_mut(piece.rank).enumerate() {
                        let new = row.iter_mut().skip(piece.under).take(rank);
                        new.for_each(|number| *number = stream.unit() * bound);
                        if let Some((_, root, _)) = under {
                            let of_root = root.a.iter().skip(column).step_by(columns);
                            row.iter_mut().zip(of_root).for_each(|(number, root)| *number = *root);
                        }
                    }
                }
                Part::B => {
                    let Some((place, root, scale)) = self.under(piece.index) else { continue };
                    // One scale serves for both parts of the factors.
                    let scale = scale / self.lora().map_or(1.0, Lora::scale);
                    let rows = piece.count / piece.rank;
                    let order = row_order(self.anchor.config(), place.linear);
                    for (rank, to) in to.chunks_exact_mut(rows).take(root.rank).enumerate() {
                        for (row, to) in to.iter_mut().enumerate() {
                            let from = order.as_ref().map_or(row, |order| order[row]);
                            *to = root.b[from * root.rank + rank] * scale;
                        }
                    }
                }
                Part::Lengths => {
                    for (to, square) in to.iter_mut().zip(squares(matrices[piece.index])) {
                        *to = square.sqrt();
                    }
                }
                Part::Whole => {
                    let matrix = matrices[piece.index];
                    for (strip, to) in to.chunks_exact_mut(matrix.columns * STRIP).enumerate() {
                        let mut room = vec![0.0; to.len()];
                        to.copy_from_slice(matrix.panel(engine.running, strip, 0..matrix.columns, &mut room));
                    }
                }
                Part::Gains => to.copy_from_slice(gains[piece.index]),
            }
        }
        values
    }

    /// The matrices and gains of a step, by their numbers in the graph; `lengths` is what [`Model::lengths`] found.
    pub fn tables<'a>(&'a self, values: &'a [f32], lengths: &'a [Vec<f32>]) -> (Vec<Weight<'a>>, Vec<Gains<'a>>) {
        let frozen = |matrix: &'a Matrix| Weight {
            rows: matrix.rows,
            columns: matrix.columns,
            numbers: Numbers::Frozen(matrix),
            at: None,
            adapter: None,
        };
        let mut weights: Vec<Weight<'a>> = matrices_of(&self.anchor).into_iter().map(frozen).collect();
        let mut gains: Vec<Gains<'a>> =
            gains_of(&self.anchor).into_iter().map(|values| Gains { values, at: None }).collect();
        let mut lengths = lengths.iter();
        for piece in &self.pieces {
            let (at, numbers) = (piece.at, &values[piece.at..][..piece.count]);
            if piece.part == Part::Gains {
                gains[piece.index] = Gains { values: numbers, at: Some(at) };
                continue;
            }
            let weight = &mut weights[piece.index];
            let adapter = weight.adapter.as_mut();
            match (piece.part, adapter) {
                (Part::A, _) => {
                    let (rank, scale) = (piece.rank, self.lora().map_or(1.0, Lora::scale));
                    let nothing: &[f32] = &[];
                    weight.adapter =
                        Some(Adapter { rank, scale, a: numbers, a_at: at, b: nothing, b_at: 0, lengths: None });
                }
                (Part::B, Some(adapter)) => (adapter.b, adapter.b_at) = (numbers, at),
                (Part::Lengths, Some(adapter)) => {
                    let found = lengths.next().map_or(numbers, Vec::as_slice);
                    adapter.lengths = Some(Lengths { wanted: numbers, at, found });
                }
                (Part::Whole, _) => (weight.numbers, weight.at) = (Numbers::Floats(numbers), Some(at)),
                _ => {}
            }
        }
        (weights, gains)
    }

    /// The lengths of the rows of `W + s·B·A`, for each matrix whose lengths are learned.
    pub fn lengths(&self, engine: &Engine, values: &[f32], squares: &[Vec<f32>]) -> Vec<Vec<f32>> {
        if squares.is_empty() {
            return Vec::new();
        }
        let (weights, _) = self.tables(values, &[]);
        let with = weights.iter().filter(|weight| weight.adapter.is_some_and(|adapter| adapter.lengths.is_some()));
        with.zip(squares).map(|(weight, squares)| lengths_of(engine, weight, squares)).collect()
    }

    /// The squared lengths of the rows of the matrices whose lengths are learned.
    pub fn squares(&self) -> Vec<Vec<f32>> {
        let matrices = matrices_of(&self.anchor);
        let learned = self.pieces.iter().filter(|piece| piece.part == Part::Lengths);
        learned.map(|piece| squares(matrices[piece.index])).collect()
    }
}

fn counted(next: &mut usize) -> usize {
    *next += 1;
    *next - 1
}

/// All matrices, by their numbers in the graph.
pub(crate) fn matrices_of(anchor: &Anchor) -> Vec<&Matrix> {
    let mut all = Vec::new();
    anchor.decoder().map(|matrix| all.push(matrix), |_| ());
    all
}

/// The gains of all norms, by their numbers in the graph.
pub(crate) fn gains_of(anchor: &Anchor) -> Vec<&[f32]> {
    let mut all = Vec::new();
    anchor.decoder().map(|_| (), |gains| all.push(gains.as_slice()));
    all
}

fn squares(matrix: &Matrix) -> Vec<f32> {
    let mut row = vec![0.0; matrix.columns];
    let square = |index: usize| {
        matrix.row(index, &mut row);
        row.iter().map(|number| number * number).sum()
    };
    (0..matrix.rows).map(square).collect()
}

/// `‖W + s·B·A‖² = ‖W‖² + 2s · B · A·Wᵀ + s² · B · A·Aᵀ · Bᵀ`, row by row.
fn lengths_of(engine: &Engine, weight: &Weight<'_>, squares: &[f32]) -> Vec<f32> {
    let Some(adapter) = weight.adapter else { return Vec::new() };
    let (rank, width) = (adapter.rank, weight.width());
    let a = transposed(adapter.a, weight.columns, rank);
    let mut products = vec![0.0; rank * width];
    let plain = Weight { adapter: None, ..*weight };
    let pack = engine.pack(&a, weight.columns);
    engine.forward(&pack, &mut [Forward { weight: &plain, narrow: None, out: &mut products }]);
    engine.unpack(pack);
    let rows: Vec<&[f32]> = a.chunks_exact(weight.columns).collect();
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let gram: Vec<f32> = rows.iter().flat_map(|x| rows.iter().map(|y| dot(x, y)).collect::<Vec<_>>()).collect();
    let length = |row: usize| {
        let b = |r: usize| adapter.b[r * width + row];
        let (mut cross, mut square) = (0.0, 0.0);
        for r in 0..rank {
            cross += b(r) * products[r * width + row];
            square += b(r) * (0..rank).map(|other| gram[r * rank + other] * b(other)).sum::<f32>();
        }
        let all = squares[row] + 2.0 * adapter.scale * cross + adapter.scale * adapter.scale * square;
        all.max(f32::MIN_POSITIVE).sqrt()
    };
    (0..weight.rows).map(length).collect()
}
