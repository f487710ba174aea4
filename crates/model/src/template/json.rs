//! `tojson` as Hugging Face defines it: Python's `json.dumps` without HTML escapes, keys in their own order.

use super::keyword;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use std::fmt::Write as _;

/// Nesting that any real tool description stays far below.
const DEPTH_MAX: usize = 100;
/// Bytes one step of fuel pays for, as in the engine's own filters.
const BYTES_PER_FUEL: u64 = 4;

/// How `json.dumps` was asked to write.
struct Style {
    ascii: bool,
    sort: bool,
    /// What one level is indented by; none writes everything on one line.
    indent: Option<String>,
    item: String,
    key: String,
}

/// The filter.
pub(super) fn tojson(
    state: &State,
    value: &Value,
    ascii: Option<Value>,
    indent: Option<Value>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let flag = |given: Option<bool>, positional: &Option<Value>| {
        given.unwrap_or_else(|| positional.as_ref().is_some_and(Value::is_true))
    };
    let indent = keyword::<Value>(&kwargs, "indent")?.or(indent.filter(|v| !v.is_none()));
    let indent = indent.map(one_indent).transpose()?;
    let separators = keyword::<Vec<String>>(&kwargs, "separators")?;
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(Error::new(ErrorKind::InvalidOperation, "separators must be two strings")),
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
    };
    let ascii = flag(keyword(&kwargs, "ensure_ascii")?, &ascii);
    let style = Style { ascii, sort: keyword(&kwargs, "sort_keys")?.unwrap_or(false), indent, item, key };
    kwargs.assert_all_used()?;
    let mut out = String::new();
    style.write(&mut out, value, 0, state)?;
    Ok(out)
}

/// `indent` may be a number of spaces or a string.
fn one_indent(indent: Value) -> Result<String, Error> {
    match indent.as_str() {
        Some(text) => Ok(text.chars().take(16).collect()),
        None => Ok(" ".repeat(usize::try_from(indent)?.min(16))),
    }
}

impl Style {
    fn write(&self, out: &mut String, value: &Value, depth: usize, state: &State) -> Result<(), Error> {
        let refuse = |what: &'static str| Error::new(ErrorKind::BadSerialization, what);
        if depth > DEPTH_MAX {
            return Err(refuse("the value is nested too deeply for JSON"));
        }
        let before = out.len();
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.number(out, value),
            ValueKind::String => self.string(out, value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter()?.map(|item| (None, item));
                self.list(out, ('[', ']'), items, depth, state)?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort {
                    keys.sort();
                }
                let items: Result<Vec<_>, Error> =
                    keys.into_iter().map(|key| value.get_item(&key).map(|item| (Some(key), item))).collect();
                self.list(out, ('{', '}'), items?.into_iter(), depth, state)?;
            }
            _ => return Err(refuse("the value cannot be written as JSON")),
        }
        if depth == 0 || value.as_str().is_some() {
            state.consume_fuel((out.len() - before) as u64 / BYTES_PER_FUEL)?;
        }
        Ok(())
    }

    fn list(
        &self,
        out: &mut String,
        (open, close): (char, char),
        items: impl Iterator<Item = (Option<Value>, Value)>,
        depth: usize,
        state: &State,
    ) -> Result<(), Error> {
        out.push(open);
        let mut empty = true;
        for (key, item) in items {
            if !empty {
                out.push_str(&self.item);
            }
            empty = false;
            self.line(out, depth + 1);
            state.consume_fuel(1)?;
            if let Some(key) = key {
                self.string(out, &key_text(&key));
                out.push_str(&self.key);
            }
            self.write(out, &item, depth + 1, state)?;
        }
        if !empty {
            self.line(out, depth);
        }
        out.push(close);
        Ok(())
    }

    fn line(&self, out: &mut String, depth: usize) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str(indent));
        }
    }

    fn number(&self, out: &mut String, value: &Value) {
        if value.is_integer() {
            out.push_str(&value.to_string());
            return;
        }
        let number = f64::try_from(value.clone()).unwrap_or(f64::NAN);
        out.push_str(&float_text(number));
    }

    fn string(&self, out: &mut String, text: &str) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c < ' ' || (self.ascii && !c.is_ascii()) || (self.ascii && c == '\u{7f}') => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a string cannot fail.
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

/// Python writes keys that are not strings as their JSON text.
fn key_text(key: &Value) -> String {
    match key.kind() {
        ValueKind::Bool => if key.is_true() { "true" } else { "false" }.to_owned(),
        ValueKind::None => "null".to_owned(),
        _ => key.to_string(),
    }
}

/// Python's `repr` of a float.
fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{number:?}")
}

#[cfg(test)]
mod tests {
    use super::float_text;

    #[test]
    fn floats_are_written_as_python_does() {
        let cases = [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (1e300, "1e+300"),
        ];
        for (number, expected) in cases {
            assert_eq!(float_text(number), expected);
        }
    }
}
