//! Where tuning stands as a stream of bytes, and going on from there.
//!
//! The stream is plain: whoever keeps it seals it. It holds `HINETTUN`, the version, a header in JSON with its length, the
//! numbers that change with what the optimiser knows about them, and a BLAKE3 hash of all that. Nothing in it is trusted:
//! the header must fit the anchor and the examples, and the hash must agree before anything is used.

use crate::{Lesson, Recipe, TrainError, Tuner};
use hinet_model::Anchor;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

const MAGIC: &[u8; 8] = b"HINETTUN";
const VERSION: u32 = 1;
/// Bytes accepted in a header.
const HEADER_MAX: u64 = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    recipe: Recipe,
    step: u64,
    /// The kernel path, to which byte equality is bound.
    kernel: String,
    architecture: String,
    tokenizer: String,
    weights: String,
    /// What the anchor stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    examples: String,
    /// Numbers that change.
    numbers: u64,
}

/// Passes bytes on and hashes them.
struct Hashing<S> {
    stream: S,
    hasher: blake3::Hasher,
}

impl<S> Hashing<S> {
    fn new(stream: S) -> Self {
        Self { stream, hasher: blake3::Hasher::new_derive_key("hinet/train/checkpoint/v1") }
    }
}

impl<S: Write> Hashing<S> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.stream.write_all(bytes)
    }

    fn put_floats(&mut self, numbers: &[f32]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(1 << 16);
        for part in numbers.chunks(1 << 14) {
            bytes.clear();
            part.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
            self.put(&bytes)?;
        }
        Ok(())
    }
}

impl<S: Read> Hashing<S> {
    fn take(&mut self, bytes: &mut [u8]) -> Result<(), TrainError> {
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => bad("it was cut short"),
            _ => error.into(),
        })?;
        self.hasher.update(bytes);
        Ok(())
    }

    fn take_floats(&mut self, numbers: &mut [f32]) -> Result<(), TrainError> {
        let mut bytes = vec![0u8; 1 << 16];
        for part in numbers.chunks_mut(1 << 14) {
            let bytes = &mut bytes[..4 * part.len()];
            self.take(bytes)?;
            for (number, bytes) in part.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *number = f32::from_le_bytes(*bytes);
            }
        }
        Ok(())
    }
}

fn bad(problem: impl Into<String>) -> TrainError {
    TrainError::Checkpoint { problem: problem.into() }
}

impl Tuner {
    fn header(&self) -> Header {
        let passport = self.model.anchor.passport();
        Header {
            recipe: self.recipe.clone(),
            step: self.step,
            kernel: self.engine.running.kernel().name().to_owned(),
            architecture: passport.arch.clone(),
            tokenizer: passport.tokenizer.to_string(),
            weights: passport.weights.to_string(),
            root: passport.root.map(|root| root.to_string()),
            examples: self.examples_hash().to_hex().to_string(),
            numbers: self.values.len() as u64,
        }
    }

    /// Writes where tuning stands: ten bytes for every number that changes, in the clear.
    pub fn save(&self, mut to: impl Write) -> Result<(), TrainError> {
        self.save_to(&mut to)
    }

    /// Not generic, so that it is compiled here, where also test builds are optimised: these are gigabytes.
    fn save_to(&self, to: &mut dyn Write) -> Result<(), TrainError> {
        let mut to = Hashing::new(to);
        let json = |error: serde_json::Error| TrainError::Io(error.into());
        let header = serde_json::to_vec(&self.header()).map_err(json)?;
        to.put(MAGIC)?;
        to.put(&VERSION.to_le_bytes())?;
        to.put(&(header.len() as u64).to_le_bytes())?;
        to.put(&header)?;
        to.put_floats(&self.values)?;
        to.put_floats(&self.squares)?;
        for part in self.means.chunks(1 << 15) {
            to.put(&part.iter().flat_map(|mean| mean.to_le_bytes()).collect::<Vec<u8>>())?;
        }
        let hash = to.hasher.finalize();
        to.stream.write_all(hash.as_bytes())?;
        Ok(to.stream.flush()?)
    }

    /// Goes on from what [`Tuner::save`] wrote, with the same anchor and the same examples in the same order.
    ///
    /// The next steps give the same bytes as if tuning had never stopped.
    pub fn resume(anchor: &Anchor, examples: Vec<impl Into<Lesson>>, mut from: impl Read) -> Result<Self, TrainError> {
        Self::resume_from(anchor, examples.into_iter().map(Into::into).collect(), &mut from)
    }

    fn resume_from(anchor: &Anchor, examples: Vec<Lesson>, from: &mut dyn Read) -> Result<Self, TrainError> {
        let mut from = Hashing::new(from);
        let (mut magic, mut version, mut length) = ([0; 8], [0; 4], [0; 8]);
        from.take(&mut magic)?;
        if magic != *MAGIC {
            return Err(bad("it is none"));
        }
        from.take(&mut version)?;
        let version = u32::from_le_bytes(version);
        if version != VERSION {
            return Err(bad(format!("it is of version {version}, and this program reads version {VERSION}")));
        }
        from.take(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > HEADER_MAX {
            return Err(bad("its header has an impossible length"));
        }
        #[allow(clippy::cast_possible_truncation, reason = "at most a megabyte")]
        let mut header = vec![0; length as usize];
        from.take(&mut header)?;
        let found: Header =
            serde_json::from_slice(&header).map_err(|error| bad(format!("its header is malformed ({error})")))?;
        let mut tuner = Self::new(anchor, found.recipe.clone(), examples)?;
        let mine = tuner.header();
        for (what, mine, found) in [
            ("model", &mine.weights, &found.weights),
            ("architecture", &mine.architecture, &found.architecture),
            ("tokenizer", &mine.tokenizer, &found.tokenizer),
            ("set of examples", &mine.examples, &found.examples),
            ("kernel path", &mine.kernel, &found.kernel),
        ] {
            if mine != found {
                return Err(bad(format!("it was made with another {what}")));
            }
        }
        if mine.root != found.root {
            return Err(bad("it was made with another root"));
        }
        if mine.numbers != found.numbers || found.step > found.recipe.steps {
            return Err(bad("its header contradicts itself"));
        }
        from.take_floats(&mut tuner.values)?;
        from.take_floats(&mut tuner.squares)?;
        let mut bytes = vec![0u8; 1 << 16];
        for part in tuner.means.chunks_mut(1 << 15) {
            let bytes = &mut bytes[..2 * part.len()];
            from.take(bytes)?;
            part.iter_mut().zip(bytes.as_chunks::<2>().0).for_each(|(to, from)| *to = u16::from_le_bytes(*from));
        }
        let expected = from.hasher.finalize();
        let mut hash = [0; 32];
        from.stream.read_exact(&mut hash).map_err(|_| bad("it was cut short"))?;
        if expected != blake3::Hash::from_bytes(hash) {
            return Err(bad("its hash does not agree with its bytes; it is damaged"));
        }
        tuner.step = found.step;
        Ok(tuner)
    }
}
