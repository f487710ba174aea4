//! The way to servers that speak HTTP: by TLS alone, except to this machine itself. What one server is told is not
//! carried on to another, answers are capped, and whoever waits can stop waiting.

mod answer;

use super::AccountError;
use answer::{Verdict, verdict};
use std::{
    hash::{BuildHasher, RandomState},
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};
use ureq::{
    Agent,
    http::{HeaderValue, Method, Request, Response, header},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};
use url::{Host, Url};
use zeroize::Zeroizing;

/// How long it may take to find a server, to connect to it, and to hand it a request; each.
const CONNECT: Duration = Duration::from_secs(20);

/// How long a server may think.
const THINK: Duration = Duration::from_secs(60);

/// How long an answer may take to arrive.
const ARRIVE: Duration = Duration::from_secs(1200);

/// How often one who waits is asked whether to go on.
const ASK: Duration = Duration::from_millis(100);

/// How often something is asked before one gives up.
const TRIES: u32 = 6;

/// The wait after the first refusal; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait between two tries, whatever a server says.
const LONGEST_WAIT: Duration = Duration::from_secs(64);

/// How many times an answer may point to another address of the same server.
const REDIRECTS: usize = 5;

/// How much is read of an answer that says why something failed.
const REASON_MAX: u64 = 1 << 20;

/// Speaks HTTP.
#[derive(Debug, Clone)]
pub struct Http {
    /// For this machine itself: past any proxy.
    local: Agent,
    /// For other machines; the next one where the one before does not know a server's certificate.
    agents: Vec<Agent>,
    first_wait: Duration,
}

impl Http {
    /// A way to servers whose certificates are of a public authority, or of the one given (PEM).
    ///
    /// # Errors
    /// Where that certificate cannot be read.
    pub fn new(certificate: Option<&str>) -> Result<Self, AccountError> {
        let mut agents = Vec::new();
        if let Some(pem) = certificate {
            agents.push(agent(RootCerts::from(authorities(pem)?), true));
        }
        agents.push(agent(RootCerts::WebPki, true));
        Ok(Self { local: agent(RootCerts::WebPki, false), agents, first_wait: FIRST_WAIT })
    }

    /// What lies at `url`, shown a token; at most `limit` bytes. A server that wants to be asked less often is asked again
    /// later, a few times. `goes_on` is asked before each try and while waiting.
    ///
    /// # Errors
    /// Where the server cannot be reached or does not give it, or `goes_on` says no.
    pub fn get(
        &self,
        url: &str,
        bearer: &str,
        limit: u64,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<u8>, AccountError> {
        self.fetch(url, Some(bearer), limit, goes_on)
    }

    /// The same, where there may be no token to show.
    pub(super) fn fetch(
        &self,
        url: &str,
        bearer: Option<&str>,
        limit: u64,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<u8>, AccountError> {
        let url = checked(url)?;
        let mut wait = self.first_wait;
        let mut tries = 1;
        loop {
            let answer = self.follow(&url, bearer, limit, goes_on)?;
            let (after, error) = match verdict(&server_of(&url), answer) {
                Verdict::Given(body) => return Ok(body),
                Verdict::Refused(error) => return Err(error),
                Verdict::Later(after, error) => (after, error),
            };
            if tries == TRIES {
                return Err(error);
            }
            tries += 1;
            if !pause(after.unwrap_or_else(|| scattered(wait)).min(LONGEST_WAIT), goes_on) {
                return Err(AccountError::Stopped);
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Asks, and asks again where the server points to another address of its own.
    fn follow(
        &self,
        url: &Url,
        bearer: Option<&str>,
        limit: u64,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Response<Vec<u8>>, AccountError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let answer = self.send(asking(&url, bearer)?, limit, goes_on)?;
            let points = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let to = answer.headers().get(header::LOCATION).filter(|_| points);
            let Some(to) = to else { return Ok(answer) };
            let to = to.to_str().ok().and_then(|to| url.join(to).ok());
            match to {
                Some(to) if to.origin() == url.origin() => url = to,
                _ => return Err(odd(&url, "it points to another server, and the login is not shown there")),
            }
        }
        Err(odd(&url, "it points from one address to the next without end"))
    }

    /// One request and its answer, whatever its status; of an answer that is no success at most its beginning. Where
    /// `goes_on` says no, the request is left to itself: it reads nothing more and ends.
    pub(super) fn send(
        &self,
        request: Request<Vec<u8>>,
        limit: u64,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Response<Vec<u8>>, AccountError> {
        let url = checked(&request.uri().to_string())?;
        if !goes_on() {
            return Err(AccountError::Stopped);
        }
        let server = server_of(&url);
        let broken = |why: &str| AccountError::Unreachable { server: server.clone(), why: why.to_owned() };
        let agents = if url.scheme() == "https" { self.agents.clone() } else { vec![self.local.clone()] };
        let left = Arc::new(AtomicBool::new(false));
        let (sender, answers) = mpsc::sync_channel(1);
        let theirs = (server.clone(), Arc::clone(&left));
        thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || {
                let (server, left) = theirs;
                // Nobody listens any more where it was stopped.
                let _ = sender.send(transfer(&agents, &request, &server, limit, &left));
            })
            .map_err(|error| broken(&error.to_string()))?;
        loop {
            match answers.recv_timeout(ASK) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if goes_on() => {}
                Err(RecvTimeoutError::Timeout) => {
                    left.store(true, Ordering::Relaxed);
                    return Err(AccountError::Stopped);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(broken("the request broke off")),
            }
        }
    }
}

/// An address that may be asked: by TLS, or on this machine itself.
pub(super) fn checked(text: &str) -> Result<Url, AccountError> {
    let bad = |why: &str| {
        // What stands behind the path may be nobody's business.
        let what = text.split(['?', '#']).next().unwrap_or_default();
        AccountError::Address { what: what.to_owned(), why: why.to_owned() }
    };
    let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds a name or a password"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if on_this_machine(&url) => Ok(url),
        "http" => Err(AccountError::NotLocal { server: server_of(&url) }),
        _ => Err(bad("it does not begin with https")),
    }
}

fn on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Host, and port where it is not the usual one.
pub(super) fn server_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A sentence of a server's as it may be shown: one line, not too long.
pub(super) fn sentence(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    text.trim().to_owned()
}

/// Waits; whether to go on after that.
pub(super) fn pause(wait: Duration, goes_on: &mut dyn FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if !goes_on() {
            return false;
        }
        let Some(rest) = wait.checked_sub(begun.elapsed()).filter(|rest| !rest.is_zero()) else { return true };
        thread::sleep(rest.min(ASK));
    }
}

/// Between half of a wait and all of it, so that many who wait do not come back together.
fn scattered(wait: Duration) -> Duration {
    let chance = RandomState::new().hash_one(()) % 1000;
    wait / 2 + (wait / 2).mul_f64(chance as f64 / 1000.0)
}

fn agent(roots: RootCerts, proxy: bool) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("icore")
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_send_request(Some(CONNECT))
        .timeout_send_body(Some(CONNECT))
        .timeout_recv_response(Some(THINK))
        .timeout_recv_body(Some(ARRIVE));
    let config = if proxy { config } else { config.proxy(None) };
    config.build().new_agent()
}

fn authorities(pem: &str) -> Result<Vec<ureq::tls::Certificate<'static>>, AccountError> {
    let bad = |why: &str| AccountError::Address { what: "the certificate".to_owned(), why: why.to_owned() };
    let mut found = Vec::new();
    for item in parse_pem(pem.as_bytes()) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| bad("it is not whole"))? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(bad("there is none in what was given (PEM)")) } else { Ok(found) }
}

fn asking(url: &Url, bearer: Option<&str>) -> Result<Request<Vec<u8>>, AccountError> {
    let mut request = Request::get(url.as_str()).header(header::ACCEPT, "*/*");
    if let Some(bearer) = bearer {
        let text = Zeroizing::new(format!("Bearer {bearer}"));
        // A token that cannot stand in a header was never one.
        let mut value = HeaderValue::from_str(&text).map_err(|_| AccountError::LoggedOut)?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(Vec::new()).map_err(|error| odd(url, &error.to_string()))
}

fn odd(url: &Url, why: &str) -> AccountError {
    AccountError::Answer { server: server_of(url), why: why.to_owned() }
}

/// Sends a request by the first way that knows the server's certificate, and reads the answer.
fn transfer(
    agents: &[Agent],
    request: &Request<Vec<u8>>,
    server: &str,
    limit: u64,
    left: &AtomicBool,
) -> Result<Response<Vec<u8>>, AccountError> {
    let mut agents = agents.iter().peekable();
    let mut again = request.method() == Method::GET;
    let answer = loop {
        let Some(agent) = agents.peek() else {
            return Err(AccountError::Unreachable {
                server: server.to_owned(),
                why: "there is no way to it".to_owned(),
            });
        };
        let asked = request.clone();
        // No body at all is something else than an empty one.
        let answer = if asked.body().is_empty() { agent.run(asked.map(drop)) } else { agent.run(asked) };
        match answer {
            Ok(answer) => break answer,
            // A connection that was kept for long may have been closed by the server.
            Err(error) if again && is_cut(&error) => again = false,
            Err(error) => {
                let error = failure(server, error);
                agents.next();
                if !matches!(error, AccountError::Certificate { .. }) || agents.peek().is_none() {
                    return Err(error);
                }
            }
        }
    };
    let (head, body) = answer.into_parts();
    let given = head.status.is_success();
    let cap = if given { limit } else { limit.min(REASON_MAX) };
    let mut reader = body.into_reader();
    let mut all = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    while !left.load(Ordering::Relaxed) {
        let read = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failure(server, ureq::Error::from(error))),
        };
        let room = usize::try_from(cap.saturating_sub(all.len() as u64)).unwrap_or(usize::MAX);
        all.extend_from_slice(&chunk[..read.min(room)]);
        if read > room {
            if given {
                return Err(AccountError::TooLarge { server: server.to_owned(), limit });
            }
            break;
        }
    }
    Ok(Response::from_parts(head, all))
}

fn is_cut(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let ureq::Error::Io(error) = error else { return false };
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

fn failure(server: &str, error: ureq::Error) -> AccountError {
    let server = server.to_owned();
    match error {
        ureq::Error::Rustls(error) => AccountError::Certificate { server, why: error.to_string() },
        ureq::Error::Tls(why) => AccountError::Certificate { server, why: why.to_owned() },
        // What TLS says arrives inside an error of the connection.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            AccountError::Certificate { server, why: error.to_string() }
        }
        ureq::Error::Io(error) => AccountError::Unreachable { server, why: error.to_string() },
        ureq::Error::Timeout(_) => AccountError::Unreachable { server, why: "it took too long".to_owned() },
        ureq::Error::HostNotFound => AccountError::Unreachable { server, why: "there is no such server".to_owned() },
        error @ (ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..)) => {
            AccountError::Answer { server, why: error.to_string() }
        }
        error => AccountError::Unreachable { server, why: error.to_string() },
    }
}

#[cfg(test)]
mod tests;
