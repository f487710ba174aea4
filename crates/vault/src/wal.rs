//! Reads SQLite's write-ahead log as bytes, before SQLite does.
//!
//! SQLite ends recovery at the first frame whose checksum is wrong and says nothing. The vault never leaves stale
//! frames behind (`journal_size_limit = 0` cuts the log when it starts over), so every frame of the file should
//! check out; one that does not is a write a crash cut short, or damage. The signed head tells which.

use crate::{VaultError, file};
use std::path::Path;

/// A log is checkpointed at about 4 MiB; one commit may be much larger.
const LOG_CAP: u64 = 8 << 30;
const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What the log's own checksums say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogState {
    /// There is none, or it is empty.
    Empty,
    /// Every frame checks out.
    Whole {
        /// How many.
        frames: usize,
    },
    /// From this frame on (0 is the header) it does not check out.
    Broken {
        /// Which.
        at: usize,
    },
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// SQLite's running checksum over pairs of 32-bit words.
fn sum(bytes: &[u8], mut s: (u32, u32), big_endian: bool) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let read = |half: &[u8]| {
            let half = half.try_into().expect("half of eight bytes");
            if big_endian { u32::from_be_bytes(half) } else { u32::from_le_bytes(half) }
        };
        s.0 = s.0.wrapping_add(read(&pair[..4])).wrapping_add(s.1);
        s.1 = s.1.wrapping_add(read(&pair[4..])).wrapping_add(s.0);
    }
    s
}

fn frames(bytes: &[u8]) -> Option<LogState> {
    let magic = word(bytes, 0)?;
    let big_endian = match magic {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return None,
    };
    let page = word(bytes, 8)? as usize;
    let mut s = sum(bytes.get(..24)?, (0, 0), big_endian);
    if !page.is_power_of_two() || !(512..=65536).contains(&page) || (word(bytes, 24)?, word(bytes, 28)?) != s {
        return None;
    }
    let salts = bytes.get(16..24)?;
    let mut count = 0;
    for frame in bytes.get(HEADER..)?.chunks(FRAME_HEADER + page) {
        let broken = Some(LogState::Broken { at: count + 1 });
        if frame.len() < FRAME_HEADER + page || &frame[8..16] != salts {
            return broken;
        }
        s = sum(&frame[..8], s, big_endian);
        s = sum(&frame[FRAME_HEADER..], s, big_endian);
        if (word(frame, 16)?, word(frame, 20)?) != s {
            return broken;
        }
        count += 1;
    }
    Some(LogState::Whole { frames: count })
}

/// Reads the log at `path` over. Changes nothing.
pub(crate) fn scan(path: &Path) -> Result<LogState, VaultError> {
    match file::read_small(path, LOG_CAP)? {
        None => Ok(LogState::Empty),
        Some(bytes) if bytes.is_empty() => Ok(LogState::Empty),
        Some(bytes) => Ok(frames(&bytes).unwrap_or(LogState::Broken { at: 0 })),
    }
}
