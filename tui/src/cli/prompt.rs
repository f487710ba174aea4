//! Questions to the person at the terminal. Secrets are read in raw mode without echo, so that Ctrl-C always leaves
//! the terminal as it was; a question of destruction is answered "no" by everything but a clear yes.

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal;
use hinet_protocol::ErrorKind;
use std::io::{self, BufRead, IsTerminal, Write};
use zeroize::Zeroizing;

use super::clean;
use super::end::End;

/// Longest secret that is read, in bytes; room is made at once so that no shorter copy stays behind in memory.
const SECRET_MAX: usize = 4096;

/// Whether a secret can be asked for: someone sees the question, and there is a terminal to type into, even where
/// stdin is a pipe.
#[must_use]
pub fn can_ask_secret() -> bool {
    io::stderr().is_terminal() && (io::stdin().is_terminal() || std::fs::File::open("/dev/tty").is_ok())
}

/// Asks for a line; the answer is trimmed.
pub fn line(question: &str) -> Result<String, End> {
    ask(question);
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer)? == 0 {
        return Err(End::Interrupted);
    }
    Ok(answer.trim().to_owned())
}

/// Asks for a line, with an answer that an empty line means.
pub fn line_or(question: &str, default: &str) -> Result<String, End> {
    let answer = line(&format!("{question} [{default}] "))?;
    Ok(if answer.is_empty() { default.to_owned() } else { answer })
}

/// Asks yes or no; anything but yes is no.
pub fn confirm(question: &str) -> Result<bool, End> {
    let answer = typed(&format!("{question} [y/N] "), true)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks for something nobody should read over a shoulder.
pub fn secret(question: &str) -> Result<Zeroizing<String>, End> {
    typed(question, false)
}

/// Asks for a new passphrase, twice.
///
/// The terminal echoes nothing from the first question to the last answer: what is typed ahead between two of them is no less
/// secret.
pub fn new_passphrase() -> Result<Zeroizing<String>, End> {
    let raw = Raw::begin()?;
    loop {
        let first = typed_in(&raw, "New passphrase (eight characters or more): ", false)?;
        if first.chars().count() < 8 {
            ask("That is shorter than eight characters. A few plain words make a good passphrase.");
            next_line();
            continue;
        }
        if *typed_in(&raw, "The same again: ", false)? == *first {
            return Ok(first);
        }
        ask("The two were not the same.");
        next_line();
    }
}

/// Says something on the terminal between two questions.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", clean::for_terminal(text));
}

fn ask(question: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{}", clean::for_terminal(question));
    let _ = stderr.flush();
}

/// Raw mode for as long as this lives.
struct Raw;

impl Raw {
    fn begin() -> Result<Self, End> {
        terminal::enable_raw_mode().map_err(|error| {
            End::Failure(hinet_protocol::Failure::new(
                ErrorKind::Usage,
                format!("The terminal cannot be asked: {error}."),
                "Set ICORE_PASSPHRASE_FILE to a file that holds the passphrase.",
            ))
        })?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = terminal::disable_raw_mode();
    }
}

fn typed(question: &str, echo: bool) -> Result<Zeroizing<String>, End> {
    typed_in(&Raw::begin()?, question, echo)
}

/// Begins a line where the terminal does nothing by itself.
fn next_line() {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(b"\r\n");
    let _ = stderr.flush();
}

fn typed_in(_raw: &Raw, question: &str, echo: bool) -> Result<Zeroizing<String>, End> {
    ask(question);
    let mut text = Zeroizing::new(String::with_capacity(SECRET_MAX));
    let ended = loop {
        match event::read()? {
            Event::Key(key) if key.kind != KeyEventKind::Release => match edit(&mut text, key, echo) {
                Edit::More => {}
                Edit::Entered => break Ok(()),
                Edit::Left => break Err(End::Interrupted),
            },
            _ => {}
        }
    };
    next_line();
    ended.map(|()| text)
}

enum Edit {
    More,
    Entered,
    Left,
}

fn edit(text: &mut String, key: KeyEvent, echo: bool) -> Edit {
    let show = |shown: &str| {
        if echo {
            ask(shown);
        }
    };
    let rub_out = || {
        if echo {
            // Our own cursor movement; `ask` would show it instead of doing it.
            let mut stderr = io::stderr().lock();
            let _ = stderr.write_all(b"\x08 \x08");
            let _ = stderr.flush();
        }
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => return Edit::Entered,
        KeyCode::Esc => return Edit::Left,
        KeyCode::Char('j' | 'm') if control => return Edit::Entered,
        KeyCode::Char('c') if control => return Edit::Left,
        KeyCode::Char('d') if control && text.is_empty() => return Edit::Left,
        KeyCode::Char('u') if control => {
            text.chars().for_each(|_| rub_out());
            text.clear();
        }
        KeyCode::Backspace if text.pop().is_some() => rub_out(),
        KeyCode::Char(c) if !control && text.len() + c.len_utf8() <= SECRET_MAX => {
            text.push(c);
            show(c.encode_utf8(&mut [0; 4]));
        }
        _ => {}
    }
    Edit::More
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_edit_the_secret() {
        let mut text = String::new();
        let press = |text: &mut String, code, modifiers| edit(text, KeyEvent::new(code, modifiers), false);
        for c in "pässword".chars() {
            press(&mut text, KeyCode::Char(c), KeyModifiers::NONE);
        }
        press(&mut text, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(text, "pässwor");
        press(&mut text, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(text, "");
        assert!(matches!(press(&mut text, KeyCode::Char('c'), KeyModifiers::CONTROL), Edit::Left));
        assert!(matches!(press(&mut text, KeyCode::Enter, KeyModifiers::NONE), Edit::Entered));
    }
}
