//! Where an account is: `imap://ana@mail.example.org`, `gmail://ana@example.org`. Grants name such places as they name
//! folders, and the keys of items lie below them.

use super::AccountError;
use crate::Reading;
use hinet_protocol::{AccountKind, AccountPlan};
use std::fmt;

/// An account's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The place of an account whose owner is known.
    #[must_use]
    pub fn of(plan: &AccountPlan) -> Self {
        let scheme = match plan.kind {
            AccountKind::Imap => "imap",
            AccountKind::Gmail => "gmail",
            AccountKind::Drive => "drive",
            AccountKind::Calendar => "calendar",
        };
        let user = segment(&plan.user);
        match (plan.kind, plan.server.as_deref()) {
            // The usual port goes without saying.
            (AccountKind::Imap, Some(server)) => {
                let server = server.strip_suffix(":993").or_else(|| server.strip_suffix(":143")).unwrap_or(server);
                Self(format!("{scheme}://{user}@{}", segment(&server.to_lowercase())))
            }
            _ => Self(format!("{scheme}://{user}")),
        }
    }

    /// The place as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The place of a folder of this account; its levels are told apart by slashes.
    #[must_use]
    pub fn below(&self, folder: &str) -> String {
        self.key(&folder.trim_matches('/').split('/').collect::<Vec<_>>())
    }

    /// The key of what lies below by these names.
    pub(crate) fn key(&self, names: &[&str]) -> String {
        let mut key = self.0.clone();
        for name in names {
            key.push('/');
            key.push_str(&segment(name));
        }
        key
    }

    /// Whether the leave covers the whole account, or only some of what lies below.
    pub(crate) fn check(&self, reading: &Reading) -> Result<(), AccountError> {
        reading.check()?;
        let any = reading.places().iter().any(|place| within(place, &self.0) || within(&self.0, place));
        if any { Ok(()) } else { Err(AccountError::NotCovered { place: self.0.clone() }) }
    }
}

/// Whether `place` is `root` or lies below it.
fn within(place: &str, root: &str) -> bool {
    place.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name as one part of a place: no slash, nothing that climbs, nothing that a terminal would act on. What is replaced
/// is written as in an address (`%2F`), so that two names stay two.
fn segment(name: &str) -> String {
    let climbs = matches!(name, "." | "..");
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c == '/' || c == '%' || c.is_control() || (climbs && c == '.') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    if out.is_empty() { "%00".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::{Place, segment, within};
    use hinet_protocol::{AccountKind, AccountPlan, Transport};

    #[test]
    fn names_become_parts_of_a_place_and_stay_apart() {
        assert_eq!(segment("Work/2024"), "Work%2F2024");
        assert_eq!(segment("Work%2F2024"), "Work%252F2024");
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment(""), "%00");
        assert_eq!(segment("Entwürfe\u{1b}[2J"), "Entwürfe%1B[2J");
    }

    #[test]
    fn a_place_has_no_usual_port_and_covers_only_what_lies_below() {
        let plan = AccountPlan {
            kind: AccountKind::Imap,
            user: "ana@x.org".into(),
            server: Some("Mail.x.org:993".into()),
            transport: Transport::Tls,
            certificate: None,
            folders: Vec::new(),
            since: None,
            oauth: None,
        };
        let place = Place::of(&plan);
        assert_eq!(place.as_str(), "imap://ana@x.org@mail.x.org");
        assert_eq!(place.key(&["INBOX", "7.12"]), "imap://ana@x.org@mail.x.org/INBOX/7.12");
        assert!(within("imap://a@b/INBOX", "imap://a@b") && !within("imap://a@bc", "imap://a@b"));
    }
}
