//! Logging in with OAuth, at a real OpenID provider, with the test as the owner's browser.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_types, reason = "the tests are also servers that misbehave")]

#[path = "../../tests/servers/google.rs"]
mod google;

use google::{ACCOUNT, Browser, CLIENT, Google};
use hinet_connectors::{AccountError, Http, Login, Tokens};
use hinet_protocol::{AccountKind, AccountPlan, LoginPage, OAuthPlan, Secret, Transport};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

fn plan(issuer: &str) -> AccountPlan {
    let oauth = OAuthPlan { issuer: Some(issuer.to_owned()), client: CLIENT.to_owned(), scopes: vec![], device: false };
    AccountPlan {
        kind: AccountKind::Gmail,
        user: String::new(),
        server: None,
        transport: Transport::Tls,
        certificate: None,
        folders: Vec::new(),
        since: None,
        oauth: Some(oauth),
    }
}

fn device(issuer: &str) -> AccountPlan {
    let mut plan = plan(issuer);
    plan.oauth.as_mut().unwrap().device = true;
    plan
}

/// Logs in, with a browser that goes to the page and says yes.
fn log_in(google: &Google) -> Login {
    let mut browsers = Vec::new();
    let mut visit = |page: LoginPage| {
        assert_eq!(page.code, None);
        browsers.push(thread::spawn(move || Browser::default().open(&page.url)));
    };
    let login = Login::begin(&plan(&google.issuer), None, &mut visit, &mut || true).unwrap();
    let page = browsers.pop().unwrap().join().unwrap();
    assert_eq!(page.status, 200);
    assert!(page.text.contains("You can close this window"), "{page:?}");
    login
}

fn who(login: &mut Login, google: &Google) -> Result<String, AccountError> {
    let profile: serde_json::Value = login.json(&format!("{}/gmail/v1/users/me/profile", google.api), &mut || true)?;
    Ok(profile["emailAddress"].as_str().unwrap().to_owned())
}

#[test]
fn one_logs_in_with_the_browser() {
    let Some(google) = Google::start() else { return };
    let mut login = log_in(&google);
    assert_eq!(who(&mut login, &google).unwrap(), ACCOUNT);
    let tokens = login.tokens().clone();
    assert!(tokens.refresh.is_some() && tokens.expires.is_some());
    let shown = format!("{tokens:?} {login:?}");
    assert!(!shown.contains(tokens.access.expose()), "{shown}");

    // What was kept opens the account again, without another login.
    let kept: Tokens = serde_json::from_str(&serde_json::to_string(&tokens).unwrap()).unwrap();
    let mut again = Login::resume(&plan(&google.issuer), None, kept).unwrap();
    assert_eq!(who(&mut again, &google).unwrap(), ACCOUNT);
    assert_eq!(again.tokens(), &tokens);
}

#[test]
fn one_logs_in_on_another_device() {
    let Some(google) = Google::start() else { return };
    let mut browsers = Vec::new();
    let mut visit = |page: LoginPage| {
        let code = page.code.expect("there is a code to type");
        browsers.push(thread::spawn(move || Browser::default().type_code(&page.url, &code)));
    };
    let mut login = Login::begin(&device(&google.issuer), None, &mut visit, &mut || true).unwrap();
    assert_eq!(browsers.pop().unwrap().join().unwrap().status, 200);
    assert_eq!(who(&mut login, &google).unwrap(), ACCOUNT);
    assert!(login.tokens().refresh.is_some());
}

#[test]
fn the_owner_can_say_no() {
    let Some(google) = Google::start_with(&[("AUTO", "deny")]) else { return };
    for plan in [plan(&google.issuer), device(&google.issuer)] {
        let mut visit = |page: LoginPage| {
            thread::spawn(move || match page.code {
                Some(code) => Browser::default().type_code(&page.url, &code),
                None => Browser::default().open(&page.url),
            });
        };
        let error = Login::begin(&plan, None, &mut visit, &mut || true).unwrap_err();
        assert!(matches!(error, AccountError::Denied { .. }), "{error}");
    }
}

#[test]
fn tokens_that_ran_out_are_renewed() {
    let Some(google) = Google::start_with(&[("AUTO", "1"), ("ACCESS_SECONDS", "1")]) else { return };
    let mut login = log_in(&google);
    let first = login.tokens().clone();
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    login.on_renewal(move |tokens| kept.lock().unwrap().push(tokens.clone()));
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(who(&mut login, &google).unwrap(), ACCOUNT);
    let second = login.tokens().clone();
    assert_eq!(told.lock().unwrap().as_slice(), std::slice::from_ref(&second), "they are to be kept at once");
    assert_ne!(second.access, first.access);
    assert_ne!(second.refresh, first.refresh, "the provider gives another one each time");
    assert!(second.expires > first.expires);

    // The ones before are good for nothing; whoever shows them again ends the login for all.
    let mut old = Login::resume(&plan(&google.issuer), None, first).unwrap();
    assert!(matches!(old.bearer(), Err(AccountError::LoggedOut)));
}

#[test]
fn a_token_that_is_not_taken_is_renewed_once() {
    let Some(google) = Google::start() else { return };
    let mut tokens = log_in(&google).tokens().clone();
    tokens.access = Secret::new("nonsense".to_owned());
    let mut login = Login::resume(&plan(&google.issuer), None, tokens.clone()).unwrap();
    assert_eq!(who(&mut login, &google).unwrap(), ACCOUNT);
    assert_ne!(login.tokens().access.expose(), "nonsense");

    let lone = Tokens { refresh: None, ..tokens };
    let mut login = Login::resume(&plan(&google.issuer), None, lone).unwrap();
    assert!(matches!(who(&mut login, &google), Err(AccountError::LoggedOut)));
}

#[test]
fn what_the_owner_takes_back_is_over() {
    let Some(google) = Google::start() else { return };
    let mut login = log_in(&google);
    assert_eq!(who(&mut login, &google).unwrap(), ACCOUNT);
    google.revoke();
    assert!(matches!(who(&mut login, &google), Err(AccountError::LoggedOut)));
}

#[test]
fn strangers_at_the_door_are_turned_away() {
    let Some(google) = Google::start() else { return };
    let mut browsers = Vec::new();
    let mut visit = |page: LoginPage| {
        browsers.push(thread::spawn(move || {
            let back = page.url.split_once("redirect_uri=").unwrap().1.split('&').next().unwrap();
            let back = back.replace("%3A", ":").replace("%2F", "/");
            // One that only knocks and says nothing.
            let silent =
                std::net::TcpStream::connect(back.trim_start_matches("http://").trim_end_matches('/')).unwrap();
            let mut browser = Browser::default();
            assert_eq!(browser.open(&format!("{back}favicon.ico")).status, 404);
            assert_eq!(browser.open(&format!("{back}?code=theirs&state=theirs")).status, 400);
            assert_eq!(browser.open(&format!("{back}?error=access_denied")).status, 400);
            let page = browser.open(&page.url);
            drop(silent);
            page
        }));
    };
    let mut login = Login::begin(&plan(&google.issuer), None, &mut visit, &mut || true).unwrap();
    assert_eq!(browsers.pop().unwrap().join().unwrap().status, 200);
    assert_eq!(who(&mut login, &google).unwrap(), ACCOUNT);
}

#[test]
fn waiting_can_be_stopped() {
    let Some(google) = Google::start() else { return };
    for plan in [plan(&google.issuer), device(&google.issuer)] {
        let mut visited = None;
        let mut asked = None;
        let error = {
            let since = std::cell::Cell::new(None);
            let mut visit = |page: LoginPage| {
                since.set(Some(Instant::now()));
                visited = Some(page);
            };
            let mut goes_on = || {
                let over = since.get().is_some_and(|since: Instant| since.elapsed() > Duration::from_millis(400));
                if over && asked.is_none() {
                    asked = Some(Instant::now());
                }
                !over
            };
            Login::begin(&plan, None, &mut visit, &mut goes_on).unwrap_err()
        };
        assert!(matches!(error, AccountError::Stopped), "{error}");
        assert!(asked.unwrap().elapsed() < Duration::from_millis(200));
        assert!(visited.is_some());
    }
}

#[test]
fn one_asks_as_google_wants_it() {
    let Some(google) = Google::start() else { return };
    let mut url = String::new();
    let mut plan = plan(&google.issuer);
    plan.user = ACCOUNT.to_owned();
    let seen = std::cell::Cell::new(false);
    let mut visit = |page: LoginPage| {
        url = page.url;
        seen.set(true);
    };
    let _ = Login::begin(&plan, None, &mut visit, &mut || !seen.get());
    for part in [
        "response_type=code",
        "client_id=icore-test",
        "code_challenge_method=S256",
        "code_challenge=",
        "state=",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A",
        "scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fgmail.readonly",
        "login_hint=ana%40example.org",
    ] {
        assert!(url.contains(part), "{part} in {url}");
    }
}

/// A server that answers each request by its path, with JSON, and says what it was asked.
fn server(
    answers: usize,
    answer: impl Fn(&str, &str) -> (u16, String) + Send + 'static,
) -> (String, JoinHandle<Vec<String>>) {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", door.local_addr().unwrap());
    let base = url.clone();
    let asked = thread::spawn(move || {
        let mut asked = Vec::new();
        while asked.len() < answers {
            let (mut visitor, _) = door.accept().unwrap();
            let mut lines = BufReader::new(visitor.try_clone().unwrap()).lines().map(Result::unwrap);
            let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
            lines.find(|line| line.is_empty());
            let (status, body) = answer(&base, &path);
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nRetry-After: 0\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            visitor.write_all((head + &body).as_bytes()).unwrap();
            asked.push(path);
        }
        asked
    });
    (url, asked)
}

fn begin(issuer: &str) -> AccountError {
    let mut visit = |page: LoginPage| panic!("nobody is to be sent to {}", page.url);
    Login::begin(&plan(issuer), None, &mut visit, &mut || true).unwrap_err()
}

#[test]
fn an_issuer_must_be_who_it_was_asked_as() {
    let said = |issuer: &str, token: &str| {
        let (issuer, token) = (issuer.to_owned(), token.to_owned());
        server(1, move |_, _| {
            let page = "https://issuer.example/page";
            let said = serde_json::json!({"issuer": issuer, "authorization_endpoint": page, "token_endpoint": token});
            (200, said.to_string())
        })
    };
    let (url, _) = said("https://accounts.google.com", "https://issuer.example/token");
    let error = begin(&url);
    assert!(matches!(&error, AccountError::Answer { why, .. } if why.contains("calls itself")), "{error}");
    assert!(matches!(begin("http://issuer.example"), AccountError::NotLocal { .. }));
    assert!(matches!(begin("issuer"), AccountError::Address { .. }));
}

#[test]
fn tokens_are_not_asked_for_in_the_clear() {
    let (url, _) = server(1, |base, _| {
        let token = "http://issuer.example/token";
        (200, serde_json::json!({"issuer": base, "authorization_endpoint": base, "token_endpoint": token}).to_string())
    });
    assert!(matches!(begin(&url), AccountError::NotLocal { server } if server == "issuer.example"));
}

#[test]
fn what_an_issuer_says_is_capped() {
    let (url, _) = server(1, |_, _| (200, " ".repeat((1 << 20) + 1)));
    assert!(matches!(begin(&url), AccountError::TooLarge { .. }));
    let (url, _) = server(1, |_, _| (200, "{}".to_owned()));
    assert!(matches!(begin(&url), AccountError::Answer { .. }));
    assert!(matches!(
        Login::resume(&AccountPlan { oauth: None, ..plan("") }, None, spent()),
        Err(AccountError::Denied { .. })
    ));
}

fn spent() -> Tokens {
    let secret = |text: &str| Secret::new(text.to_owned());
    Tokens { access: secret("spent"), refresh: Some(secret("again")), expires: Some(0) }
}

#[test]
fn a_renewal_that_fails_says_how() {
    let renewed = |status: u16, body: &'static str| {
        let (url, _) = server(2, move |base, path| match path {
            "/token" => (status, body.to_owned()),
            _ => (200, serde_json::json!({"issuer": base, "token_endpoint": format!("{base}/token")}).to_string()),
        });
        let mut login = Login::resume(&plan(&url), None, spent()).unwrap();
        (login.bearer(), login.tokens().clone())
    };
    let (bearer, tokens) = renewed(200, r#"{"access_token":"new","token_type":"Bearer","expires_in":3600}"#);
    assert_eq!(bearer.unwrap().expose(), "new");
    assert_eq!(tokens.refresh, spent().refresh, "where no other one is given, the old one stands");

    let fails = |status, body| {
        let (bearer, tokens) = renewed(status, body);
        assert_eq!(tokens, spent());
        bearer.unwrap_err()
    };
    assert!(matches!(fails(400, r#"{"error":"invalid_grant"}"#), AccountError::LoggedOut));
    assert!(matches!(fails(401, r#"{"error":"invalid_client"}"#), AccountError::Denied { .. }));
    assert!(matches!(fails(503, ""), AccountError::Unreachable { .. }));
    assert!(matches!(fails(429, ""), AccountError::Busy { .. }));
    let error = fails(200, r#"{"access":"a secret"}"#);
    assert!(matches!(error, AccountError::Answer { .. }));
    assert!(!error.to_string().contains("a secret"), "{error}");
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let tries = std::sync::atomic::AtomicU32::new(0);
    let (url, asked) = server(2, move |_, _| {
        let first = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        if first { (429, String::new()) } else { (200, "letters".to_owned()) }
    });
    let http = Http::new(None).unwrap();
    assert_eq!(http.get(&format!("{url}/a"), "token", 100, &mut || true).unwrap(), b"letters");
    assert_eq!(asked.join().unwrap(), ["/a", "/a"]);
}

#[test]
fn a_device_is_asked_no_faster_than_the_issuer_says() {
    let polls = std::sync::Mutex::new(Vec::new());
    let (url, _) = server(4, move |base, path| match path {
        "/device" => {
            let begun = serde_json::json!({
                "device_code": "d", "user_code": "ABCD", "verification_url": "https://issuer.example/device",
                "expires_in": 60, "interval": 1,
            });
            (200, begun.to_string())
        }
        "/token" => {
            let mut polls = polls.lock().unwrap();
            polls.push(Instant::now());
            if polls.len() == 1 {
                return (428, r#"{"error":"authorization_pending"}"#.to_owned());
            }
            assert!(polls[1] - polls[0] >= Duration::from_secs(1));
            (200, r#"{"access_token":"new","token_type":"Bearer","expires_in":3600}"#.to_owned())
        }
        _ => {
            let (token, device) = (format!("{base}/token"), format!("{base}/device"));
            let said = serde_json::json!({
                "issuer": base, "token_endpoint": token, "device_authorization_endpoint": device,
            });
            (200, said.to_string())
        }
    });
    let mut pages = Vec::new();
    let mut login = Login::begin(&device(&url), None, &mut |page| pages.push(page), &mut || true).unwrap();
    assert_eq!(login.bearer().unwrap().expose(), "new");
    let page = LoginPage { url: "https://issuer.example/device".to_owned(), code: Some("ABCD".to_owned()) };
    assert_eq!(pages, [page]);
}
