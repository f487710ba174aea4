//! Accounts to items: a mailbox read by IMAP, and Google's mail, files and calendars read by their public interfaces.
//!
//! Nothing is asked of a server without a [`Reading`] that covers the account's place (`imap://ana@mail.example.org`),
//! and nothing is written there: mailboxes are opened read-only, tokens are asked for with read-only scopes. What is
//! kept between two readings is the steward's business, secrets among it.

mod error;
mod google;
mod http;
mod imap;
mod login;
mod place;
mod socket;

pub use error::AccountError;
pub use http::Http;
pub use login::{Login, Tokens};
pub use place::Place;

use crate::{Extractor, ReadLimits, Reading, Taker};
use hinet_protocol::{AccountKind, AccountPlan, FolderCount, Secret};

/// Takes what an account holds, and remembers how far it was read.
pub trait Steward: Taker {
    /// Begins a container: a folder of a mailbox, all of a drive, a calendar. Its items' keys lie below `key`.
    fn open(&mut self, key: &str);

    /// The container that was opened last has been seen whole: items below it that were neither handed out nor asked
    /// about since are no longer there.
    fn close(&mut self);

    /// The server says that this item is gone.
    fn gone(&mut self, key: &str);

    /// Where the last reading stood (a history id, a sync token), where that was kept.
    fn bookmark(&mut self, name: &str) -> Option<String>;

    /// Keeps where this reading stands, after everything that it took before; `None` forgets it.
    fn keep_bookmark(&mut self, name: &str, value: Option<&str>);

    /// Whether to go on; asked between requests, so that a cancel or a revoked grant is heard while a server is slow.
    fn goes_on(&mut self) -> bool;
}

/// What opens an account.
pub enum Key {
    /// A password, or an application's password.
    Password(Secret),
    /// Tokens of an OAuth login; renewed where they have run out.
    Tokens(Box<Login>),
}

/// What a reading works with.
pub(crate) struct Desk<'a> {
    pub(crate) reading: &'a Reading,
    pub(crate) plan: &'a AccountPlan,
    pub(crate) place: &'a Place,
    pub(crate) limits: &'a ReadLimits,
    pub(crate) extractor: &'a Extractor,
}

/// Reads an account: all of it the first time, what has changed after that.
///
/// # Errors
/// Where the server cannot be reached or refuses the login, the reading no longer stands, or it says something that
/// cannot be understood. What was taken before is whole, and the next reading goes on from there.
pub fn read_account(
    reading: &Reading,
    plan: &AccountPlan,
    key: &mut Key,
    limits: &ReadLimits,
    extractor: &Extractor,
    steward: &mut dyn Steward,
) -> Result<(), AccountError> {
    let place = Place::of(plan);
    place.check(reading)?;
    let desk = Desk { reading, plan, place: &place, limits, extractor };
    match plan.kind {
        AccountKind::Imap => imap::read(&desk, key, steward),
        AccountKind::Gmail => google::gmail::read(&desk, key.login()?, steward),
        AccountKind::Drive => google::drive::read(&desk, key.login()?, steward),
        AccountKind::Calendar => google::calendar::read(&desk, key.login()?, steward),
    }
}

/// How much the server says each container holds: of a mailbox its folders, of the others all of it.
///
/// # Errors
/// As [`read_account`].
pub fn count_account(
    reading: &Reading,
    plan: &AccountPlan,
    key: &mut Key,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<FolderCount>, AccountError> {
    let place = Place::of(plan);
    place.check(reading)?;
    match plan.kind {
        AccountKind::Imap => imap::count(reading, plan, &place, key, goes_on),
        AccountKind::Gmail => google::gmail::count(plan, &place, key.login()?, goes_on),
        AccountKind::Drive => google::drive::count(plan, &place, key.login()?, goes_on),
        AccountKind::Calendar => google::calendar::count(plan, &place, key.login()?, goes_on),
    }
}

/// Whether the server lets this key in. The plan then says whose account it is, and names folders as the server does.
///
/// # Errors
/// As [`read_account`].
pub fn try_account(
    plan: &mut AccountPlan,
    key: &mut Key,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(), AccountError> {
    plan.user = match plan.kind {
        AccountKind::Imap => return imap::greet(plan, key, goes_on),
        AccountKind::Gmail => google::gmail::owner(plan, key.login()?, goes_on)?,
        AccountKind::Drive => google::drive::owner(plan, key.login()?, goes_on)?,
        AccountKind::Calendar => google::calendar::owner(plan, key.login()?, goes_on)?,
    };
    Ok(())
}

impl Key {
    fn login(&mut self) -> Result<&mut Login, AccountError> {
        match self {
            Self::Tokens(login) => Ok(login),
            Self::Password(_) => Err(AccountError::NeedsLogin),
        }
    }
}
