//! Every seed of the fuzzing room, every input that once broke something, and inputs made of the seeds, always the same
//! ones: nothing that strangers may write brings a parser down, takes memory without a bound or leads out of its archive.

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

use hinet_connectors::Extractor;
use std::{
    collections::BTreeSet,
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};
use targets::{Room, TARGETS, Target};

/// Longest input that is made.
const MADE_MAX: usize = 8 << 10;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn room() -> Room {
    Room::new(Extractor { program: env!("CARGO_BIN_EXE_hinet-extract").into(), args: Vec::new() })
}

/// The files of a folder with their names, in order; none where there is no such folder.
fn inputs(folder: &str, target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz().join(folder).join(target.name);
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let bytes = fs::read(entry.path()).expect("an input");
        found.push((entry.file_name().to_string_lossy().into_owned(), bytes));
    }
    found.sort();
    found
}

/// Feeds a target, and says which input it was where it fails.
fn feed(target: &Target, room: &Room, name: &str, input: &[u8]) {
    let run = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(room, input)));
    assert!(run.is_ok(), "{} of {}: {}", name, target.name, input.escape_ascii());
}

#[test]
fn seeds_and_what_once_broke_something_are_read() {
    let room = room();
    for target in TARGETS {
        let seeds = inputs("seeds", target);
        assert!(!seeds.is_empty(), "{} has no seed", target.name);
        for (name, input) in seeds.into_iter().chain(inputs("found", target)) {
            feed(target, &room, &name, &input);
        }
    }
}

#[test]
fn inputs_made_of_the_seeds_are_read() {
    let room = room();
    for target in TARGETS {
        let seeds: Vec<Vec<u8>> = inputs("seeds", target).into_iter().map(|(_, input)| input).collect();
        let mut lot = Lot(target.name.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte)));
        for case in 0..target.cases {
            let input = lot.input(&seeds);
            feed(target, &room, &format!("case {case}"), &input);
        }
    }
}

/// What is fuzzed, what is tested and what is in the folders are the same.
#[test]
fn every_target_has_its_files() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len());
    for name in &names {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
        assert!(fuzz().join(format!("fuzz_targets/{name}.rs")).is_file(), "{name}");
    }
    for folder in ["seeds", "found"] {
        for entry in fs::read_dir(fuzz().join(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(names.contains(&name), "{folder}/{name} belongs to no target");
        }
    }
}

/// Numbers that look like lots and are always the same (SplitMix64).
struct Lot(u64);

impl Lot {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    fn below(&mut self, end: usize) -> usize {
        (self.number() % (end.max(1) as u64)) as usize
    }

    /// Where something begins and ends in a text of this length.
    fn span(&mut self, length: usize) -> std::ops::Range<usize> {
        let (one, other) = (self.below(length + 1), self.below(length + 1));
        one.min(other)..one.max(other)
    }

    /// A seed, changed a few times. Its first character, which says what it is, mostly stays.
    fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        let keeps = !input.is_empty() && self.below(8) > 0;
        let mut body = input.split_off(usize::from(keeps));
        for _ in 0..=self.below(4) {
            self.change(&mut body, seeds);
            body.truncate(MADE_MAX);
        }
        input.append(&mut body);
        input
    }

    fn change(&mut self, body: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        const ODD: [&[u8]; 12] = [
            b"\0",
            b"\xff",
            b"\n",
            b"\r\n\r\n",
            b"\"",
            b"{",
            b"]",
            b"=== ",
            b"../",
            b"9999999999999999999",
            b"\xe2\x80\xa8",
            b"%",
        ];
        match self.below(7) {
            // Cut off.
            0 => body.truncate(self.below(body.len() + 1)),
            // Taken out.
            1 => {
                let span = self.span(body.len());
                body.drain(span);
            }
            // A bit flipped.
            2 => {
                let (at, bit) = (self.below(body.len()), self.below(8));
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            // Something said twice, or many times.
            3 => {
                let span = self.span(body.len());
                let times = 1 + self.below(8);
                let again = body[span.clone()].repeat(times);
                body.splice(span.end..span.end, again);
            }
            // A part of another seed put in.
            4 => {
                let other = &seeds[self.below(seeds.len())];
                let part = other[self.span(other.len())].to_vec();
                let at = self.below(body.len() + 1);
                body.splice(at..at, part);
            }
            // The rest of another seed.
            5 => {
                let other = &seeds[self.below(seeds.len())];
                body.truncate(self.below(body.len() + 1));
                body.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
            // What parsers trip over.
            _ => {
                let (at, odd) = (self.below(body.len() + 1), ODD[self.below(ODD.len())]);
                body.splice(at..at, odd.iter().copied());
            }
        }
    }
}
