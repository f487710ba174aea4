//! Where words go: results to stdout, what is said beside them to stderr, failures in the form that was asked for.
//!
//! A broken pipe ends the command quietly. Nothing reaches a terminal that `clean` has not seen.

use hinet_protocol::{Failure, Progress, Unit};
use hinet_tui::abilities::Abilities;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use unicode_width::UnicodeWidthStr;

use super::clean::{self, BOLD, DIM, PLAIN};
use super::end::End;

/// How this run prints.
#[derive(Debug, Clone)]
pub struct Output {
    json: bool,
    quiet: bool,
    stdin_terminal: bool,
    stdout_terminal: bool,
    stderr_terminal: bool,
    styled: bool,
}

impl Output {
    /// Looks at the three standard streams once.
    #[must_use]
    pub fn new(json: bool, quiet: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            quiet,
            stdin_terminal: io::stdin().is_terminal(),
            stdout_terminal: io::stdout().is_terminal(),
            stderr_terminal: io::stderr().is_terminal(),
            // A terminal that cannot place text does not know styles either.
            styled: !no_color && Abilities::here().is_some(),
        }
    }

    /// Whether results are JSON.
    #[must_use]
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether stdout is a terminal that people read words on.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.stdout_terminal && !self.json
    }

    /// Whether both ends are a terminal, as the chat needs them.
    #[must_use]
    pub fn full_terminal(&self) -> bool {
        self.stdin_terminal && self.stdout_terminal
    }

    /// Whether a person can be asked something.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.stdin_terminal && self.stderr_terminal
    }

    /// Whether stdin is something to read rather than someone typing.
    #[must_use]
    pub fn piped_in(&self) -> bool {
        !self.stdin_terminal
    }

    /// Whether progress may be drawn.
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        self.stderr_terminal && !self.quiet && !self.json
    }

    /// Prints one result line (or several, where `text` holds newlines).
    pub fn line(&self, text: impl AsRef<str>) -> Result<(), End> {
        let text = text.as_ref();
        let mut stdout = io::stdout().lock();
        if self.stdout_terminal {
            writeln!(stdout, "{}", clean::for_terminal(text))?;
        } else {
            writeln!(stdout, "{text}")?;
        }
        Ok(())
    }

    /// Prints part of a line at once, for words that arrive one by one.
    pub fn part(&self, text: &str) -> Result<(), End> {
        let mut stdout = io::stdout().lock();
        if self.stdout_terminal {
            stdout.write_all(clean::for_terminal(text).as_bytes())?;
        } else {
            stdout.write_all(text.as_bytes())?;
        }
        Ok(stdout.flush()?)
    }

    /// Prints bytes of this program's own making as they are: cursor movements, scripts, exports.
    pub fn raw(&self, bytes: &[u8]) -> Result<(), End> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        Ok(stdout.flush()?)
    }

    /// Prints a result as one line of JSON.
    pub fn document(&self, value: &impl Serialize) -> Result<(), End> {
        let text = serde_json::to_string(value)
            .map_err(|error| End::failed(format!("The result has no JSON form: {error}."), "Leave --json out."))?;
        let mut stdout = io::stdout().lock();
        Ok(writeln!(stdout, "{text}")?)
    }

    /// Prints rows in aligned columns; the last column is left ragged.
    pub fn table(&self, rows: &[Vec<String>]) -> Result<(), End> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                line.push_str(cell);
                if column + 1 < row.len() {
                    line.extend(std::iter::repeat_n(' ', widths[column] - cell.width() + 2));
                }
            }
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// Says something beside the result; silent with `--quiet` and `--json`.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.quiet && !self.json {
            self.aside(text.as_ref());
        }
    }

    /// Says something without which the person cannot go on, whatever is asked for: with `--json` the value, as one line.
    pub fn needed(&self, text: &str, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(json) if self.json => self.aside(&json),
            _ => self.aside(text),
        }
    }

    /// Says something the person should know even with `--quiet`; silent with `--json`, whose stderr is for failures.
    pub fn warn(&self, text: impl AsRef<str>) {
        if !self.json {
            self.aside(&format!("warning: {}", text.as_ref()));
        }
    }

    /// Says why the command failed.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            let error = serde_json::json!({
                "error": { "kind": failure.kind, "message": failure.message, "hint": failure.hint }
            });
            let _ = writeln!(io::stderr().lock(), "{error}");
            return;
        }
        self.aside(&format!("{} {}", self.styled_on(self.stderr_terminal, BOLD, "error:"), failure.message));
        if !failure.hint.is_empty() {
            self.aside(&format!("{} {}", self.styled_on(self.stderr_terminal, BOLD, "hint:"), failure.hint));
        }
    }

    /// `text` in bold, where stdout shows styles.
    #[must_use]
    pub fn bold(&self, text: &str) -> String {
        self.styled_on(self.stdout_terminal, BOLD, text)
    }

    /// `text` dimmed, where stdout shows styles.
    #[must_use]
    pub fn dim(&self, text: &str) -> String {
        self.styled_on(self.stdout_terminal, DIM, text)
    }

    fn styled_on(&self, terminal: bool, style: &str, text: &str) -> String {
        if self.styled && terminal { format!("{style}{text}{PLAIN}") } else { text.to_owned() }
    }

    /// A failing stderr leaves nobody to tell.
    fn aside(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = if self.stderr_terminal {
            writeln!(stderr, "{}", clean::for_terminal(text))
        } else {
            writeln!(stderr, "{text}")
        };
    }
}

/// A count with its noun: "1 file", "3 files".
#[must_use]
pub fn count(n: u64, noun: &str) -> String {
    match (n, noun.strip_suffix("ry")) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{} {stem}ries", grouped(n)),
        (_, None) => format!("{} {noun}s", grouped(n)),
    }
}

/// A number with its thousands set apart.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as people say them.
#[must_use]
pub fn size(bytes: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (step, unit) in STEPS {
        if bytes >= step {
            let tenths = bytes * 10 / step;
            return if tenths >= 100 {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
    }
    count(bytes, "byte")
}

/// The noun of a progress count.
#[must_use]
pub fn noun(progress: &Progress) -> &'static str {
    match progress.unit {
        Unit::Files => "file",
        Unit::Chunks => "chunk",
        Unit::Bytes => "byte",
        Unit::Tokens => "token",
        Unit::Parts => "part",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (n, text) in [(0, "0 files"), (1, "1 file"), (1204, "1,204 files"), (1_234_567, "1,234,567 files")] {
            assert_eq!(count(n, "file"), text);
        }
        assert_eq!(count(2, "entry"), "2 entries");
        for (n, text) in [(12, "12 bytes"), (1_500, "1.5 kB"), (98_400_000, "98 MB"), (2_100_000_000, "2.1 GB")] {
            assert_eq!(size(n), text);
        }
    }
}
