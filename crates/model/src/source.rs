//! Where weights come from: tensors by name, whatever file they lie in.
//!
//! Names are those of GGUF (`blk.0.attn_q.weight`); an expert's matrix is asked for as `blk.0.ffn_up.5.weight`. A
//! source translates, and hands out bytes of the mapped file: whoever repacks them makes the only copy.

use crate::{
    ModelError,
    gguf::{Gguf, Tensor},
};

/// A file or folder of weights.
pub(crate) trait Source {
    /// A tensor, if it is there.
    fn find_weight(&self, name: &str) -> Result<Option<Tensor<'_>>, ModelError>;

    /// A tensor that must be there.
    fn weight(&self, name: &str) -> Result<Tensor<'_>, ModelError>;

    /// What the gains of norms are counted from.
    fn gains_from(&self) -> f32 {
        0.0
    }
}

impl Source for Gguf {
    fn find_weight(&self, name: &str) -> Result<Option<Tensor<'_>>, ModelError> {
        if let Some(found) = self.find_tensor(name)? {
            return Ok(Some(found));
        }
        let Some((all, expert)) = expert(name) else { return Ok(None) };
        self.find_tensor(&format!("{all}_exps.weight"))?.map(|all| part(all, expert)).transpose()
    }

    fn weight(&self, name: &str) -> Result<Tensor<'_>, ModelError> {
        let missing = || {
            let name = expert(name).map_or_else(|| name.to_owned(), |(all, _)| format!("{all}_exps.weight"));
            ModelError::MissingTensor { name }
        };
        self.find_weight(name)?.ok_or_else(missing)
    }
}

/// Splits `blk.0.ffn_up.5.weight` into `blk.0.ffn_up` and 5.
pub(crate) fn expert(name: &str) -> Option<(&str, usize)> {
    let (all, expert) = name.strip_suffix(".weight")?.rsplit_once('.')?;
    if all.contains(".ffn_") { Some((all, expert.parse().ok()?)) } else { None }
}

/// Matrix `index` of a tensor of several.
pub(crate) fn part(tensor: Tensor<'_>, index: usize) -> Result<Tensor<'_>, ModelError> {
    let bad = |problem| ModelError::BadTensor { name: tensor.name.into(), problem };
    let [count, shape @ ..] = tensor.shape else { return Err(bad("is not a list of matrices")) };
    let [_, columns] = *shape else { return Err(bad("is not a list of matrices")) };
    if index >= *count {
        return Err(bad("has fewer matrices than there are experts"));
    }
    if !columns.is_multiple_of(tensor.kind.block().0) {
        return Err(bad("has impossible dimensions"));
    }
    let length = tensor.bytes.len() / count;
    Ok(Tensor { shape, bytes: &tensor.bytes[index * length..][..length], ..tensor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Kind;

    #[test]
    fn the_names_of_experts_are_told_from_others() {
        assert_eq!(expert("blk.0.ffn_up.5.weight"), Some(("blk.0.ffn_up", 5)));
        assert_eq!(expert("blk.0.ffn_up.weight"), None);
        assert_eq!(expert("output.weight"), None);
        assert_eq!(expert("blk.0.ffn_gate_inp.weight"), None);
    }

    #[test]
    fn a_list_of_matrices_is_taken_apart() {
        let bytes: Vec<u8> = (0..3 * 2 * 4 * 4).collect();
        let all = Tensor { name: "w", shape: &[3, 2, 4], kind: Kind::F32, bytes: &bytes };
        let last = part(all, 2).unwrap();
        assert_eq!((last.shape, last.bytes[0]), (&[2, 4][..], 64));
        assert!(part(all, 3).is_err());
        assert!(part(Tensor { shape: &[6, 4], ..all }, 0).is_err());
        assert!(part(Tensor { shape: &[24], ..all }, 0).is_err());
    }
}
