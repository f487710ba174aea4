//! Mixtures of experts: which experts a token uses, and the sum of what they say.
//!
//! Each expert multiplies only the rows that chose it, all of them at once, and the experts of a row are added in the
//! order of their numbers. Which other rows are there changes neither, so a token's result is the same in any batch.

use super::{FastOps, Rows};
use crate::{
    Anchor, ModelError,
    config::{Activation, Mixture},
    graph::{self, Feed, Ops},
    kernels::{
        Matrix, Slots,
        rowwise::{AddScaled, Softmax},
    },
};
use std::convert::Infallible;

/// One row's use of one expert.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Route {
    pub(crate) expert: u32,
    pub(crate) row: u32,
    pub(crate) weight: f32,
}

/// Appends what one row uses, in the order of the experts. Of equal weights the first counts as the larger; what is
/// not a number counts as the smallest, and ends in numbers that are not finite either way.
#[allow(clippy::cast_possible_truncation, reason = "experts and rows are counted in thousands at most")]
pub(crate) fn choose(weights: &[f32], how: Mixture, row: usize, routes: &mut Vec<Route>) {
    let from = routes.len();
    for _ in 0..how.used {
        let free = |expert: &usize| routes[from..].iter().all(|route| route.expert as usize != *expert);
        let best = (0..how.experts).filter(free).reduce(|a, b| if weights[b] > weights[a] { b } else { a });
        let Some(expert) = best else { break };
        routes.push(Route { expert: expert as u32, row: row as u32, weight: weights[expert] });
    }
    let chosen = &mut routes[from..];
    chosen.sort_unstable_by_key(|route| route.expert);
    if how.normalised {
        let total: f32 = chosen.iter().map(|route| route.weight).sum();
        chosen.iter_mut().for_each(|route| route.weight /= total);
    }
}

/// The same weights for every row, expert by expert; an expert of no weight is not used.
#[allow(clippy::cast_possible_truncation, reason = "experts and rows are counted in thousands at most")]
pub(crate) fn fixed(weights: &[f32], rows: usize, routes: &mut Vec<Route>) {
    for (expert, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
        routes.extend((0..rows).map(|row| Route { expert: expert as u32, row: row as u32, weight }));
    }
}

impl Anchor {
    /// Checks how much each expert is to count for every token.
    pub(crate) fn check_experts(&self, weights: &[f32]) -> Result<(), ModelError> {
        let bad = |problem| Err(ModelError::BadExperts { problem });
        match self.config().mixture {
            None => bad("the model has no experts; give none"),
            Some(how) if how.experts != weights.len() => bad("there is not one weight for each expert of a layer"),
            Some(_) if !weights.iter().all(|weight| weight.is_finite()) => bad("one is not a finite number"),
            Some(_) if weights.iter().all(|weight| *weight == 0.0) => bad("all are zero; give one expert a weight"),
            Some(_) => Ok(()),
        }
    }
}

impl FastOps {
    /// [`Ops::mixture`].
    pub(super) fn mix(
        &mut self,
        router: &Matrix,
        experts: &[Feed<Matrix>],
        how: Mixture,
        activation: Activation,
        x: Rows,
    ) -> Result<Rows, Infallible> {
        let (rows, width) = (x.rows, x.width());
        let mut routes = std::mem::take(&mut self.routes);
        routes.clear();
        if let Some(weights) = &self.experts {
            fixed(weights, rows, &mut routes);
        } else {
            let mut copy = self.take(rows, width);
            copy.data.copy_from_slice(&x.data);
            let [mut scores] = self.project([router], copy)?;
            let padded = scores.width();
            for (row, scores) in scores.data.chunks_exact_mut(padded).enumerate() {
                // SAFETY: the job asks for nothing.
                unsafe { self.running.run(Softmax { scores, seen: how.experts, scale: 1.0 }) };
                choose(scores, how, row, &mut routes);
            }
            self.give(scores);
            routes.sort_unstable_by_key(|route| (route.expert, route.row));
        }
        let mut out = self.take(rows, width);
        out.data.fill(0.0);
        for routes in routes.chunk_by(|a, b| a.expert == b.expert) {
            let mut mine = self.take(routes.len(), width);
            for (route, row) in routes.iter().zip(mine.data.chunks_exact_mut(width)) {
                row.copy_from_slice(&x.data[route.row as usize * width..][..width]);
            }
            let said = graph::feed(self, &experts[routes[0].expert as usize], activation, mine)?;
            let slots = Slots::over(&mut out.data);
            let running = self.running;
            self.each_row(routes.len(), |index| {
                let (route, y) = (&routes[index], &said.data[index * width..][..width]);
                // SAFETY: an expert has each row at most once, so each row of the sum is one call's alone.
                unsafe {
                    let x = slots.part(route.row as usize * width, width);
                    running.run(AddScaled { x, y, factor: route.weight });
                }
            });
            self.give(said);
        }
        self.routes = routes;
        self.give(x);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(weights: &[f32], used: usize, normalised: bool) -> Vec<(u32, f32)> {
        let how = Mixture { experts: weights.len(), used, hidden: 32, normalised };
        let mut routes = vec![Route { expert: 1, row: 0, weight: 9.0 }];
        choose(weights, how, 7, &mut routes);
        assert!(routes[1..].iter().all(|route| route.row == 7));
        routes[1..].iter().map(|route| (route.expert, route.weight)).collect()
    }

    #[test]
    fn the_largest_are_chosen_and_of_equals_the_first() {
        assert_eq!(chosen(&[0.125, 0.5, 0.125, 0.25], 2, false), [(1, 0.5), (3, 0.25)]);
        assert_eq!(chosen(&[0.25, 0.25, 0.25, 0.25], 2, true), [(0, 0.5), (1, 0.5)]);
        assert_eq!(chosen(&[0.125, 0.5, 0.125, 0.25], 3, false), [(0, 0.125), (1, 0.5), (3, 0.25)]);
        assert_eq!(chosen(&[0.75, 0.25], 2, true), [(0, 0.75), (1, 0.25)]);
    }

    #[test]
    fn fixed_weights_leave_out_who_has_none() {
        let mut routes = Vec::new();
        fixed(&[0.0, 0.75, -0.0, 0.25], 2, &mut routes);
        let found: Vec<(u32, u32, f32)> = routes.iter().map(|route| (route.expert, route.row, route.weight)).collect();
        assert_eq!(found, [(1, 0, 0.75), (1, 1, 0.75), (3, 0, 0.25), (3, 1, 0.25)]);
    }

    #[test]
    fn numbers_that_are_none_choose_without_a_panic() {
        let chosen = chosen(&[f32::NAN, f32::NAN, 0.5], 2, true);
        assert_eq!(chosen.len(), 2);
    }
}
