//! Secrets that are named as such: what is set equal to a name that says so, what stands in a header or a command for a
//! login, and what a manifest of secrets holds.

use super::entropy;
use super::formats::is_random;
use std::ops::Range;

/// Words for what somebody chose.
const CHOSEN: &str = "password passwd passphrase passwort kennwort pwd pass contrasena senha";
/// Words for what was drawn.
const DRAWN: &str = "secret token apikey accesskey secretkey privatekey authkey signingkey encryptionkey licensekey credential \
    credentials creds authorization bearer key auth clientid accessid signature";

/// Services whose names are enough for a long value: those of gitleaks' rules (MIT).
const SERVICES: &str = "adafruit adobe airtable algolia alibaba artifactory asana atlassian beamer bintray bitbucket bittrex \
    cloudflare codecov cohere coinbase confluence confluent contentful contribsys datadog discord dnkey droneci \
    dropbox etsy facebook fastly finicity finnhub flickr freshbooks gitter gocardless heroku hubspot intercom \
    jfrog jira kraken kucoin launchdarkly linear linkedin linked_in linked-in lob looker mailchimp mailgun \
    mapbox mattermost meraki messagebird message_bird message-bird netlify newrelic new-relic new_relic nytimes \
    new-york-times okta plaid privateai private_ai private-ai rapidapi sendbird sentry snyk sonar squarespace \
    sumo telegr travis twitch twitter typeform xray yandex zendesk";

/// Whether what lies before a word names it a secret, and the word can be one.
pub(super) fn is_named(text: &str, name: &Range<usize>, word: &Range<usize>) -> bool {
    let between = &text[name.end..word.start];
    let value = &text[word.clone()];
    // An application's number and its token: 1308742762612587|rhoK1…
    let app = &text[name.clone()];
    if between == "|" && (15..=16).contains(&app.len()) && app.bytes().all(|b| b.is_ascii_digit()) {
        return (27..=40).contains(&value.len()) && is_random(value);
    }
    // In a sentence: the password is hunter2.
    let copula = matches!(app, "is" | "ist" | "es" | "est" | "é" | "war" | "was");
    if copula
        && between.trim_matches([' ', '"', '\'', '`', ':', '“', '„']).is_empty()
        && value.bytes().any(|b| b.is_ascii_digit())
    {
        let before = text[..name.start].trim_end();
        let last = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_lowercase();
        return CHOSEN.split(' ').any(|name| last == name) && is_chosen(value) && is_free(value, "");
    }
    if !sets(between) || !is_free(value, &text[word.end..]) {
        return false;
    }
    // The name may be of several words: at most so many bytes of its line.
    let from = text.floor_char_boundary(name.end.saturating_sub(48));
    let line = text[from..name.end].rfind(['\n', ';', '{', '}']).map_or(from, |at| from + at + 1);
    let whole = text[line..name.end].to_lowercase();
    let word_of_name = text[name.clone()].to_lowercase();
    let last: String = word_of_name.chars().filter(char::is_ascii_alphanumeric).collect();
    // `name="password" value="…"`.
    let last = if last == "value" { whole.chars().filter(char::is_ascii_alphanumeric).collect() } else { last };
    let last = last.strip_suffix("value").unwrap_or(&last);
    if CHOSEN.split(' ').any(|name| last.ends_with(name) || (name.len() > 4 && last.contains(name))) {
        return is_chosen(value);
    }
    if DRAWN.split(' ').any(|name| last.ends_with(name) || (name.len() > 4 && last.contains(name))) {
        return is_drawn(value);
    }
    let says_so = DRAWN.split(' ').any(|name| whole.contains(name)) && between.trim() != ",";
    (says_so && is_long(value))
        || (SERVICES.split(' ').any(|name| whole.contains(name))
            && ((is_long(value) && value.bytes().any(|b| b.is_ascii_digit())) || is_pair(value, &text[word.end..])))
}

/// Whether what lies between a name and a value sets it.
fn sets(between: &str) -> bool {
    if between.is_empty() || between.len() > 12 {
        return false;
    }
    let mut bare = [0u8; 12];
    let mut len = 0;
    for b in between.bytes() {
        if b == b'\n' || b == b'\r' {
            return false;
        }
        if !b.is_ascii_whitespace() && !b"\"'`\\[](".contains(&b) {
            bare[len] = b;
            len += 1;
        }
    }
    matches!(
        &bare[..len],
        b":" | b"=" | b":=" | b"::=" | b":::=" | b"?=" | b"=>" | b"==" | b">" | b"," | b"||" | b".=" | b"+="
    )
}

/// No variable, no placeholder, no call.
fn is_free(value: &str, rest: &str) -> bool {
    let low = value.to_ascii_lowercase();
    let same = value.bytes().all(|b| b == value.as_bytes()[0]);
    let is_variable = value.starts_with(['$', '%', '&', '@', '#', '/', '.']) || rest.starts_with(['(', '{']);
    let placeholders = ["xxxx", "****", "placeholder", "abcdefghijkl"];
    let is_placeholder = placeholders.iter().any(|placeholder| low.contains(placeholder))
        || low.starts_with("your")
        || (low.contains("example") && value.len() < 30);
    !(same || is_variable || is_placeholder)
}

/// A password that somebody chose: not a plain word, or one in capitals and small letters.
fn is_chosen(value: &str) -> bool {
    let inner = value.bytes().skip(1);
    let odd = inner.clone().any(|b| !b.is_ascii_lowercase()) && value.bytes().any(|b| b.is_ascii_alphanumeric());
    value.len() >= 6
        && odd
        && !(value.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && value.contains('_'))
        && !is_path(value)
}

/// A value that was drawn: digits among its letters, or long and of both cases.
fn is_drawn(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|b| is(&b));
    let digits = has(u8::is_ascii_digit) && (has(u8::is_ascii_alphabetic) || value.len() >= 12);
    let cases = value.len() >= 20 && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && entropy(value) > 3.5;
    value.len() >= 8 && (digits || cases) && is_random(value) && !is_path(value) && !is_date(value)
}

/// A long value of letters and digits.
fn is_long(value: &str) -> bool {
    value.len() >= 14 && is_drawn(value)
}

/// Two keys with a colon between them.
fn is_pair(value: &str, rest: &str) -> bool {
    let is_key = |key: &str| key.len() == 8 && key.bytes().all(|b| b.is_ascii_hexdigit());
    is_key(value) && rest.strip_prefix(':').and_then(|rest| rest.get(..8)).is_some_and(is_key)
}

fn is_path(value: &str) -> bool {
    value.contains("://")
        || value.matches('/').count() > 2
        || (value.matches('.').count() > 1
            && value.split('.').all(|part| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')))
}

fn is_date(value: &str) -> bool {
    value.len() <= 10 && value.bytes().all(|b| b.is_ascii_digit() || b"-/.:".contains(&b))
}

/// What follows `Authorization: Bearer`, `Basic` and their like.
pub(super) fn headers(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("uthorization") {
        let rest = &text[at + 12..];
        let Some(after) =
            rest.strip_prefix(':').or_else(|| rest.strip_prefix("\": \"")).or_else(|| rest.strip_prefix("': '"))
        else {
            continue;
        };
        let after = after.trim_start_matches([' ', '\t', '"', '\'']);
        let scheme = after.bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'-').count();
        let known = matches!(
            after[..scheme].to_ascii_lowercase().as_str(),
            "bearer" | "basic" | "token" | "apikey" | "api-token" | "digest"
        );
        if !known {
            continue;
        }
        let value = after[scheme..].trim_start_matches([' ', '\t']);
        let len = value.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"_-.=~+/@".contains(b)).count();
        let start = text.len() - value.len();
        if len >= 8 && is_free(&value[..len], &value[len..]) && entropy(&value[..len]) >= 2.5 {
            found.push(start..start + len);
        }
    }
    found
}

/// `user:password` in an address (`https://user:password@host`) and after `-u` or `--user` of a command.
pub(super) fn logins(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let rest = &text[at + 3..text.floor_char_boundary(at + 3 + 256)];
        let len =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>')).unwrap_or(rest.len());
        let Some(login) = rest[..len].rfind('@').map(|end| &rest[..end]) else { continue };
        if let Some((_, password)) = login
            .split_once(':')
            .filter(|(_, password)| password.len() >= 3 && is_free(password, "") && !is_example(password))
        {
            let end = at + 3 + login.len();
            found.push(end - password.len()..end);
        }
    }
    if text.contains("curl") {
        for mark in [" -u", " --user", "\t-u", "\n-u"] {
            found.extend(text.match_indices(mark).filter_map(|(at, _)| login_at(text, at + mark.len())));
        }
    }
    found
}

/// What manuals write where a password stands.
fn is_example(password: &str) -> bool {
    password.starts_with(['<', '[', '{']) && password.ends_with(['>', ']'])
        || matches!(
            password.to_ascii_lowercase().as_str(),
            "password"
                | "passwd"
                | "pass"
                | "pwd"
                | "token"
                | "test"
                | "secret"
                | "changeme"
                | "apikey"
                | "api_key"
                | "key"
                | "x"
        )
        || password.contains("assword>")
        || password.contains("xxxx")
}

/// The login after `-u`: two parts with a colon, in quotes or not.
fn login_at(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..text.floor_char_boundary(at + 200)];
    let bare = rest.trim_start_matches([' ', '=', '\t']);
    if bare.len() == rest.len() && !rest.starts_with(['"', '\'']) {
        return None;
    }
    let start = at + rest.len() - bare.len();
    let (mut quote, mut len) = (None, bare.len());
    for (place, c) in bare.char_indices() {
        match quote {
            None if c.is_whitespace() => {
                len = place;
                break;
            }
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
    }
    let login = &bare[..len];
    let inner = login.trim_matches(['"', '\'']);
    let (name, password) = inner.split_once(':')?;
    let part = if password.len() >= 3 { password } else { name };
    let part = part.trim_matches(['"', '\'']);
    if is_example(part) || (part == name && !password.is_empty()) {
        return None;
    }
    let is_value = part.len() >= 3 && entropy(part) >= 1.5 && !part.contains(['$', '<', '{'])
        || (part.len() >= 6
            && part.contains(['$', '{'])
            && !part.starts_with(['$', '<'])
            && part.bytes().any(|b| b.is_ascii_digit()));
    let from = start + bare.find(part)?;
    is_value.then_some(from..from + part.len())
}

/// The values of a manifest of secrets (`kind: Secret`, then `data:`): a word after each key.
pub(super) fn manifests(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let is_kind = |line: &str| {
        let line = line.trim().to_ascii_lowercase();
        line.strip_prefix("kind:").is_some_and(|kind| {
            kind.trim()
                .trim_matches(['"', '\''])
                .split(' ')
                .next()
                .is_some_and(|kind| kind.trim_matches(['"', '\'']) == "secret")
        })
    };
    if !text.contains("ecret") {
        return found;
    }
    // Whether each document, which a line of hyphens ends, is one.
    let mut kinds = vec![false];
    for line in text.lines() {
        match kinds.last_mut() {
            Some(kind) if !line.starts_with("---") => *kind |= is_kind(line),
            _ => kinds.push(false),
        }
    }
    let (mut at, mut inside, mut document) = (0, None, 0);
    for line in text.split_inclusive('\n') {
        document += usize::from(line.starts_with("---"));
        if !kinds.get(document).copied().unwrap_or(false) {
            at += line.len();
            inside = None;
            continue;
        }
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        let trimmed = bare.trim_end();
        if matches!(trimmed.split('#').next().unwrap_or_default().trim(), "data:" | "stringData:") {
            inside = Some(depth);
        } else if inside.is_some_and(|outer| depth <= outer && !trimmed.is_empty() && !trimmed.starts_with('#')) {
            inside = None;
        } else if inside.is_some() && !trimmed.starts_with('#') {
            let value = trimmed
                .split_once(": ")
                .map_or(trimmed, |(_, value)| value)
                .trim()
                .trim_matches(['"', '\'', '|', '>', '-'])
                .trim();
            let is_value = value.len() >= 10
                && !value.ends_with(':')
                && !value.contains("{{")
                && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(&b));
            if is_value && let Some(place) = line.rfind(value) {
                found.push(at + place..at + place + value.len());
            }
        }
        at += line.len();
    }
    found
}
