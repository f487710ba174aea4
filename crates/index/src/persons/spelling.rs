//! What a spelling says: a name, an address, or both. Spellings are compared in lower case.

/// Digits of the shortest telephone number that tells people apart.
const PHONE_DIGITS: usize = 5;

/// A spelling as it is compared.
pub(super) fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A mail address as it is compared: in lower case, Google's two domains as one. What follows a plus sign counts.
pub(super) fn address(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (local, domain) = text.rsplit_once('@')?;
    let odd = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | ';');
    if local.is_empty() || text.contains(odd) || !domain.chars().any(char::is_alphanumeric) {
        return None;
    }
    let domain = if domain == "googlemail.com" { "gmail.com" } else { domain };
    Some(format!("{local}@{domain}"))
}

/// A telephone number as it is compared: its digits, and a plus sign where it begins with the country.
pub(super) fn phone(text: &str) -> Option<String> {
    let text = text.trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < PHONE_DIGITS {
        return None;
    }
    Some(match digits.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None if text.starts_with('+') => format!("+{digits}"),
        None => digits,
    })
}

/// The name and the address of a stored spelling in lower case. Neither is there where something else than an address
/// stands in its place.
pub(super) fn parts(spelling: &str) -> (Option<&str>, Option<String>) {
    match spelling.strip_suffix('>').and_then(|text| text.split_once(" <")) {
        Some((name, inner)) => match address(inner) {
            Some(address) => (Some(name), Some(address)),
            None => (None, None),
        },
        None => match address(spelling) {
            Some(address) => (None, Some(address)),
            None => (Some(spelling), None),
        },
    }
}

/// The name in a spelling as it stands.
pub(super) fn named(spelling: &str) -> Option<&str> {
    let name = match spelling.strip_suffix('>').and_then(|text| text.split_once(" <")) {
        Some((name, _)) => name,
        None => spelling,
    };
    (!name.is_empty() && !name.contains('@')).then_some(name)
}

/// Whether a name is a full one: two words or more, and no address in it.
pub(super) fn is_full(name: &str) -> bool {
    let words = name.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic));
    words.count() >= 2 && !name.contains('@')
}

/// What there is of a spelling before the domain of an address.
pub(super) fn called(spelling: &str) -> &str {
    spelling.split_once('@').map_or(spelling, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_have_one_form() {
        for (text, expected) in [
            (" Ana@X.pt ", Some("ana@x.pt")),
            ("a.c@googlemail.com", Some("a.c@gmail.com")),
            ("ana+shop@x.pt", Some("ana+shop@x.pt")),
            ("ana", None),
            ("@x.pt", None),
            ("ana@", None),
            ("ana costa@x.pt", None),
        ] {
            assert_eq!(address(text).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("+351 912-345", Some("+351912345")),
            ("00351 912 345", Some("+351912345")),
            ("(0)912 345", Some("0912345")),
            ("+351 1", None),
        ] {
            assert_eq!(phone(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn spellings_come_apart() {
        let cases = [
            ("ana costa <ana@x.pt>", Some("ana costa"), Some("ana@x.pt")),
            ("ana@x.pt", None, Some("ana@x.pt")),
            ("ana costa", Some("ana costa"), None),
            ("friends <undisclosed>", None, None),
        ];
        for (spelling, name, address) in cases {
            let (found, at) = parts(spelling);
            assert_eq!((found, at.as_deref()), (name, address), "{spelling}");
        }
        assert_eq!(named("Ana <a@x.pt>"), Some("Ana"));
        assert_eq!(named("b@y.pt <a@x.pt>"), None);
        assert!(
            is_full("ana costa") && is_full("J. Costa") && !is_full("ana") && !is_full("ana 2") && !is_full("a b@x")
        );
    }
}
