//! What the parts of one run have at hand, and how each of them is kept.

use super::{Plan, exam::Exam, packs::Pack};
use crate::{LabError, Told, desk::Desk};
use hinet_model::Anchor;
use hinet_train::judge::Watch;
use serde::{Serialize, de::DeserializeOwned};
use std::{fs, path::Path, sync::atomic::AtomicBool};

/// What every part has at hand.
pub(crate) struct Trial<'a> {
    pub plan: &'a Plan,
    pub anchor: &'a Anchor,
    pub exam: &'a Exam,
    pub packs: &'a [Pack],
    pub stop: &'a AtomicBool,
    /// What every mark depends on beside the model: the packs with the length of the neutral text, the anchor, the
    /// kernels.
    key: [String; 3],
}

impl<'a> Trial<'a> {
    pub fn new(plan: &'a Plan, anchor: &'a Anchor, exam: &'a Exam, packs: &'a [Pack], stop: &'a AtomicBool) -> Self {
        let setting = blake3::hash(format!("{packs:?} {}", plan.sizes.neutral).as_bytes()).to_string();
        let key = [setting, anchor.passport().weights.to_string(), anchor.kernel().name().to_owned()];
        Self { plan, anchor, exam, packs, stop, key }
    }

    /// Marks that were given before to what is made from the same things, or that `job` gives now.
    pub fn marked<T: Serialize + DeserializeOwned>(
        &self,
        desk: &mut Desk<'_>,
        name: &str,
        from: &[&str],
        job: impl FnOnce(&mut Watch<'_>) -> Result<T, LabError>,
    ) -> Result<T, LabError> {
        let all: Vec<&str> = self.key.iter().map(String::as_str).chain(from.iter().copied()).collect();
        desk.measured(name, &all, job)
    }

    /// A hash of the packs, as the names of what is made from them and from nothing else have it.
    pub fn packs_hash(&self) -> &str {
        &self.key[0][..16]
    }

    /// Does a part of a part: what it makes on the way is kept in the same folder, so that it goes on after an
    /// interruption, and how far it is counts for the whole part.
    pub fn inside<T>(
        &self,
        watch: &mut Watch<'_>,
        job: impl FnOnce(&mut Desk<'_>) -> Result<T, LabError>,
    ) -> Result<T, LabError> {
        let mut told = |said: Told<'_>| {
            if let Told::Goes { done, all, .. } = said {
                watch.goes_on(done, all);
            }
        };
        let mut desk = Desk::open(&self.plan.dir, self.stop, &mut told)?;
        job(&mut desk)
    }
}

/// How far a part of `of` pieces is when its piece `at` is so far.
pub(crate) fn piece(at: usize, of: usize) -> impl Fn(usize, usize) -> (usize, usize) {
    move |done: usize, all: usize| (1000 * at + 1000 * done.min(all) / all.max(1), 1000 * of)
}

/// Takes a model away that has its marks and that nothing else needs.
pub(crate) fn let_go(file: &Path) {
    // The note that it is there goes first, so that it is made again where only one of them could be taken away.
    let _ = fs::remove_file(file.with_extension("losses.json"));
    let _ = fs::remove_file(file);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_one_another() {
        assert_eq!(piece(0, 2)(0, 7), (0, 2000));
        assert_eq!(piece(0, 2)(7, 7), piece(1, 2)(0, 7));
        assert_eq!(piece(1, 2)(9, 7), (2000, 2000));
        assert_eq!(piece(1, 3)(0, 0), (1000, 3000));
    }

    #[test]
    fn a_model_goes_with_the_note_that_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (model, note) = (dir.path().join("one-0a.gguf"), dir.path().join("one-0a.losses.json"));
        fs::write(&model, "").unwrap();
        fs::write(&note, "").unwrap();
        let_go(&model);
        assert!(!model.exists() && !note.exists());
        let_go(&model);
    }
}
