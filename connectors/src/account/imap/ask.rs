//! Asking a mail server, and hearing it out.
//!
//! The library's own commands end a list where the connection ends, and where the server refuses it. What is not listed
//! leaves the memory, so here a list counts only once the server has said that it is done.

use super::{AccountError, ImapError, Mailbox, Server};
use crate::account::http::sentence;
use async_imap::imap_proto::{Response, Status};
use std::{future::Future, io, time::Duration};
use tokio::time::{Instant, sleep};

/// How long a server may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(90);
/// The same for a message, which may be large and the line thin.
pub(super) const MESSAGE: Duration = Duration::from_secs(1200);
/// How many answers one command may have.
const ANSWERS_MAX: u64 = 1 << 20;
/// How often one looks whether to go on, whether a server is silent or talks on.
const PULSE: Duration = Duration::from_millis(100);

/// What is heard while one waits.
pub(super) enum Said<'a> {
    /// Nothing yet.
    Nothing,
    /// One answer; there may be more.
    Answer(&'a Response<'a>),
}

impl Said<'_> {
    /// Goes on where that is wanted; an answer that nobody asked for changes nothing.
    pub(super) fn goes_on(&self, goes_on: &mut dyn FnMut() -> bool) -> Result<(), AccountError> {
        if matches!(self, Self::Answer(_)) || goes_on() { Ok(()) } else { Err(AccountError::Stopped) }
    }
}

/// Asks, and hands all that the server says to `hear` until it has said that it is done.
pub(super) async fn ask(
    server: &Server,
    mailbox: &mut Mailbox,
    command: &str,
    limit: Duration,
    hear: &mut dyn FnMut(Said<'_>) -> Result<(), AccountError>,
) -> Result<(), AccountError> {
    let id = wait(server, limit, hear, mailbox.run_command(command)).await?;
    let (mut looked, mut answers) = (Instant::now(), 0u64);
    loop {
        let next = wait(server, limit, hear, async { Ok(mailbox.read_response().await?) }).await?;
        let Some(next) = next else { return Err(said(server, ImapError::ConnectionLost)) };
        match next.parsed() {
            Response::Done { tag, status, outcome } if *tag == id => {
                if *status == Status::Ok {
                    return Ok(());
                }
                let why = sentence(outcome.information.as_deref().unwrap_or("it refuses"));
                return Err(AccountError::Answer { server: server.to_string(), why });
            }
            Response::Data { status: Status::Bye, .. } => return Err(said(server, ImapError::ConnectionLost)),
            answer => {
                hear(Said::Answer(answer))?;
                answers += 1;
                if answers > ANSWERS_MAX {
                    let why = "it says more than can be".to_owned();
                    return Err(AccountError::Answer { server: server.to_string(), why });
                }
                if looked.elapsed() > PULSE {
                    hear(Said::Nothing)?;
                    looked = Instant::now();
                }
            }
        }
    }
}

/// Waits for something of the library's, as long as it is wanted and does not take too long.
pub(super) async fn heard<T>(
    server: &Server,
    goes_on: &mut dyn FnMut() -> bool,
    work: impl Future<Output = Result<T, ImapError>>,
) -> Result<T, AccountError> {
    wait(server, ANSWER, &mut |said| said.goes_on(goes_on), work).await
}

async fn wait<T>(
    server: &Server,
    limit: Duration,
    hear: &mut dyn FnMut(Said<'_>) -> Result<(), AccountError>,
    work: impl Future<Output = Result<T, ImapError>>,
) -> Result<T, AccountError> {
    tokio::pin!(work);
    let end = Instant::now() + limit;
    loop {
        tokio::select! {
            done = &mut work => return done.map_err(|error| said(server, error)),
            () = sleep(PULSE) => {
                hear(Said::Nothing)?;
                if Instant::now() > end {
                    let why = format!("it did not answer within {} seconds", limit.as_secs());
                    return Err(AccountError::Unreachable { server: server.to_string(), why });
                }
            }
        }
    }
}

pub(super) fn said(server: &Server, error: ImapError) -> AccountError {
    let server = server.to_string();
    match error {
        // What the library cannot read it repeats, and that may be mail.
        ImapError::Io(error) if error.kind() == io::ErrorKind::Other => {
            AccountError::Answer { server, why: "it is not IMAP, or larger than is taken".into() }
        }
        ImapError::Parse(_) => AccountError::Answer { server, why: "it is not IMAP".into() },
        ImapError::Io(error) => AccountError::Unreachable { server, why: error.to_string() },
        ImapError::ConnectionLost => AccountError::Unreachable { server, why: "the connection was lost".into() },
        ImapError::No(why) | ImapError::Bad(why) => AccountError::Answer { server, why: words(&why) },
        error => AccountError::Answer { server, why: sentence(&error.to_string()) },
    }
}

/// What a refusal says, without the library's way to write it down.
pub(super) fn words(said: &str) -> String {
    let quoted = said.split_once("Some(\"").and_then(|(_, rest)| rest.rsplit_once("\")")).map(|(words, _)| words);
    sentence(quoted.unwrap_or(said))
}

/// A folder's name as a server reads it.
pub(super) fn quoted(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::{quoted, words};

    #[test]
    fn names_go_out_in_quotes_and_refusals_come_in_as_words() {
        assert_eq!(quoted("Tom \"T\" \\ Ana\r\nA LOGOUT"), "\"Tom \\\"T\\\" \\\\ AnaA LOGOUT\"");
        assert_eq!(words("code: None, info: Some(\"Wrong name\")"), "Wrong name");
        assert_eq!(words("something else"), "something else");
    }
}
