//! A login on another device: the owner types a code there, and this machine asks until that has happened.

use super::{
    super::{
        AccountError, Http,
        http::{checked, pause},
    },
    issuer::{Answer, Issuer, refused},
};
use hinet_protocol::LoginPage;
use oauth2::StandardDeviceAuthorizationResponse;
use std::{
    cell::RefCell,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

/// The longest a code is waited for, whatever the issuer says.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Further away than any code lasts.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Lets the owner log in on another device, and waits until they have.
pub(super) fn login(
    http: &Http,
    issuer: &Issuer,
    visit: &mut dyn FnMut(LoginPage),
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Answer, AccountError> {
    let client = issuer.client()?;
    let goes_on = RefCell::new(goes_on);
    let begun: StandardDeviceAuthorizationResponse = client
        .exchange_device_code()
        .map_err(|_| issuer.odd("it knows no login on another device"))?
        .add_scopes(issuer.scopes())
        .request(&|request| issuer.ask(http, request, &mut **goes_on.borrow_mut()))
        .map_err(|error| refused(issuer.server(), error))?;
    if begun.interval() > LONGEST {
        return Err(issuer.odd("it wants to be asked too seldom"));
    }
    let page = checked(begun.verification_uri().as_str())?;
    visit(LoginPage { url: page.into(), code: Some(begun.user_code().secret().clone()) });

    // The asking goes on through errors until the code's time is up, so an error that ends it turns the clock forward.
    let end = RefCell::new(None);
    let ended = AtomicBool::new(false);
    let give_up = |error| {
        ended.store(true, Ordering::Relaxed);
        *end.borrow_mut() = Some(error);
        AccountError::Stopped
    };
    let ask = |request| match issuer.ask(http, request, &mut **goes_on.borrow_mut()) {
        Err(error @ (AccountError::Unreachable { .. } | AccountError::Busy { .. })) => Err(error),
        Err(error) => Err(give_up(error)),
        answer => answer,
    };
    let sleep = |time| {
        if !ended.load(Ordering::Relaxed) && !pause(time, &mut **goes_on.borrow_mut()) {
            give_up(AccountError::Stopped);
        }
    };
    let clock = || {
        let now = SystemTime::now();
        if ended.load(Ordering::Relaxed) { now + NEVER } else { now }.into()
    };
    let answer = client.exchange_device_access_token(&begun).set_time_fn(clock).request(
        &ask,
        sleep,
        Some(begun.expires_in().min(LONGEST)),
    );
    match end.take() {
        Some(error) => Err(error),
        None => answer.map_err(|error| refused(issuer.server(), error)),
    }
}
