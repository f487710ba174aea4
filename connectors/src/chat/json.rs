//! JSON as a stream: the messages of a list are handed out one by one, and none may be too large.

use crate::Unreadable;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{
    cell::Cell,
    fmt,
    io::{self, BufReader, Read},
    rc::Rc,
};

/// Lists of messages and of conversations, and objects that hold such lists.
const LISTS: &[&str] = &["messages", "chats", "left_chats", "list", "conversations"];
/// What is worth knowing of the object a list of messages stands in.
const FIELDS: &[&str] = &["name", "type", "id", "guild", "channel", "title", "participants", "thread_path"];

/// What the stream tells.
pub(super) enum Found<'a> {
    /// An element of a list, with what was said so far of the object it stands in.
    Element(&'a Map<String, Value>, Value),
    /// The object ends.
    End(&'a Map<String, Value>),
}

/// Takes what is found; `false` ends the reading.
type Take<'a> = dyn FnMut(Found<'_>) -> bool + 'a;

/// Reads a file of JSON. Elements are those of the list that it is, or of the lists of messages in it.
pub(super) fn read(input: impl Read, limit: u64, take: &mut Take<'_>) -> Result<(), Unreadable> {
    let meter = Rc::new(Meter::default());
    let metered = Metered { input, limit, meter: Rc::clone(&meter) };
    let mut json = serde_json::Deserializer::from_reader(Marked {
        input: BufReader::with_capacity(64 * 1024, metered),
        begun: false,
    });
    match (Node { take, meter: &meter, fields: &Map::new(), in_chat: false }).deserialize(&mut json) {
        Ok(()) => Ok(()),
        Err(_) if meter.ended.get() => Ok(()),
        Err(_) if meter.full.get() => Err(Unreadable::TooLargePart { limit }),
        Err(source) => Err(Unreadable::Json { source }),
    }
}

#[derive(Default)]
struct Meter {
    /// Bytes since the last element.
    used: Cell<u64>,
    full: Cell<bool>,
    /// Nobody takes anything any more.
    ended: Cell<bool>,
}

struct Metered<R> {
    input: R,
    limit: u64,
    meter: Rc<Meter>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.used.get() > self.limit {
            self.meter.full.set(true);
            return Err(io::Error::other("an element is too large"));
        }
        let read = self.input.read(buffer)?;
        self.meter.used.set(self.meter.used.get() + read as u64);
        Ok(read)
    }
}

/// Passes over a byte order mark.
struct Marked<R> {
    input: R,
    begun: bool,
}

impl<R: io::BufRead> Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.begun {
            self.begun = true;
            if self.input.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
                self.input.consume(3);
            }
        }
        self.input.read(buffer)
    }
}

/// Any value: a list hands out its elements, an object is looked through for lists.
struct Node<'t, 'f, 'm> {
    take: &'t mut Take<'f>,
    meter: &'m Meter,
    /// What is known of the object that the value stands in.
    fields: &'m Map<String, Value>,
    /// Whether the elements of a list are conversations with lists of their own.
    in_chat: bool,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            if self.in_chat {
                let node = Node { take: &mut *self.take, meter: self.meter, fields: self.fields, in_chat: false };
                if list.next_element_seed(node)?.is_none() {
                    return Ok(());
                }
            } else {
                let Some(element) = list.next_element::<Value>()? else { return Ok(()) };
                if !(self.take)(Found::Element(self.fields, element)) {
                    self.meter.ended.set(true);
                    return Err(A::Error::custom("nobody takes it"));
                }
            }
            self.meter.used.set(0);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut fields = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            if LISTS.contains(&key.as_str()) {
                let in_chat = !matches!(key.as_str(), "messages" | "conversations");
                object.next_value_seed(Node { take: &mut *self.take, meter: self.meter, fields: &fields, in_chat })?;
            } else if FIELDS.contains(&key.as_str()) {
                fields.insert(key, object.next_value()?);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
            self.meter.used.set(0);
        }
        if !(self.take)(Found::End(&fields)) {
            self.meter.ended.set(true);
            return Err(A::Error::custom("nobody takes it"));
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A field that is a text that is not empty.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.trim().is_empty())
}

/// A field that is a number, or a text that holds one.
pub(super) fn number(value: &Value, key: &str) -> Option<f64> {
    match value.get(key)? {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    }
}

/// A field that is a list.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// About how many bytes a value takes in memory.
pub(super) fn size(value: &Value) -> usize {
    let held = match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).sum(),
        Value::Object(object) => object.iter().map(|(key, value)| key.len() + size(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    held + size_of::<Value>()
}

/// A field that is a number or a text, as a text.
pub(super) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
