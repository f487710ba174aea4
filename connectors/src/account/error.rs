//! Why an account was not read, as sentences.

use hinet_consent::Refusal;

/// What stops the reading of an account. `Display` is the sentence that a person reads.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Consent does not stand.
    #[error("it was not read: {0}")]
    Refused(#[from] Refusal),
    /// The leave is for another place.
    #[error("the leave to read does not cover {place}, so nothing was asked of it")]
    NotCovered {
        /// The account, or its folder.
        place: String,
    },
    /// No connection, or one that broke.
    #[error("{server} cannot be reached: {why}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the system says.
        why: String,
    },
    /// TLS failed.
    #[error("{server} could not prove who it is: {why}")]
    Certificate {
        /// Host and port.
        server: String,
        /// What TLS says.
        why: String,
    },
    /// A connection in the clear to another machine.
    #[error("{server} is another machine, and nothing is sent to one without TLS")]
    NotLocal {
        /// Host and port.
        server: String,
    },
    /// An address that is none.
    #[error("{what} is not an address that can be used: {why}")]
    Address {
        /// What was given.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server does not take the name and the password.
    #[error("{server} did not let {user} in: {why}")]
    Password {
        /// Host and port.
        server: String,
        /// Who tried.
        user: String,
        /// What the server says.
        why: String,
    },
    /// The login was not granted.
    #[error("the login was not granted: {why}")]
    Denied {
        /// What the issuer of tokens says.
        why: String,
    },
    /// Tokens have been taken back or have run out.
    #[error("the login for this account has ended (it was taken back, or it ran out)")]
    LoggedOut,
    /// There is no login for it.
    #[error("this kind of account is opened by a login in the browser, not by a password")]
    NeedsLogin,
    /// The server answers that this may not be read.
    #[error("{server} does not let this be read: {why}")]
    Forbidden {
        /// Host.
        server: String,
        /// What the server says.
        why: String,
    },
    /// What was asked for is not there (any more); of a bookmark, that it is too old.
    #[error("{server} does not have what was asked for (any more)")]
    Absent {
        /// Host.
        server: String,
    },
    /// The server wants fewer requests, for longer than one waits.
    #[error("{server} wants to be asked less often")]
    Busy {
        /// Host.
        server: String,
    },
    /// An answer larger than is taken.
    #[error("{server} sent more than {limit} bytes for one thing, which was not read")]
    TooLarge {
        /// Host.
        server: String,
        /// The cap.
        limit: u64,
    },
    /// An answer that cannot be understood.
    #[error("{server} answered something that cannot be understood: {why}")]
    Answer {
        /// Host.
        server: String,
        /// What is wrong with it.
        why: String,
    },
    /// A folder, label or calendar that was named is not there.
    #[error("there is no {name} there; there is {}", there.join(", "))]
    NoFolder {
        /// What was named.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
    /// The owner stopped it.
    #[error("it was stopped; what was read is kept")]
    Stopped,
}
