//! The router of a sparse model, which others make.

use crate::{ComposeError, Whose};
use hinet_protocol::Hash;
use std::sync::Arc;

/// What says which experts a token uses: in each layer, a row of numbers for every expert.
///
/// The rows are multiplied with what the layer's experts are given, and the results go through a softmax. They are written
/// as they are. An implementation gives the same numbers each time; [`Router::hash`] says which. The room does not ask where
/// they come from; that none are made of private prompts is the business of those who fill the trait.
pub trait Router: Sync {
    /// The rows of one layer, `[experts, width]`, for these experts in this order.
    ///
    /// # Errors
    /// Where they cannot be made or read, or one of the experts is not known.
    fn rows(&self, layer: usize, experts: &[Whose], width: usize) -> Result<Vec<f32>, ComposeError>;

    /// What decides all rows for these experts, and nothing else: who has left is not in it.
    fn hash(&self, experts: &[Whose]) -> Hash;
}

/// The router of one layer, as it is asked for.
#[derive(Clone)]
pub(crate) struct Route<'a> {
    pub router: &'a dyn Router,
    pub layer: usize,
    pub experts: Arc<[Whose]>,
    pub width: usize,
}

impl Route<'_> {
    pub fn read(&self, first: usize, out: &mut [f32]) -> Result<(), ComposeError> {
        let rows = self.router.rows(self.layer, &self.experts, self.width)?;
        let bad = |problem| Err(ComposeError::Router { layer: self.layer, problem });
        if rows.len() != self.experts.len() * self.width {
            return bad("it has another number of rows or columns than there are experts and inputs; make it anew");
        }
        if !rows.iter().all(|number| number.is_finite()) {
            return bad("it holds numbers that are not finite; make it anew");
        }
        out.copy_from_slice(&rows[first * self.width..][..out.len()]);
        Ok(())
    }
}
