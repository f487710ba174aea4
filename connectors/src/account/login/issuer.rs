//! Who issues tokens, and how they are asked for.

use super::super::{
    AccountError, Http,
    http::{checked, sentence, server_of},
};
use hinet_protocol::{AccountKind, AccountPlan, Secret};
use oauth2::{
    AuthType, AuthUrl, ClientId, ClientSecret, DeviceAuthorizationUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    ErrorResponse, HttpRequest, HttpResponse, RequestTokenError, Scope, TokenUrl,
    basic::{BasicClient, BasicTokenResponse},
};
use serde::Deserialize;
use std::fmt::Display;

/// Google, where the plan names no other.
const GOOGLE: &str = "https://accounts.google.com";

/// The most that is taken of what an issuer says.
const SAID_MAX: u64 = 1 << 20;

/// What comes of a login.
pub(super) type Answer = BasicTokenResponse;

/// The client that asks, its addresses known.
pub(super) type Client = BasicClient<EndpointMaybeSet, EndpointMaybeSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Who issues the tokens of an account, and as whom they are asked for.
pub(super) struct Issuer {
    /// Its address, which is its name.
    name: String,
    server: String,
    client: ClientId,
    secret: Option<Secret>,
    scopes: Vec<String>,
    /// Where it is asked; known once that was needed.
    places: Option<Places>,
}

struct Places {
    page: Option<AuthUrl>,
    token: TokenUrl,
    device: Option<DeviceAuthorizationUrl>,
    auth: AuthType,
}

/// What an issuer says of itself.
#[derive(Deserialize)]
struct Said {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

impl Issuer {
    /// The issuer that a plan names, or Google; it is not asked anything yet.
    pub(super) fn of(plan: &AccountPlan, secret: Option<Secret>) -> Result<Self, AccountError> {
        let oauth =
            plan.oauth.as_ref().filter(|oauth| !oauth.client.is_empty()).ok_or_else(|| AccountError::Denied {
                why: "no client is named with which one could log in".to_owned(),
            })?;
        let name = oauth.issuer.as_deref().unwrap_or(GOOGLE).trim_end_matches('/').to_owned();
        let server = server_of(&checked(&name)?);
        let scopes = if oauth.scopes.is_empty() { vec![usual(plan.kind).to_owned()] } else { oauth.scopes.clone() };
        Ok(Self { name, server, client: ClientId::new(oauth.client.clone()), secret, scopes, places: None })
    }

    /// Its address, without a slash at the end.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its host, for sentences.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// What is asked for.
    pub(super) fn scopes(&self) -> Vec<Scope> {
        self.scopes.iter().cloned().map(Scope::new).collect()
    }

    /// What a login asks for besides, so that it need not be made again tomorrow.
    pub(super) fn wishes(&self) -> Vec<(&'static str, &'static str)> {
        if self.name == GOOGLE {
            vec![("access_type", "offline"), ("prompt", "consent")]
        } else if self.scopes.iter().any(|scope| scope == "offline_access") {
            vec![("prompt", "consent")]
        } else {
            Vec::new()
        }
    }

    /// An answer of its that cannot be.
    pub(super) fn odd(&self, why: &str) -> AccountError {
        AccountError::Answer { server: self.server.clone(), why: why.to_owned() }
    }

    /// Asks it where it is asked, where that is not known yet.
    pub(super) fn discover(&mut self, http: &Http, goes_on: &mut dyn FnMut() -> bool) -> Result<(), AccountError> {
        if self.places.is_some() {
            return Ok(());
        }
        let url = format!("{}/.well-known/openid-configuration", self.name);
        let body = http.fetch(&url, None, SAID_MAX, goes_on)?;
        let said: Said = serde_json::from_slice(&body)
            .map_err(|error| self.odd(&format!("what it says of itself: {}", sentence(&error.to_string()))))?;
        if said.issuer.trim_end_matches('/') != self.name {
            return Err(self.odd(&format!("it calls itself {}, not {}", sentence(&said.issuer), self.name)));
        }
        let place = |text: String| checked(&text).map(|_| text);
        let bad = |error: oauth2::url::ParseError| self.odd(&error.to_string());
        let methods = &said.token_endpoint_auth_methods_supported;
        self.places = Some(Places {
            page: said.authorization_endpoint.map(place).transpose()?.map(AuthUrl::new).transpose().map_err(bad)?,
            token: TokenUrl::new(place(said.token_endpoint)?).map_err(bad)?,
            device: said
                .device_authorization_endpoint
                .map(place)
                .transpose()?
                .map(DeviceAuthorizationUrl::new)
                .transpose()
                .map_err(bad)?,
            auth: if methods.iter().any(|method| method == "client_secret_post") {
                AuthType::RequestBody
            } else {
                AuthType::BasicAuth
            },
        });
        Ok(())
    }

    /// The client, once it is known where to ask.
    pub(super) fn client(&self) -> Result<Client, AccountError> {
        let places = self.places.as_ref().ok_or_else(|| self.odd("it was not asked yet"))?;
        let mut client = BasicClient::new(self.client.clone()).set_auth_type(places.auth.clone());
        if let Some(secret) = &self.secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        Ok(client
            .set_auth_uri_option(places.page.clone())
            .set_device_authorization_url_option(places.device.clone())
            .set_token_uri(places.token.clone()))
    }

    /// One request and its answer. Refusals are the caller's to read; a server that does not work is an error.
    pub(super) fn ask(
        &self,
        http: &Http,
        request: HttpRequest,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<HttpResponse, AccountError> {
        let answer = http.send(request, SAID_MAX, goes_on)?;
        let server = || self.server.clone();
        match answer.status().as_u16() {
            429 => Err(AccountError::Busy { server: server() }),
            status @ 500..=599 => {
                Err(AccountError::Unreachable { server: server(), why: format!("it answered with status {status}") })
            }
            _ => Ok(answer),
        }
    }
}

/// What a kind of account needs; all of it read-only, where there is such a thing.
fn usual(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Gmail => "https://www.googleapis.com/auth/gmail.readonly",
        AccountKind::Drive => "https://www.googleapis.com/auth/drive.readonly",
        AccountKind::Calendar => "https://www.googleapis.com/auth/calendar.readonly",
        // Google has no smaller one for IMAP.
        AccountKind::Imap => "https://mail.google.com/",
    }
}

/// Why no tokens came.
pub(super) fn refused<T: ErrorResponse + Display + 'static>(
    server: &str,
    error: RequestTokenError<AccountError, T>,
) -> AccountError {
    let answer = |why: String| AccountError::Answer { server: server.to_owned(), why };
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(said) => AccountError::Denied { why: sentence(&said.to_string()) },
        // What could not be understood may hold a token.
        RequestTokenError::Parse(..) => answer("where tokens were expected, there are none".to_owned()),
        RequestTokenError::Other(why) => answer(sentence(&why)),
    }
}
