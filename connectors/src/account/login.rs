//! Logging in to an account by OAuth: the owner says yes in a browser, and tokens come back that are renewed where they
//! have run out. They are asked for with read-only scopes, shown to no server but the account's own, and never printed.

mod device;
mod issuer;
mod page;

use super::{AccountError, Http};
use hinet_protocol::{AccountPlan, LoginPage, Millis, Secret};
use issuer::{Answer, Issuer, refused};
use oauth2::{
    AuthorizationCode, CsrfToken, PkceCodeChallenge, RedirectUrl, RefreshToken, RequestTokenError, TokenResponse,
    basic::{BasicErrorResponseType, BasicTokenResponse},
};
use page::Page;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    cell::RefCell,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};
use url::Url;

/// A token is renewed where it holds for less than this.
const HOLDS_MIN: Millis = 60_000;

/// The most of a JSON answer that is taken.
const JSON_MAX: u64 = 64 << 20;

/// What a login is remembered by. It belongs under a seal; printed, it shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Opens the account, for a while.
    pub access: Secret,
    /// Brings the next access token.
    #[serde(default)]
    pub refresh: Option<Secret>,
    /// When the access token runs out, where the issuer says so.
    #[serde(default)]
    pub expires: Option<Millis>,
}

/// Keeps new tokens.
type Keeper = Box<dyn FnMut(&Tokens) + Send>;

/// A login that stands, or did when it was last used.
pub struct Login {
    http: Http,
    issuer: Issuer,
    tokens: Tokens,
    /// Told about new tokens at once: the issuer may have taken back the ones before.
    keeper: Option<Keeper>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

impl Login {
    /// Lets the owner log in. `visit` is given the page for their browser (and, for a login on another device, what to
    /// type there); after that it waits, for as long as `goes_on` says yes, ten minutes at most.
    ///
    /// # Errors
    /// Where the issuer cannot be reached or cannot be understood, the login is not granted, or it was stopped.
    pub fn begin(
        plan: &AccountPlan,
        client_secret: Option<Secret>,
        visit: &mut dyn FnMut(LoginPage),
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Self, AccountError> {
        let http = Http::new(plan.certificate.as_deref())?;
        let mut issuer = Issuer::of(plan, client_secret)?;
        issuer.discover(&http, goes_on)?;
        let asked = now();
        let by_device = plan.oauth.as_ref().is_some_and(|oauth| oauth.device);
        let answer = if by_device {
            device::login(&http, &issuer, visit, goes_on)
        } else {
            browser(&http, &issuer, &plan.user, visit, goes_on)
        };
        let tokens = tokens(&answer?, None, asked);
        Ok(Self { http, issuer, tokens, keeper: None })
    }

    /// A login that was made before.
    ///
    /// # Errors
    /// Where the plan says nothing about how to log in, or its certificate cannot be read. Nothing is asked of a server.
    pub fn resume(plan: &AccountPlan, client_secret: Option<Secret>, tokens: Tokens) -> Result<Self, AccountError> {
        let http = Http::new(plan.certificate.as_deref())?;
        Ok(Self { http, issuer: Issuer::of(plan, client_secret)?, tokens, keeper: None })
    }

    /// The tokens as they are now.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Has `keep` told of new tokens in the moment in which they come.
    pub fn on_renewal(&mut self, keep: impl FnMut(&Tokens) + Send + 'static) {
        self.keeper = Some(Box::new(keep));
    }

    /// An access token that holds for a while, renewed where needed.
    ///
    /// # Errors
    /// Where it cannot be renewed: [`AccountError::LoggedOut`] where the login has ended.
    pub fn bearer(&mut self) -> Result<Secret, AccountError> {
        let left = self.tokens.expires.map(|expires| expires.saturating_sub(now()));
        // Without a refresh token the last seconds are used up.
        let enough = if self.tokens.refresh.is_some() { HOLDS_MIN } else { 0 };
        if left.is_some_and(|left| left <= enough) {
            self.renew()?;
        }
        Ok(self.tokens.access.clone())
    }

    /// What lies at `url`, at most `limit` bytes. Where the server does not take the token, it is renewed, once.
    ///
    /// # Errors
    /// As [`Http::get`] and [`Self::bearer`].
    pub fn get(&mut self, url: &str, limit: u64, goes_on: &mut dyn FnMut() -> bool) -> Result<Vec<u8>, AccountError> {
        let bearer = self.bearer()?;
        match self.http.get(url, bearer.expose(), limit, goes_on) {
            Err(AccountError::LoggedOut) => {
                self.renew()?;
                self.http.get(url, self.tokens.access.expose(), limit, goes_on)
            }
            answer => answer,
        }
    }

    /// What lies at `url`, understood as JSON.
    ///
    /// # Errors
    /// As [`Self::get`], and where it is something else.
    pub fn json<T: DeserializeOwned>(
        &mut self,
        url: &str,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<T, AccountError> {
        let body = self.get(url, JSON_MAX, goes_on)?;
        serde_json::from_slice(&body).map_err(|error| {
            // The error itself may quote what is in the account.
            let why = format!("its JSON is not as expected at line {}, column {}", error.line(), error.column());
            let server = Url::parse(url).map(|url| super::http::server_of(&url)).unwrap_or_default();
            AccountError::Answer { server, why }
        })
    }

    /// Asks for new tokens. It is not stopped half way: an issuer that has given new ones takes the old ones back.
    fn renew(&mut self) -> Result<(), AccountError> {
        let refresh = self.tokens.refresh.clone().ok_or(AccountError::LoggedOut)?;
        self.issuer.discover(&self.http, &mut || true)?;
        let asked = now();
        let token = RefreshToken::new(refresh.expose().to_owned());
        let answer = self
            .issuer
            .client()?
            .exchange_refresh_token(&token)
            .request(&|request| self.issuer.ask(&self.http, request, &mut || true))
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(said) if *said.error() == BasicErrorResponseType::InvalidGrant => {
                    AccountError::LoggedOut
                }
                error => refused(self.issuer.server(), error),
            })?;
        self.tokens = tokens(&answer, Some(refresh), asked);
        if let Some(keep) = &mut self.keeper {
            keep(&self.tokens);
        }
        Ok(())
    }
}

/// A login in the browser of this machine, which comes back to it with a code.
fn browser(
    http: &Http,
    issuer: &Issuer,
    user: &str,
    visit: &mut dyn FnMut(LoginPage),
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Answer, AccountError> {
    let page = Page::open()?;
    let back = RedirectUrl::new(page.address().to_owned()).map_err(|error| issuer.odd(&error.to_string()))?;
    let client = issuer.client()?.set_redirect_uri(back);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut request = client
        .authorize_url(CsrfToken::new_random)
        .map_err(|_| issuer.odd("it names no page for a login"))?
        .add_scopes(issuer.scopes())
        .set_pkce_challenge(challenge);
    for (name, value) in issuer.wishes() {
        request = request.add_extra_param(name, value);
    }
    if !user.is_empty() {
        request = request.add_extra_param("login_hint", user);
    }
    let (url, state) = request.url();
    visit(LoginPage { url: url.into(), code: None });
    let code = page.wait(state.secret(), issuer.name(), goes_on)?;
    let goes_on = RefCell::new(goes_on);
    client
        .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
        .set_pkce_verifier(verifier)
        .request(&|request| issuer.ask(http, request, &mut **goes_on.borrow_mut()))
        .map_err(|error| refused(issuer.server(), error))
}

fn tokens(answer: &BasicTokenResponse, before: Option<Secret>, asked: Millis) -> Tokens {
    let lifetime = answer.expires_in().map(|time| Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX));
    Tokens {
        access: Secret::new(answer.access_token().secret().clone()),
        // An issuer that gives no new one means that the old one stands.
        refresh: answer.refresh_token().map(|token| Secret::new(token.secret().clone())).or(before),
        expires: lifetime.map(|time| asked.saturating_add(time)),
    }
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
