//! Where jinja2 on Python differs from minijinja: methods of strings, lists and maps.
//!
//! Methods whose result can be much longer than their input are paid for before they run, so that the fuel budget
//! bounds memory as well as time.

use minijinja::value::{Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat;

/// Bytes one step of fuel pays for, as in the engine.
const BYTES_PER_FUEL: usize = 64;
/// Items of a list one step of fuel pays for, in a `+`.
const ITEMS_PER_FUEL: usize = 8;
/// Longest run of digits in a format string: widths stay below 100,000 characters.
const FORMAT_DIGITS_MAX: usize = 5;

/// Called by the engine for methods that a value does not have itself.
pub(super) fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) => pay(state, text, name, args)?,
        None => state.consume_fuel(value.len().unwrap_or(0) as u64 / 2)?,
    }
    match value.as_str().and_then(|text| string_method(text, name, args)) {
        Some(result) => result,
        None => match (value.kind(), name) {
            (ValueKind::Seq, "index") => index(value, args),
            (ValueKind::Map, "copy") | (ValueKind::Seq, "copy") => Ok(value.clone()),
            _ => pycompat::unknown_method_callback(state, value, name, args),
        },
    }
}

/// Charges for what a method of a string will make.
fn pay(state: &State, text: &str, name: &str, args: &[Value]) -> Result<(), Error> {
    let made = match (name, args) {
        ("replace", [old, new, ..]) => {
            let (old, new) = (old.as_str().unwrap_or_default(), new.as_str().unwrap_or_default());
            let hits = if old.is_empty() { text.len() + 1 } else { text.matches(old).count() };
            text.len().saturating_add(hits.saturating_mul(new.len()))
        }
        ("join", [items]) => {
            let mut made = 0usize;
            for item in items.try_iter()? {
                let item = item.as_str().map_or(64, str::len);
                made = made.saturating_add(item).saturating_add(text.len());
            }
            made
        }
        ("format", _) => {
            let too_wide = text.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() > FORMAT_DIGITS_MAX);
            if too_wide {
                return Err(Error::new(ErrorKind::InvalidOperation, "a width in the format is too large"));
            }
            let fields = text.matches('{').count();
            let widest = text.split(|c: char| !c.is_ascii_digit()).filter_map(|run| run.parse::<usize>().ok()).max();
            let args: usize = args.iter().map(|arg| arg.as_str().map_or(64, str::len)).sum();
            text.len().saturating_add(fields.saturating_mul(widest.unwrap_or(0).saturating_add(args)))
        }
        // A split makes a value of 24 bytes and more for every piece.
        ("split" | "rsplit" | "splitlines", _) => text.len().saturating_mul(2),
        _ => text.len(),
    };
    state.consume_fuel((made / BYTES_PER_FUEL) as u64)
}

/// Methods of `str` that the compatibility crate lacks; `None` for the others.
fn string_method(text: &str, name: &str, args: &[Value]) -> Option<Result<Value, Error>> {
    let cut = |end: Option<&str>| Value::from(end.unwrap_or(text));
    let result = match name {
        "removeprefix" => from_args(args).map(|(prefix,): (&str,)| cut(text.strip_prefix(prefix))),
        "removesuffix" => from_args(args).map(|(suffix,): (&str,)| cut(text.strip_suffix(suffix))),
        "casefold" => from_args(args).map(|()| Value::from(text.to_lowercase())),
        "partition" => from_args(args).map(|(at,): (&str,)| match text.split_once(at) {
            Some((before, after)) => strings(&[before, at, after]),
            None => strings(&[text, "", ""]),
        }),
        "rpartition" => from_args(args).map(|(at,): (&str,)| match text.rsplit_once(at) {
            Some((before, after)) => strings(&[before, at, after]),
            None => strings(&["", "", text]),
        }),
        "rsplit" => from_args(args).map(|(at, most): (Option<&str>, Option<i64>)| rsplit(text, at, most)),
        "istitle" => from_args(args).map(|()| Value::from(is_title(text))),
        _ => return None,
    };
    Some(result)
}

/// `str.rsplit`: at most `most` cuts, counted from the end.
fn rsplit(text: &str, at: Option<&str>, most: Option<i64>) -> Value {
    let cuts = most.and_then(|most| usize::try_from(most).ok());
    let mut pieces: Vec<&str> = match (at, cuts) {
        (Some(at), Some(cuts)) => text.rsplitn(cuts.saturating_add(1), at).collect(),
        (Some(at), None) => text.rsplit(at).collect(),
        (None, cuts) => {
            let mut rest = text.trim_end();
            let mut pieces = Vec::new();
            while !rest.is_empty() && cuts.is_none_or(|cuts| pieces.len() < cuts) {
                let start = rest.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                let start = (start..=rest.len()).find(|&at| rest.is_char_boundary(at)).unwrap_or(start);
                pieces.push(&rest[start..]);
                rest = rest[..start].trim_end();
            }
            if !rest.is_empty() {
                pieces.push(rest);
            }
            pieces
        }
    };
    pieces.reverse();
    strings(&pieces)
}

/// A list of strings.
fn strings(pieces: &[&str]) -> Value {
    pieces.iter().copied().map(Value::from).collect()
}

fn is_title(text: &str) -> bool {
    let mut inside = false;
    let mut cased = false;
    for c in text.chars() {
        let letter = c.is_uppercase() || c.is_lowercase();
        if letter && c.is_uppercase() == inside {
            return false;
        }
        cased |= letter;
        inside = letter;
    }
    cased
}

/// `list.index`.
fn index(list: &Value, args: &[Value]) -> Result<Value, Error> {
    let (wanted,): (&Value,) = from_args(args)?;
    let at = list.try_iter()?.position(|item| &item == wanted);
    at.map(Value::from).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the value is not in the list"))
}

/// Charges for a list that a `+` is about to copy or to refer to; see [`super::source`].
pub(super) fn paid(state: &State, value: Value) -> Result<Value, Error> {
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        state.consume_fuel((value.len().unwrap_or(0) / ITEMS_PER_FUEL) as u64)?;
    }
    Ok(value)
}
