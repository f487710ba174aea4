//! Deltas on a device: their thin factors, and what they add to the products of a step.
//!
//! They are the numbers that [`crate::Resident`] packed, so a delta is rounded here as it is for the processor; only the
//! activations that meet a factor of eight bits are not rounded.

use crate::{
    Config, Resident,
    delta::{DeltaSet, Linear},
};
use candle_core::{Device, Result, Tensor};

/// What a delta adds to one matrix.
#[derive(Debug)]
struct Thin {
    /// `[rank, inputs]`, times what the product is multiplied with.
    inward: Tensor,
    /// `[outputs, rank]`.
    outward: Tensor,
    /// `m / ‖W + sBA‖ - 1` for every row, where rows have a length.
    stretch: Option<Tensor>,
}

/// A delta on the device.
#[derive(Debug)]
struct Loaded {
    resident: Resident,
    /// By the slots of matrices.
    linears: Vec<Option<Thin>>,
}

/// The deltas of a conversation on the device, and how much of each there is in the step.
#[derive(Debug, Default)]
pub(super) struct StepFactors {
    loaded: Vec<Loaded>,
    /// Which are read with in this step, and a gate for each row, `[rows, 1]`.
    active: Vec<(usize, Tensor)>,
}

impl Loaded {
    fn new(resident: &Resident, config: &Config, device: &Device) -> Result<Self> {
        let slots = config.layers * Linear::ALL.len();
        let linears = (0..slots).map(|slot| thin(resident, slot, config, device)).collect::<Result<_>>()?;
        Ok(Self { resident: resident.clone(), linears })
    }
}

/// What a delta adds to the matrix of a slot.
fn thin(resident: &Resident, slot: usize, config: &Config, device: &Device) -> Result<Option<Thin>> {
    let Some(thin) = resident.thin(slot) else { return Ok(None) };
    let (outputs, inputs) = Linear::ALL[slot % Linear::ALL.len()].shape(config);
    let rank = thin.rank;
    let inward = thin.inward.numbers(rank, inputs).iter().map(|number| number * thin.scale).collect();
    let stretch = thin.stretch.as_ref().map(|all| Tensor::from_slice(&all[..outputs], outputs, device));
    Ok(Some(Thin {
        inward: Tensor::from_vec::<_, f32>(inward, (rank, inputs), device)?,
        outward: Tensor::from_vec(thin.outward.numbers(outputs, rank), (outputs, rank), device)?,
        stretch: stretch.transpose()?,
    }))
}

impl StepFactors {
    /// Lets go of what is not in the set.
    pub(super) fn keep(&mut self, set: &DeltaSet) {
        self.active.clear();
        self.loaded.retain(|loaded| set.residents().any(|resident| resident.is(&loaded.resident)));
    }

    /// Begins a step of `rows` tokens, of which the first is at `position`, read with this set.
    pub(super) fn begin(
        &mut self,
        set: &DeltaSet,
        position: usize,
        rows: usize,
        config: &Config,
        device: &Device,
    ) -> Result<()> {
        self.active.clear();
        let mut gates: Vec<(usize, Vec<f32>)> = Vec::new();
        for (resident, offset, gate) in set.gated(position, rows) {
            let known = self.loaded.iter().position(|loaded| loaded.resident.is(resident));
            let index = match known {
                Some(index) => index,
                None => {
                    self.loaded.push(Loaded::new(resident, config, device)?);
                    self.loaded.len() - 1
                }
            };
            // Entries come delta by delta.
            match gates.last_mut() {
                Some((last, gates)) if *last == index => gates[offset] = gate,
                _ => {
                    let mut mine = vec![0.0; rows];
                    mine[offset] = gate;
                    gates.push((index, mine));
                }
            }
        }
        for (index, gates) in gates {
            self.active.push((index, Tensor::from_vec(gates, (rows, 1), device)?));
        }
        Ok(())
    }

    /// A plain product of the rows `x`, and what the deltas of the step add to it.
    pub(super) fn added(&self, slot: Option<usize>, x: &Tensor, plain: Tensor) -> Result<Tensor> {
        let Some(slot) = slot else { return Ok(plain) };
        let mut sum = plain.clone();
        for (index, gates) in &self.active {
            let Some(thin) = self.loaded[*index].linears.get(slot).and_then(Option::as_ref) else { continue };
            let mut more = x.matmul(&thin.inward.t()?)?.matmul(&thin.outward.t()?)?;
            if let Some(stretch) = &thin.stretch {
                more = more.add(&plain.broadcast_mul(stretch)?)?;
            }
            sum = sum.add(&more.broadcast_mul(gates)?)?;
        }
        Ok(sum)
    }
}
