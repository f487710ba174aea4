//! The page to which a browser comes back after a login: on this machine alone, for one login, gone after it.

use super::super::{AccountError, http::sentence};
use hinet_protocol::Secret;
use std::{
    io::{self, Read, Write},
    net::Ipv4Addr,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use url::Url;

/// How long a login may take.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// How often it is looked whether somebody has come, or whether it was stopped.
const LOOK: Duration = Duration::from_millis(50);

/// How long a visitor may take to say what they want; browsers also come to say nothing.
const VISIT: Duration = Duration::from_secs(5);

/// The most a visitor may say.
const SAID_MAX: usize = 16 << 10;

/// How many visitors there may be at a time.
const VISITORS: usize = 16;

const CAME: &str = "That worked. You can close this window.";
const REFUSED: &str = "The login was not granted. You can close this window.";
const STRANGE: &str = "This does not belong to the login that was begun.";
const NOTHING: &str = "There is nothing here.";

#[allow(clippy::disallowed_types, reason = "the door to which the owner's browser comes back after a login")]
type Door = std::net::TcpListener;

#[allow(clippy::disallowed_types, reason = "the owner's browser, at that door")]
type Visitor = std::net::TcpStream;

/// The page, open.
pub(super) struct Page {
    door: Door,
    address: String,
}

/// What a browser brings back.
type Brought = Result<Secret, AccountError>;

/// Which login a browser must have come back from.
struct Expected {
    base: Url,
    state: Secret,
    issuer: String,
}

impl Page {
    /// Opens it on a free port.
    pub(super) fn open() -> Result<Self, AccountError> {
        let open = || -> io::Result<Self> {
            let door = Door::bind((Ipv4Addr::LOCALHOST, 0))?;
            door.set_nonblocking(true)?;
            let address = format!("http://{}/", door.local_addr()?);
            Ok(Self { door, address })
        };
        open().map_err(|error| unreachable("this machine", &error.to_string()))
    }

    /// Where it is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Waits for the code. Whoever comes without this login's `state` is turned away, and the waiting goes on.
    pub(super) fn wait(
        self,
        state: &str,
        issuer: &str,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Secret, AccountError> {
        let base = Url::parse(&self.address).map_err(|error| unreachable(&self.address, &error.to_string()))?;
        let expected = Expected { base, state: Secret::new(state.to_owned()), issuer: issuer.to_owned() };
        let expected = Arc::new(expected);
        let (sender, brought) = mpsc::channel();
        let begun = Instant::now();
        while begun.elapsed() < LONGEST {
            if !goes_on() {
                return Err(AccountError::Stopped);
            }
            // Each visitor has a share of what is expected, and there is this one.
            while Arc::strong_count(&expected) <= VISITORS
                && let Ok((visitor, _)) = self.door.accept()
            {
                let (expected, sender) = (Arc::clone(&expected), sender.clone());
                let receive = move || {
                    if let Ok(Some(brought)) = receive(visitor, &expected) {
                        let _ = sender.send(brought);
                    }
                };
                // A visitor that cannot be heard comes again.
                let _ = thread::Builder::new().name("login".to_owned()).spawn(receive);
            }
            if let Ok(brought) = brought.recv_timeout(LOOK) {
                return brought;
            }
        }
        Err(AccountError::Denied { why: "nobody logged in within ten minutes".to_owned() })
    }
}

fn unreachable(server: &str, why: &str) -> AccountError {
    AccountError::Unreachable { server: server.to_owned(), why: why.to_owned() }
}

/// Hears a visitor out and answers; what they bring, if it is they who were waited for.
fn receive(mut visitor: Visitor, expected: &Expected) -> io::Result<Option<Brought>> {
    visitor.set_nonblocking(false)?;
    visitor.set_write_timeout(Some(VISIT))?;
    let begun = Instant::now();
    let mut said = Vec::new();
    let mut chunk = [0; 2048];
    while !said.windows(4).any(|end| end == b"\r\n\r\n") {
        let rest = VISIT.checked_sub(begun.elapsed()).filter(|rest| !rest.is_zero());
        visitor.set_read_timeout(Some(rest.ok_or(io::ErrorKind::TimedOut)?))?;
        let read = visitor.read(&mut chunk)?;
        if read == 0 || said.len() + read > SAID_MAX {
            return Ok(None);
        }
        said.extend_from_slice(&chunk[..read]);
    }
    let (status, text, brought) = expected.judge(&said);
    let body = format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>icore</title><p>{text}</p>\n");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Content-Security-Policy: default-src 'none'\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    // What was brought counts, even where the browser does not wait for the thanks.
    let _ = visitor.write_all(head.as_bytes()).and_then(|()| visitor.write_all(body.as_bytes()));
    Ok(brought)
}

impl Expected {
    /// What a visitor is answered, and what they bring.
    fn judge(&self, said: &[u8]) -> (&'static str, &'static str, Option<Brought>) {
        let nothing = ("404 Not Found", NOTHING, None);
        let strange = ("400 Bad Request", STRANGE, None);
        let line = said.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let mut words = std::str::from_utf8(line).unwrap_or_default().split(' ');
        let (Some("GET"), Some(target)) = (words.next(), words.next()) else { return nothing };
        let Ok(url) = self.base.join(target) else { return nothing };
        if url.origin() != self.base.origin() || url.path() != "/" || url.query().is_none() {
            return nothing;
        }
        let get = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if get("state").as_deref() != Some(self.state.expose()) {
            return strange;
        }
        // An issuer that says who it is must be the one that was asked.
        if get("iss").is_some_and(|name| name.trim_end_matches('/') != self.issuer) {
            return strange;
        }
        if let Some(error) = get("error") {
            let why = sentence(&get("error_description").unwrap_or(error));
            return ("200 OK", REFUSED, Some(Err(AccountError::Denied { why })));
        }
        match get("code") {
            Some(code) => ("200 OK", CAME, Some(Ok(Secret::new(code)))),
            None => strange,
        }
    }
}

#[cfg(test)]
mod tests;
