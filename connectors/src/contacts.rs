//! vCards: one card, one item.

use crate::{
    Unreadable,
    lines::{Line, lines},
    parts::{Part, Parts},
    text::one_line,
};
use std::fmt::Write as _;

/// Kinds of one number or address.
const KINDS_MAX: usize = 8;

/// A card: its lines, in their order.
#[derive(Default)]
struct Card {
    lines: Vec<Line>,
}

/// Hands out the cards of a text.
pub(crate) fn read(text: &str, parts: &mut Parts<'_>) -> Result<(), Unreadable> {
    let mut any = false;
    each(text, &mut |card| {
        any = true;
        let title = card.title().unwrap_or_else(|| "A contact without a name".to_owned());
        let uid = card.first("UID").map(Line::text).filter(|uid| !uid.trim().is_empty());
        let key = parts.new_key(uid.as_deref().unwrap_or(&title).trim());
        parts.put(Part { key, text: card.words(&title), title, kind: "contact", modified: None, ..Part::default() });
        !parts.stopped()
    });
    if any { Ok(()) } else { Err(Unreadable::NoExport) }
}

/// All cards of a text, as words.
pub(crate) fn words(text: &str) -> String {
    let mut out = String::new();
    each(text, &mut |card| {
        if !out.is_empty() {
            out.push('\n');
        }
        let title = card.title().unwrap_or_else(|| "without a name".to_owned());
        out.push_str(&card.words(&title));
        true
    });
    if out.is_empty() { text.to_owned() } else { out }
}

/// Hands every card to `take` until it says no. A card within a card is a card; one that never ends is one, too.
fn each(text: &str, take: &mut dyn FnMut(Card) -> bool) {
    let mut open: Vec<Card> = Vec::new();
    for line in lines(text) {
        let is_card = line.value.trim().eq_ignore_ascii_case("VCARD");
        match line.name.as_str() {
            "BEGIN" if is_card => open.push(Card::default()),
            "END" if is_card => {
                if let Some(card) = open.pop()
                    && !take(card)
                {
                    return;
                }
            }
            // Pictures, sounds and keys say nothing in words.
            "PHOTO" | "LOGO" | "SOUND" | "KEY" => {}
            _ => {
                if let Some(card) = open.last_mut() {
                    card.lines.push(line);
                }
            }
        }
    }
    for card in open {
        if !card.lines.is_empty() && !take(card) {
            return;
        }
    }
}

impl Card {
    fn first(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    fn title(&self) -> Option<String> {
        let proper = |text: &String| !text.is_empty();
        let formatted = self.first("FN").map(|line| one_line(&line.text())).filter(proper);
        let assembled = || {
            let fields = self.first("N")?.fields();
            // Family, given, further, title before, title behind.
            let order = [3, 1, 2, 0, 4].into_iter().filter_map(|at| fields.get(at));
            Some(one_line(&order.map(String::as_str).collect::<Vec<_>>().join(" "))).filter(proper)
        };
        let other = |name: &str| {
            let line = self.first(name)?;
            Some(one_line(&line.fields().join(" "))).filter(proper)
        };
        formatted
            .or_else(assembled)
            .or_else(|| other("ORG"))
            .or_else(|| other("NICKNAME"))
            .or_else(|| other("EMAIL"))
            .or_else(|| other("TEL"))
    }

    fn words(&self, title: &str) -> String {
        let mut out = format!("Contact: {title}\n");
        // Notes come last: whoever reads the lines again knows where what somebody wrote freely begins.
        let (notes, lines): (Vec<&Line>, Vec<&Line>) = self.lines.iter().partition(|line| line.name == "NOTE");
        for line in lines.into_iter().chain(notes) {
            let fields = || line.fields().into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
            let (label, value) = match line.name.as_str() {
                "NICKNAME" => ("Nickname", line.text()),
                "ORG" => ("Organisation", fields()),
                "TITLE" => ("Title", line.text()),
                "ROLE" => ("Role", line.text()),
                "EMAIL" => ("Mail", line.text()),
                "TEL" => ("Phone", line.text().trim_start_matches("tel:").to_owned()),
                "ADR" => ("Address", fields()),
                "BDAY" => ("Birthday", day(&line.text())),
                "ANNIVERSARY" | "X-ANNIVERSARY" | "X-EVOLUTION-ANNIVERSARY" => ("Anniversary", day(&line.text())),
                "URL" => ("Web", line.text()),
                "IMPP" | "X-AIM" | "X-ICQ" | "X-JABBER" | "X-MSN" | "X-SKYPE" | "X-YAHOO" | "X-GTALK" => {
                    ("Messenger", line.text())
                }
                "X-SPOUSE" | "X-EVOLUTION-SPOUSE" => ("Spouse", line.text()),
                "RELATED" | "X-ABRELATEDNAMES" => ("Related", line.text()),
                "CATEGORIES" => ("Categories", line.text()),
                "GEO" => ("Place", line.text()),
                "LANG" => ("Language", line.text()),
                "NOTE" => ("Note", line.text()),
                _ => continue,
            };
            // Only a note has lines of its own.
            let folded = one_line(&value);
            let value = if line.name == "NOTE" { value.trim() } else { folded.as_str() };
            if value.is_empty() {
                continue;
            }
            let kinds = kinds(line);
            let _ = match kinds.is_empty() {
                true => writeln!(out, "{label}: {value}"),
                false => writeln!(out, "{label}: {value} ({kinds})"),
            };
        }
        out
    }
}

/// Where a number or an address belongs: `home`, `work`, `cell`.
fn kinds(line: &Line) -> String {
    let mut found: Vec<String> = Vec::new();
    for (name, value) in &line.params {
        if name != "TYPE" && !name.is_empty() {
            continue;
        }
        for kind in value.split(',') {
            let kind = kind.trim_matches(['"', ' ']).to_lowercase();
            let says =
                !matches!(kind.as_str(), "" | "pref" | "internet" | "voice" | "quoted-printable" | "base64" | "b");
            if says && found.len() < KINDS_MAX && !found.contains(&kind) {
                found.push(kind);
            }
        }
    }
    found.join(", ")
}

/// A day as the field writes it: `19800102`, `--0102` (no year), `1980-01-02T00:00:00Z`.
fn day(value: &str) -> String {
    let value = value.trim();
    let date = value.split('T').next().unwrap_or(value);
    let digits: String = date.chars().filter(char::is_ascii_digit).collect();
    match (digits.len(), date.starts_with("--")) {
        (8, false) => format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]),
        (4, true) => format!("{}-{} (no year)", &digits[..2], &digits[2..]),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{day, words};

    #[test]
    fn a_card_in_words() {
        let card = "BEGIN:VCARD\nVERSION:3.0\nN:Costa;Ana;;Dr.;\nORG:Fjord;Sales\nEMAIL;TYPE=INTERNET,HOME:ana@x.pt\n\
                    TEL;CELL:+351 1\nBDAY:19800102\nNOTE:likes\\nboats\nPHOTO;ENCODING=b:AAAA\nEND:VCARD\n";
        let expected = "Contact: Dr. Ana Costa\nOrganisation: Fjord, Sales\nMail: ana@x.pt (home)\nPhone: +351 1 (cell)\n\
                        Birthday: 1980-01-02\nNote: likes\nboats\n";
        assert_eq!(words(card), expected);
        assert_eq!(words("no card"), "no card");
        for (value, expected) in
            [("--0415", "04-15 (no year)"), ("1980-01-02T10:00:00Z", "1980-01-02"), ("circa 1800", "circa 1800")]
        {
            assert_eq!(day(value), expected);
        }
    }
}
