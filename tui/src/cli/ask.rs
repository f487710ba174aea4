//! `icore ask`: one question, one answer with what it stands on. Words stream to a terminal as they come; anything
//! else gets the finished answer only, because a draft may be withdrawn.

use clap::Args;
use hinet_protocol::{Answer, ChatParams, Event, Op, SessionId, Turn};
use std::io::Read;
use unicode_width::UnicodeWidthStr;

use super::context::Context;
use super::end::End;
use super::line;
use super::output::{Output, grouped};
use super::{assembly, clean};

/// Longest question read from stdin, in bytes. No anchor's context holds more.
const QUESTION_BYTES_MAX: u64 = 1 << 20;
/// Characters of a cited passage that are shown.
const PASSAGE_CHARS: usize = 160;

const EXAMPLES: &str = "\
Examples:
  icore ask When does my train to Porto leave?
  echo 'Who owns the staging host?' | icore ask --json
  icore ask --voice Tell Ana that I am late and bring bread
  icore ask --assembly house Where is the fuse box?
  icore ask --session 0199f3a2-… And the day after?";

/// `icore ask`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Ask {
    /// The question; `-` or nothing reads it from stdin
    #[arg(value_name = "QUESTION")]
    question: Vec<String>,
    /// Go on with this conversation (the answer's JSON names it)
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// Keep nothing of it: neither the question nor the answer is stored
    #[arg(long, conflicts_with = "session")]
    incognito: bool,
    /// Not an answer but a draft in your own voice: say what is to be written, or hand over what is to be replied to
    #[arg(long)]
    voice: bool,
    /// Ask this assembly where the memory has no answer (`icore assembly list` shows them)
    #[arg(long, value_name = "NAME", conflicts_with = "voice")]
    assembly: Option<String>,
    /// Most tokens to generate
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    max_tokens: Option<u32>,
    /// How freely words are chosen: 0 always takes the likeliest
    #[arg(long, value_name = "T", value_parser = temperature)]
    temperature: Option<f32>,
    /// Seed of the choice: the same seed on the same machine gives the same answer
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

fn temperature(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(t) if (0.0..=5.0).contains(&t) => Ok(t),
        _ => Err("a temperature is a number from 0 to 5".into()),
    }
}

impl Ask {
    /// Asks and prints.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let text = question(&self.question, &context.out)?;
        let params = ChatParams {
            temperature: self.temperature,
            max_tokens: self.max_tokens.map(|n| n as usize),
            seed: self.seed,
            ..ChatParams::default()
        };
        let turn = Turn {
            incognito: self.incognito.then(Vec::new),
            voice: self.voice,
            assembly: self.assembly,
            ..Turn::default()
        };
        let op = Op::Chat { session: self.session, text, turn, params };
        line::with(context, async |line| {
            let mut draft = Draft { out: &context.out, shown: String::new() };
            let outcome = line.hear(op, |event| draft.hear(event)).await;
            if outcome.is_err() {
                draft.end()?;
            }
            let outcome = outcome?;
            let Event::ChatDone { answer } = outcome.event else { return Err(End::unexpected("a question")) };
            if context.out.json() {
                context.out.document(&answer)?;
            } else {
                draft.settle(&answer.answer)?;
                below(&context.out, &answer)?;
            }
            if outcome.stopped { Err(End::Interrupted) } else { Ok(()) }
        })
    }
}

/// The question from the arguments or from stdin.
fn question(words: &[String], out: &Output) -> Result<String, End> {
    let from_stdin = match words {
        [] => out.piped_in(),
        [word] => word == "-",
        _ => false,
    };
    let text = if from_stdin {
        let mut text = String::new();
        let read = std::io::stdin().lock().take(QUESTION_BYTES_MAX + 1).read_to_string(&mut text);
        read.map_err(|error| {
            End::usage(format!("The question could not be read from stdin: {error}."), "It must be UTF-8 text.")
        })?;
        text
    } else {
        words.join(" ")
    };
    if text.len() as u64 > QUESTION_BYTES_MAX {
        return Err(End::usage(
            "The question is longer than a megabyte.",
            "Remember long text with `icore ingest FILE` and ask about it.",
        ));
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(End::usage("There is no question.", "Write it after `icore ask`, or pipe it in."));
    }
    Ok(text.to_owned())
}

/// The answer while it is being written to a terminal.
struct Draft<'a> {
    out: &'a Output,
    shown: String,
}

impl Draft<'_> {
    fn hear(&mut self, event: &Event) -> Result<(), End> {
        if !self.out.streams() {
            return Ok(());
        }
        match event {
            Event::ChatDelta { text } => {
                self.shown.push_str(text);
                self.out.part(text)
            }
            Event::ChatReset => self.withdraw(),
            _ => Ok(()),
        }
    }

    /// Leaves the finished answer standing, whatever the draft said.
    fn settle(&mut self, answer: &str) -> Result<(), End> {
        if self.shown.trim() == answer.trim() && !self.shown.is_empty() {
            return self.end();
        }
        self.withdraw()?;
        self.out.line(answer.trim())
    }

    /// Ends the draft's last line.
    fn end(&mut self) -> Result<(), End> {
        if !self.shown.is_empty() && !self.shown.ends_with('\n') {
            self.out.part("\n")?;
        }
        self.shown.clear();
        Ok(())
    }

    /// Takes the draft off the screen; where it has scrolled too far for that, says that it does not count.
    fn withdraw(&mut self) -> Result<(), End> {
        if self.shown.is_empty() {
            return Ok(());
        }
        let (columns, screen) = crossterm::terminal::size().unwrap_or((80, 24));
        let rows = rows(&clean::for_terminal(&self.shown), usize::from(columns.max(1)));
        if rows >= usize::from(screen) {
            self.end()?;
            return self.out.line(self.out.dim("(the words above were a draft; this is the answer:)"));
        }
        self.shown.clear();
        let up = if rows > 1 { format!("\x1b[{}A", rows - 1) } else { String::new() };
        self.out.raw(format!("\r{up}\x1b[J").as_bytes())
    }
}

/// Screen rows that `text` takes at this width.
fn rows(text: &str, columns: usize) -> usize {
    text.split('\n').map(|line| line.width().max(1).div_ceil(columns)).sum()
}

/// What stands below an answer: what it draws on, what did not fit, how it was made.
fn below(out: &Output, answer: &Answer) -> Result<(), End> {
    if !answer.citations.is_empty() {
        out.line("")?;
    }
    for (n, citation) in answer.citations.iter().enumerate() {
        out.line(format!("{} {}", out.bold(&format!("[{}]", n + 1)), clean::one_line(&citation.source)))?;
        out.line(out.dim(&format!("    “{}”", clean::excerpt(&citation.text, PASSAGE_CHARS))))?;
        let whose = citation.member.as_ref();
        out.line(out.dim(&whose.map_or_else(
            || format!("    item {}", citation.item),
            |member| format!("    handed out by {}, none of your memory", clean::one_line(member)),
        )))?;
    }
    for cut in &answer.cut {
        let (what, tokens) = (clean::one_line(&cut.what), grouped(cut.tokens as u64));
        out.note(format!("left out to fit: {what} ({tokens} tokens)"));
    }
    if let Some(composition) = &answer.composed {
        out.note(assembly::composed(composition));
    }
    let made = match answer.how.as_str() {
        "quoted" => "quoted from the passage: the model's own words did not stand on it",
        "stopped" => "stopped",
        "assembled" if answer.citations.iter().any(|citation| citation.member.is_some()) => {
            "from what was handed out above, not from your memory"
        }
        "assembled" => "from the members' weights, not from your memory: nothing here can be looked up",
        "draft" => "a draft in your voice, from the passages above and what the nights learned; nothing was sent",
        _ => return Ok(()),
    };
    out.note(made);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn rows_follow_the_width() {
        for (text, columns, expected) in [
            ("", 80, 1),
            ("one", 80, 1),
            ("one\ntwo", 80, 2),
            ("abcdef", 3, 2),
            ("abcdefg", 3, 3),
            ("日本", 3, 2),
            ("a\n", 9, 2),
        ] {
            assert_eq!(rows(text, columns), expected, "{text:?} in {columns}");
        }
    }
}
