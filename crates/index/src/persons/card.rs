//! A contact's card, read again from the words that were made of it.

use super::spelling::{address, phone};

/// What a card is called that has no name.
const NAMELESS: &str = "A contact without a name";
/// Addresses of one card, and numbers.
const EACH_MAX: usize = 64;

/// One card.
#[derive(Debug, Clone, Default)]
pub(super) struct Card {
    /// The number of its item.
    pub(super) item: i64,
    /// The name as it stands; it may be none.
    pub(super) name: String,
    /// Mail addresses, as they are compared.
    pub(super) addresses: Vec<String>,
    /// Telephone numbers, as they are compared.
    pub(super) phones: Vec<String>,
}

impl Card {
    /// Reads the text of an item. A note is free text, and it comes last: nothing in it is looked at.
    pub(super) fn read(item: i64, text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let name = lines.next()?.strip_prefix("Contact: ")?.trim();
        let name = if name == NAMELESS { String::new() } else { name.to_owned() };
        let mut card = Self { item, name, ..Self::default() };
        for line in lines {
            match line.split_once(": ") {
                Some(("Note", _)) => break,
                Some(("Mail", value)) => card.addresses.extend(address(bare(value))),
                Some(("Phone", value)) => card.phones.extend(phone(bare(value))),
                _ => {}
            }
        }
        for list in [&mut card.addresses, &mut card.phones] {
            list.sort_unstable();
            list.dedup();
            list.truncate(EACH_MAX);
        }
        Some(card)
    }
}

/// A value without the words in brackets behind it that say where it belongs.
fn bare(value: &str) -> &str {
    match value.trim_end().strip_suffix(')').and_then(|inner| inner.rsplit_once(" (")) {
        Some((before, kinds)) if kinds.chars().any(char::is_alphabetic) => before,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::Card;

    #[test]
    fn a_card_is_read() {
        let text = "Contact: Dr. Ana Costa\nOrganisation: Fjord, Sales\nMail: Ana@x.pt (home)\nMail: ac@googlemail.com\n\
                    Phone: +351 (0) 912 345 (cell, work)\nMail: none\nNote: partner is Bo\nMail: bo@x.org\n";
        let card = Card::read(7, text).unwrap();
        assert_eq!((card.item, card.name.as_str()), (7, "Dr. Ana Costa"));
        assert_eq!(card.addresses, ["ac@gmail.com", "ana@x.pt"]);
        assert_eq!(card.phones, ["+3510912345"]);
        assert!(Card::read(7, "A letter\nMail: x@y.z\n").is_none());
        assert_eq!(Card::read(7, "Contact: A contact without a name\n").unwrap().name, "");
    }
}
