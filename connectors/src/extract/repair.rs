//! A PDF whose cross-reference table is broken, given a new one.
//!
//! Interrupted downloads, mail gateways and careless programs break the table far more often than the objects. The
//! objects announce themselves (`12 0 obj`), so the table can be made again.

use std::{collections::BTreeMap, io::Write};

/// The same file with a new table and trailer at its end; `None` where there is no document to be found in it.
pub(super) fn repaired(bytes: &[u8]) -> Option<Vec<u8>> {
    let objects = objects(bytes);
    // Later trailers win, as in a file that was saved in increments.
    let root = last_reference(bytes, b"/Root").or_else(|| catalog(bytes, &objects))?;
    let size = objects.keys().next_back()? + 1;
    let mut out = bytes.to_vec();
    let table = out.len() + 1;
    let mut tail = || -> std::io::Result<()> {
        write!(out, "\nxref\n0 1\n0000000000 65535 f \n")?;
        for (number, (generation, at)) in &objects {
            write!(out, "{number} 1\n{at:010} {generation:05} n \n")?;
        }
        write!(out, "trailer\n<< /Size {size} /Root {} {} R", root.0, root.1)?;
        for key in ["/Info", "/Encrypt"] {
            if let Some((number, generation)) = last_reference(bytes, key.as_bytes()) {
                write!(out, " {key} {number} {generation} R")?;
            }
        }
        if let Some(id) = id(bytes) {
            out.write_all(b" /ID ")?;
            out.write_all(id)?;
        }
        write!(out, " >>\nstartxref\n{table}\n%%EOF\n")
    };
    tail().ok()?;
    Some(out)
}

/// The last place of every object: number to generation and offset.
fn objects(bytes: &[u8]) -> BTreeMap<u32, (u16, usize)> {
    let mut found = BTreeMap::new();
    for at in positions(bytes, b"obj") {
        if bytes[..at].ends_with(b"end") {
            continue;
        }
        let Some((generation, start)) = number_before(bytes, at) else { continue };
        let Some((number, start)) = number_before(bytes, start) else { continue };
        // The format's own limit on object numbers is 8388607; a larger one would only make a giant table.
        if let (Ok(number @ 1..=8_388_607), Ok(generation)) = (u32::try_from(number), u16::try_from(generation)) {
            found.insert(number, (generation, start));
        }
    }
    found
}

/// The number that ends before `at`, blanks between, and where it starts.
fn number_before(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let head = bytes[..at].trim_ascii_end();
    let digits = head.iter().rev().take(10).take_while(|b| b.is_ascii_digit()).count();
    let start = head.len() - digits;
    let number = std::str::from_utf8(&head[start..]).ok()?.parse().ok()?;
    Some((number, start))
}

/// `key 12 0 R`: the last one in the file.
fn last_reference(bytes: &[u8], key: &[u8]) -> Option<(u64, u64)> {
    positions(bytes, key).filter_map(|at| reference(&bytes[at + key.len()..])).last()
}

fn reference(rest: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(rest.get(..40.min(rest.len()))?.trim_ascii_start().split(|b| !b.is_ascii()).next()?)
        .ok()?;
    let mut parts = text.split_ascii_whitespace();
    let number = parts.next()?.parse().ok()?;
    let generation = parts.next()?.parse().ok()?;
    parts.next()?.starts_with('R').then_some((number, generation))
}

/// The object that calls itself the catalog, where no trailer names it.
fn catalog(bytes: &[u8], objects: &BTreeMap<u32, (u16, usize)>) -> Option<(u64, u64)> {
    let at = positions(bytes, b"/Catalog").last()?;
    let owner = objects.iter().filter(|(_, (_, start))| *start < at).max_by_key(|(_, (_, start))| *start)?;
    Some((u64::from(*owner.0), u64::from(owner.1.0)))
}

/// The file's identifier, which decryption needs.
fn id(bytes: &[u8]) -> Option<&[u8]> {
    positions(bytes, b"/ID")
        .filter_map(|at| {
            let rest = &bytes[at + 3..];
            let rest = &rest[..rest.len().min(512)];
            let open = rest.iter().position(|b| !b.is_ascii_whitespace())?;
            let close = rest.iter().position(|b| *b == b']')?;
            (rest[open] == b'[' && open < close).then(|| &rest[open..=close])
        })
        .last()
}

fn positions<'a>(bytes: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(wanted.len()).enumerate().filter(move |(_, window)| *window == wanted).map(|(at, _)| at)
}
