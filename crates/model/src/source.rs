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

    /// Bytes of all tensors.
    fn total_bytes(&self) -> u64;

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

    fn total_bytes(&self) -> u64 {
        self.tensor_bytes()
    }
}

/// Refuses weights that are larger than what is free: loaded, none takes less than in its file.
pub(crate) fn fits(needed: u64, free: Option<u64>) -> Result<(), ModelError> {
    match free {
        Some(free) if needed > free => Err(ModelError::TooLarge { needed_mb: needed >> 20, free_mb: free >> 20 }),
        _ => Ok(()),
    }
}

/// Bytes of memory that can be had without swapping, where the system says so.
#[must_use]
pub fn free_memory() -> Option<u64> {
    memory("MemAvailable:")
}

/// Bytes of memory that the machine has, where the system says so.
#[must_use]
pub fn machine_memory() -> Option<u64> {
    memory("MemTotal:")
}

fn memory(what: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
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
    fn weights_larger_than_what_is_free_are_refused() {
        assert!(fits(10, None).is_ok() && fits(10, Some(10)).is_ok());
        let error = fits(3 << 30, Some(1 << 30)).expect_err("too large").to_string();
        assert!(error.contains("3072 MB") && error.contains("1024 MB"), "{error}");
    }

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
