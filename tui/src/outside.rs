//! Other programs, started by the owner's own hand: an editor for what is being typed, a command whose output is to be
//! attached.
//!
//! These are the named exceptions to "no plaintext on disk": an editor needs a file. It lies where the system keeps what
//! is gone at the next start, readable by the owner alone, and is overwritten and removed as soon as the editor is
//! closed; what the editor itself keeps beside it is the editor's.
#![allow(clippy::disallowed_types, reason = "this file is the terminal's door to the owner's own programs")]

use hinet_protocol::{ErrorKind, Failure};
use rustix::process::{Pid, Signal};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bytes of a command's output that are kept.
pub const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// Bytes that are taken back from an editor.
const DRAFT_BYTES_MAX: u64 = 1 << 20;
/// How long a command may run.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(120);
/// Between two looks at whether a command has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A file that is overwritten and removed with the value.
struct Leaf {
    path: PathBuf,
}

impl Leaf {
    fn write(text: &str) -> io::Result<Self> {
        let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let name = format!("icore-{}-{}.md", std::process::id(), stamp.as_nanos());
        let path = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from).join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let leaf = Self { path };
        file.write_all(text.as_bytes())?;
        Ok(leaf)
    }

    fn read(&self) -> io::Result<String> {
        let mut bytes = Vec::new();
        File::open(&self.path)?.take(DRAFT_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        if let Ok(meta) = std::fs::metadata(&self.path) {
            // The file may be gone, or another one by now; removing is what matters.
            let blank = vec![0u8; usize::try_from(meta.len().min(DRAFT_BYTES_MAX)).unwrap_or(0)];
            let _ = OpenOptions::new().write(true).open(&self.path).and_then(|mut file| file.write_all(&blank));
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The editor the owner uses.
fn editor() -> String {
    let wish = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| std::env::var(name).ok());
    wish.map(|wish| wish.trim().to_owned()).find(|wish| !wish.is_empty()).unwrap_or_else(|| "vi".to_owned())
}

/// Opens the owner's editor on `text` and gives back what it became. The terminal must have been given back before.
///
/// # Errors
/// When the file cannot be written, or the editor cannot be started or ends with an error; nothing is changed then.
pub fn edit(text: &str) -> Result<String, Failure> {
    let editor = editor();
    let failed = |what: String| {
        Failure::new(ErrorKind::Failed, what, "What you typed is as it was. $VISUAL or $EDITOR names the editor.")
    };
    let leaf =
        Leaf::write(text).map_err(|error| failed(format!("No file for the editor could be written: {error}.")))?;
    // The variable may hold arguments ("code --wait"), so a shell reads it, as every program that honours it does.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("icore").arg(&leaf.path).status();
    match status {
        Ok(status) if status.success() => {
            leaf.read().map_err(|error| failed(format!("The editor's file could not be read back: {error}.")))
        }
        Ok(status) => Err(failed(format!("The editor {editor} ended with {status}."))),
        Err(error) => Err(failed(format!("The editor {editor} could not be started: {error}."))),
    }
}

/// Runs a command line in the owner's shell and gives what it printed, errors among it, cut at [`OUTPUT_BYTES_MAX`].
///
/// # Errors
/// When it cannot be started, runs too long, or `cancel` is set. A command that fails is no error: its output says why.
pub fn run(command: &str, cancel: &AtomicBool) -> Result<String, Failure> {
    let failed = |what: String| Failure::new(ErrorKind::Failed, what, "Nothing was attached.");
    let (reader, writer) =
        io::pipe().map_err(|error| failed(format!("The command's output could not be caught: {error}.")))?;
    let both =
        writer.try_clone().map_err(|error| failed(format!("The command's output could not be caught: {error}.")))?;
    let shell = std::env::var("SHELL").ok().filter(|shell| Path::new(shell).is_absolute()).unwrap_or("/bin/sh".into());
    let mut child = {
        let mut line = Command::new(shell);
        line.arg("-c").arg(command).process_group(0).stdin(Stdio::null()).stdout(writer).stderr(both);
        line.spawn().map_err(|error| failed(format!("The command could not be started: {error}.")))?
        // The command line, and with it this end of the pipe, is dropped here; else the pipe would never end.
    };
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut head = reader.take(OUTPUT_BYTES_MAX as u64);
        let _ = head.read_to_end(&mut bytes);
        // What is past the limit is read and dropped, so that the command is not left waiting.
        let _ = io::copy(&mut head.into_inner(), &mut io::sink());
        bytes
    });
    wait(&mut child, cancel).map_err(failed)?;
    let bytes = reading.join().map_err(|_| failed("The command's output could not be read.".to_owned()))?;
    let cut = bytes.len() == OUTPUT_BYTES_MAX;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if cut {
        text.push_str("\n[cut here: the output was longer]\n");
    }
    Ok(text)
}

fn wait(child: &mut Child, cancel: &AtomicBool) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            Err(error) => return Err(format!("The command was lost: {error}.")),
        }
        let late = begun.elapsed() > COMMAND_TIME_MAX;
        if late || cancel.load(Ordering::Relaxed) {
            // The command and what it started; it may have ended by itself meanwhile.
            let _ = rustix::process::kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.kill();
            let _ = child.wait();
            return Err(if late {
                "The command ran for two minutes and was stopped.".into()
            } else {
                "You stopped the command.".into()
            });
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_errors_are_caught_and_cut() {
        let go = AtomicBool::new(false);
        assert_eq!(run("echo out; echo err >&2; exit 3", &go).unwrap(), "out\nerr\n");
        let long = run("yes abcdefghi | head -n 100000", &go).unwrap();
        assert!(long.len() < OUTPUT_BYTES_MAX + 64 && long.contains("cut here"));
    }

    #[test]
    fn a_stopped_command_says_so() {
        let stopped = AtomicBool::new(true);
        assert!(run("sleep 60", &stopped).unwrap_err().message.contains("You stopped"));
    }

    #[test]
    fn the_file_is_private_and_gone_afterwards() {
        use std::os::unix::fs::PermissionsExt;
        let leaf = Leaf::write("a secret").unwrap();
        let path = leaf.path.clone();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(leaf.read().unwrap(), "a secret");
        drop(leaf);
        assert!(!path.exists());
    }
}
