//! The exported ledger verifies with the public key alone, and nothing in it can be changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod home;

use hinet_consent::{ConsentError, EntryKind, verify_export};
use hinet_protocol::Limits;
use home::{NOW, TestHome, retrieve_draft, say};
use serde_json::Value;

fn exports() -> (String, String, [u8; 32], [u8; 32]) {
    let (_home, vault, consent) = TestHome::new();
    consent.record_now(EntryKind::Init, say("this iCore began"), NOW).unwrap();
    consent.grant(retrieve_draft("editor", Limits::default()), NOW).unwrap();
    consent.kill(NOW).unwrap();
    let plain = consent.export(NOW).unwrap();
    let bodies = consent.export_with_bodies(NOW).unwrap();
    (plain, bodies, vault.identity(), vault.device().public())
}

fn holds(json: &str, key: Option<[u8; 32]>) -> bool {
    verify_export(json, key).is_ok_and(|report| report.ok)
}

#[test]
fn it_verifies_without_the_vault_and_says_no_bodies_unless_asked() {
    let (plain, bodies, identity, device) = exports();
    for (json, entries) in [(&plain, 4), (&bodies, 5)] {
        for key in [None, Some(identity), Some(device)] {
            let report = verify_export(json, key).unwrap();
            assert_eq!((report.ok, report.entries, &report.broken), (true, entries, &None));
        }
        assert!(holds(&format!("{json}\n"), Some(identity)));
        let report = verify_export(json, Some([7; 32])).unwrap();
        assert!(report.broken.unwrap().1.contains("expected public key"));
    }
    assert!(!plain.contains("began") && !plain.contains("editor") && !plain.contains("salt"));
    assert!(bodies.contains("this iCore began") && bodies.contains("editor"));
}

/// Every place in the document, as the keys and numbers that lead there.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), out)),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, value)| places(value, &format!("{at}/{i}"), out)),
        _ => out.push(at.to_owned()),
    }
}

#[test]
fn every_changed_field_is_rejected() {
    let (plain, bodies, identity, _) = exports();
    for json in [plain, bodies] {
        let document: Value = serde_json::from_str(&json).unwrap();
        let mut all = Vec::new();
        places(&document, "", &mut all);
        assert!(all.len() > 50);
        // The order of fields matters to the document, so places are changed in the text, not in a parsed map.
        for place in &all {
            let old = document.pointer(place).unwrap();
            let news = match old {
                Value::String(text) if !text.is_empty() => {
                    let mut end: Vec<char> = text.chars().collect();
                    let last = end.last_mut().unwrap();
                    *last = if *last == '0' { '1' } else { '0' };
                    let changed: String = end.into_iter().collect();
                    vec![changed, format!("{text}0"), text[..text.len() - 1].to_owned(), text.to_uppercase()]
                        .into_iter()
                        .map(Value::String)
                        .collect()
                }
                Value::Number(n) => vec![(n.as_i64().unwrap() + 1).into(), 0.into(), u64::MAX.into()],
                other => panic!("{place}: {other}"),
            };
            for new in news.into_iter().filter(|new| new != old) {
                let mut changed = ordered(&json);
                *changed.pointer_mut(place) = new.to_string();
                let text = changed.text();
                assert_ne!(text, json);
                assert!(!holds(&text, Some(identity)), "{place} was changed to {new}");
                assert!(!holds(&text, None), "{place} was changed to {new}");
            }
        }
    }
}

#[test]
fn every_changed_byte_is_rejected() {
    let (_, json, identity, _) = exports();
    for (place, byte) in json.bytes().enumerate() {
        for new in [byte ^ 1, byte ^ 0x20] {
            let mut changed = json.clone().into_bytes();
            changed[place] = new;
            if new != byte
                && let Ok(text) = String::from_utf8(changed)
            {
                assert!(!holds(&text, Some(identity)), "byte {place} was changed from {byte} to {new}");
            }
        }
    }
}

#[test]
fn entries_taken_out_added_or_stripped_are_rejected() {
    let (plain, bodies, identity, _) = exports();
    let cut: Vec<fn(&mut Value)> = vec![
        |d| drop(d["entries"].as_array_mut().unwrap().pop()),
        |d| drop(d["entries"].as_array_mut().unwrap().remove(0)),
        |d| d["entries"].as_array_mut().unwrap().swap(0, 1),
        |d| d["entries"] = Value::Array(vec![]),
        |d| d["certificates"] = Value::Array(vec![]),
        |d| d["entries"][0]["leaves"][0]["body"] = Value::Null,
        |d| drop(d.as_object_mut().unwrap().insert("more".into(), Value::Bool(true))),
    ];
    for (n, cut) in cut.iter().enumerate() {
        let mut document: Value = serde_json::from_str(&bodies).unwrap();
        cut(&mut document);
        assert!(!holds(&document.to_string(), Some(identity)), "cut {n}");
    }
    // Bodies cannot be stripped quietly, and two exports cannot be mixed.
    let stripped = stripped_of_bodies(&bodies);
    assert_ne!(stripped, bodies);
    assert!(!holds(&stripped, Some(identity)));
    let signature = |json: &str| json[json.rfind("\"signature\"").unwrap()..].to_owned();
    let mixed = plain.replace(&signature(&plain), &signature(&bodies));
    assert!(!holds(&mixed, Some(identity)));
}

/// Takes salts and bodies out of an export, leaving everything else as it is.
fn stripped_of_bodies(json: &str) -> String {
    let mut out = String::new();
    let mut rest = json;
    while let Some(at) = rest.find(",\"salt\":") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[rest.find('}').unwrap()..];
    }
    out + rest
}

#[test]
fn what_is_no_export_is_said_to_be_none() {
    for json in ["", "{}", "[]", "null", "\u{feff}{}", "{\"format\":\"hinet-ledger\"}"] {
        assert!(matches!(verify_export(json, None), Err(ConsentError::NotAnExport { .. })), "{json}");
    }
    let deep = "[".repeat(100_000);
    assert!(matches!(verify_export(&deep, None), Err(ConsentError::NotAnExport { .. })));
}

/// A JSON document that keeps the order of its fields.
enum Ordered {
    Object(Vec<(String, Ordered)>),
    Array(Vec<Ordered>),
    Plain(String),
}

fn ordered(json: &str) -> Ordered {
    serde_json::from_str(json).unwrap()
}

impl<'de> serde::Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> serde::de::Visitor<'de> for Visitor {
    type Value = Ordered;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an export")
    }

    fn visit_str<E>(self, text: &str) -> Result<Ordered, E> {
        Ok(Ordered::Plain(Value::from(text).to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Ordered, E> {
        Ok(Ordered::Plain(number.to_string()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Ordered, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Ordered::Array(list))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
        let mut list = Vec::new();
        while let Some(pair) = map.next_entry()? {
            list.push(pair);
        }
        Ok(Ordered::Object(list))
    }
}

impl Ordered {
    fn pointer_mut(&mut self, place: &str) -> &mut String {
        let (key, rest) = place[1..].split_once('/').map_or((&place[1..], ""), |(key, rest)| (key, rest));
        let below = match self {
            Self::Object(fields) => &mut fields.iter_mut().find(|(name, _)| name == key).unwrap().1,
            Self::Array(list) => &mut list[key.parse::<usize>().unwrap()],
            Self::Plain(_) => unreachable!(),
        };
        match below {
            Self::Plain(text) => text,
            deeper => deeper.pointer_mut(&format!("/{rest}")),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Array(list) => format!("[{}]", list.iter().map(Self::text).collect::<Vec<_>>().join(",")),
            Self::Object(fields) => {
                let field =
                    |(key, value): &(String, Ordered)| format!("{}:{}", Value::from(key.as_str()), value.text());
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
            }
        }
    }
}
