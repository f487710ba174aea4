//! How fast a large mailbox is read, and in how much memory. Ignored by default: run it alone and optimised, with
//! `cargo test --release -p hinet-connectors --test large -- --ignored --nocapture`.

mod support;

use hinet_connectors::{Document, Reader, Skipped, Taker, Whole};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    ops::ControlFlow,
    time::Instant,
};
use support::{Opened, extractor, files, fixtures, reference};

/// Bytes of the mailbox.
const SIZE: u64 = 200 << 20;

#[derive(Default)]
struct Counted {
    items: u64,
    text: u64,
    skipped: u64,
}

impl Taker for Counted {
    fn has(&mut self, _: &str) -> bool {
        false
    }

    fn take(&mut self, found: Result<Document, Skipped>) -> ControlFlow<()> {
        match found {
            Ok(document) => (self.items, self.text) = (self.items + 1, self.text + document.text.len() as u64),
            Err(_) => self.skipped += 1,
        }
        ControlFlow::Continue(())
    }
}

/// The most memory that this process ever held, in MB, where the system says.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

#[test]
#[ignore = "it takes 200 MB of disk and is a measurement"]
fn a_large_mailbox() {
    let Some(folder) = fixtures("mail") else { return };
    let messages: Vec<Vec<u8>> = ["eml", "txt"]
        .iter()
        .flat_map(|extension| files(&folder, extension))
        .filter_map(|path| fs::read(path).ok())
        .filter(|message| message.len() < 1 << 20 && !message.starts_with(b"From "))
        .collect();
    let opened = Opened::new();
    let path = opened.root.join("large.mbox");
    let mut mbox = BufWriter::new(File::create(&path).expect("a file"));
    let (mut size, mut count) = (0, 0u64);
    while size < SIZE {
        for message in &messages {
            let head = format!("From x@example.org Mon Jan  1 00:00:00 2024\nX-Copy: {count}\n");
            mbox.write_all(head.as_bytes()).and_then(|()| mbox.write_all(message)).expect("a message");
            mbox.write_all(b"\n\n").expect("its end");
            size += (head.len() + message.len() + 2) as u64;
            count += 1;
        }
    }
    mbox.into_inner().expect("all of it");
    let (mut counted, before) = (Counted::default(), peak());
    let begun = Instant::now();
    let whole = Reader::new(&opened.reading, &opened.limits, &extractor()).read(&reference(&path), &mut counted);
    let took = begun.elapsed();
    eprintln!(
        "{} MB, {count} messages: {} items with {} MB of text, {} left out, in {took:.1?}: {:.1} MB/s; peak {:?} MB, before {before:?} MB",
        size >> 20,
        counted.items,
        counted.text >> 20,
        counted.skipped,
        size as f64 / 1e6 / took.as_secs_f64(),
        peak()
    );
    assert_eq!(whole, Whole::All);
    assert!(counted.items > 0);
}
