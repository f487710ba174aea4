//! What a server's answer comes to: given, refused, or to be asked for again later.

use super::{AccountError, sentence};
use std::time::Duration;
use ureq::http::{Response, StatusCode, header};

/// What an answer comes to.
pub(super) enum Verdict {
    Given(Vec<u8>),
    Refused(AccountError),
    /// Not now; after that time, where the server says one. The error is for who gives up.
    Later(Option<Duration>, AccountError),
}

/// Reads what an answer's status and headers say.
pub(super) fn verdict(server: &str, answer: Response<Vec<u8>>) -> Verdict {
    let status = answer.status();
    if status.is_success() {
        return Verdict::Given(answer.into_body());
    }
    let after = answer.headers().get(header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
    let reason = Reason::of(answer.body(), status);
    let server = server.to_owned();
    match status.as_u16() {
        401 => Verdict::Refused(AccountError::LoggedOut),
        403 if reason.too_fast => Verdict::Later(after, AccountError::Busy { server }),
        403 => Verdict::Refused(AccountError::Forbidden { server, why: reason.text }),
        404 | 410 => Verdict::Refused(AccountError::Absent { server }),
        429 => Verdict::Later(after, AccountError::Busy { server }),
        // Nothing is said about what was asked for: it is asked for again another day.
        500..=599 => Verdict::Later(after, AccountError::Busy { server }),
        _ => Verdict::Refused(AccountError::Answer { server, why: reason.text }),
    }
}

/// Seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(Duration::try_from(then.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

/// Why something was refused, as Google and the token endpoints say it.
struct Reason {
    text: String,
    too_fast: bool,
}

impl Reason {
    fn of(body: &[u8], status: StatusCode) -> Self {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &body["error"];
        let reasons = error["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let too_fast = reasons.iter().any(|one| {
            let named =
                ["rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "sharingRateLimitExceeded"];
            one["domain"] == "usageLimits" || named.iter().any(|reason| one["reason"] == *reason)
        });
        let said = [&error["message"], &body["error_description"], error].into_iter().find_map(|text| text.as_str());
        let text = said.map(sentence).filter(|text| !text.is_empty());
        Self { text: text.unwrap_or_else(|| format!("it answered with status {}", status.as_u16())), too_fast }
    }
}
