//! Writing an answer: token by token into text, until something ends it.
//!
//! Text is given out only when it is certain: never half a character, and never what may still turn out to be the
//! beginning of a stop text.

use crate::TokenLog;
use crate::tokenizer::{Decoding, Tokenizer};

/// What whoever receives the text wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More of it.
    Continue,
    /// No more.
    Stop,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The model ended its turn.
    End,
    /// A stop text came up.
    StopText,
    /// As many tokens as were asked for.
    MaxTokens,
    /// The context holds no more.
    ContextFull,
    /// The receiver wanted no more.
    Cancelled,
    /// Its time was over.
    Deadline,
}

/// An answer, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The text, without the stop text that ended it.
    pub text: String,
    /// Tokens in the prompt.
    pub prompt: usize,
    /// Of these, tokens that were still known from before.
    pub cached: usize,
    /// Tokens written; the one that ended the turn does not count.
    pub generated: usize,
    /// Tokens that were guessed ahead.
    pub drafted: usize,
    /// Of these, tokens that came true.
    pub accepted: usize,
    /// How likely each token was, the one that ended the turn included; empty unless asked for.
    pub logs: Vec<TokenLog>,
    /// Why it ended.
    pub stopped: StopReason,
    /// Milliseconds spent reading the prompt.
    pub prefill_ms: f64,
    /// Milliseconds spent writing.
    pub decode_ms: f64,
}

/// Turns tokens into text and watches for stop texts.
pub(crate) struct Speaker {
    decoding: Decoding,
    stops: Vec<String>,
    text: String,
    /// Bytes of `text` already given out; no stop text begins before.
    sent: usize,
}

impl Speaker {
    pub(crate) fn new(tokenizer: &Tokenizer, stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { decoding: Decoding::new(tokenizer), stops, text: String::new(), sent: 0 }
    }

    /// Adds a token; gives the text that has become certain, and whether a stop text has come up.
    pub(crate) fn push(&mut self, tokenizer: &Tokenizer, token: u32) -> (&str, bool) {
        let more = self.decoding.push(tokenizer, token);
        self.add(&more)
    }

    /// What was held back, now that nothing follows.
    pub(crate) fn finish(&mut self) -> &str {
        let more = std::mem::take(&mut self.decoding).finish();
        let from = self.sent;
        if !self.add(&more).1 {
            self.sent = self.text.len();
        }
        &self.text[from..self.sent]
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn add(&mut self, more: &str) -> (&str, bool) {
        self.text.push_str(more);
        let unsent = &self.text[self.sent..];
        let found = self.stops.iter().filter_map(|stop| unsent.find(stop.as_str())).min();
        if let Some(found) = found {
            let from = self.sent;
            self.text.truncate(from + found);
            self.sent = self.text.len();
            return (&self.text[from..], true);
        }
        let held = self.stops.iter().map(|stop| overlap(unsent, stop)).max().unwrap_or(0);
        let from = self.sent;
        self.sent = self.text.len() - held;
        (&self.text[from..self.sent], false)
    }
}

/// Length of the longest end of `text` that is a beginning of `stop`, but not all of it.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len() - 1);
    (1..=longest).rev().find(|&length| text.as_bytes().ends_with(&stop.as_bytes()[..length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds pieces of text; gives what came out after each, and at the end.
    fn speak(stops: &[&str], pieces: &[&str]) -> (Vec<String>, String, bool) {
        let mut speaker = Speaker {
            decoding: Decoding::default(),
            stops: stops.iter().map(|stop| (*stop).to_owned()).collect(),
            text: String::new(),
            sent: 0,
        };
        let mut out = Vec::new();
        for piece in pieces {
            let (text, stopped) = speaker.add(piece);
            out.push(text.to_owned());
            if stopped {
                return (out, speaker.into_text(), true);
            }
        }
        out.push(speaker.finish().to_owned());
        (out, speaker.into_text(), false)
    }

    #[test]
    fn a_stop_text_split_over_pieces_never_shows() {
        let (out, text, stopped) = speak(&["\nUser:"], &["Hello", "\n", "Us", "er", ": next"]);
        assert_eq!((out.concat().as_str(), text.as_str(), stopped), ("Hello", "Hello", true));
        assert_eq!(out[0], "Hello");
    }

    #[test]
    fn what_only_looked_like_a_stop_text_is_given_out() {
        let (out, text, stopped) = speak(&["\nUser:"], &["Hello", "\nUs", "ual"]);
        assert_eq!(out, ["Hello", "", "\nUsual", ""]);
        assert_eq!((text.as_str(), stopped), ("Hello\nUsual", false));
        let (out, text, _) = speak(&["END"], &["the EN"]);
        assert_eq!(out, ["the ", "EN"]);
        assert_eq!(text, "the EN");
    }

    #[test]
    fn the_earliest_of_several_stop_texts_counts() {
        let (_, text, stopped) = speak(&["world", "lo w", "é"], &["hel", "lo", " world"]);
        assert_eq!((text.as_str(), stopped), ("hel", true));
        let (_, text, stopped) = speak(&["é"], &["caf", "é au lait"]);
        assert_eq!((text.as_str(), stopped), ("caf", true));
        let (_, text, _) = speak(&["aab"], &["aa", "ab", "c"]);
        assert_eq!(text, "a");
    }
}
