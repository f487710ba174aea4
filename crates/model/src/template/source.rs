//! Small changes to a template's source before it is parsed.
//!
//! - Hugging Face's `{% generation %}` marks what the assistant wrote, for training; here it only opens a scope,
//!   which is what `{% with %}` does.
//! - The engine joins lists lazily and charges nothing for it, so doubling a list forty times would exhaust memory
//!   inside one `+`. Every left operand of `+` is therefore sent through the filter [`PAID`], which charges for the
//!   length of a list and returns its value unchanged.

/// Name of the filter that charges for a list.
pub(super) const PAID: &str = "__paid";

/// Words after which a `+` is a sign, not an operator.
const KEYWORDS: [&str; 7] = ["and", "or", "not", "in", "is", "if", "else"];

/// The source that is parsed in place of `source`.
pub(super) fn prepare(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + source.len() / 8);
    let mut rest = source;
    while let Some(start) = rest.match_indices('{').map(|(at, _)| at).find(|&at| opens(&rest[at..])) {
        out.push_str(&rest[..start]);
        let tag = &rest[start..];
        let close = match tag.as_bytes()[1] {
            b'{' => "}}",
            b'%' => "%}",
            _ => "#}",
        };
        let inner = &tag[2..];
        let end = if close == "#}" { inner.find(close) } else { end_of_code(inner, close) };
        let Some(end) = end else {
            rest = tag;
            break;
        };
        let (mut inner, mut after) = (&inner[..end], &inner[end..]);
        out.push_str(&tag[..2]);
        match word(inner) {
            _ if close == "#}" => out.push_str(inner),
            "generation" if close == "%}" => out.push_str(&inner.replacen("generation", "with", 1)),
            "endgeneration" if close == "%}" => out.push_str(&inner.replacen("endgeneration", "endwith", 1)),
            "raw" if close == "%}" => {
                let raw = after.find("endraw").map_or(after.len(), |at| at + "endraw".len());
                inner = &tag[2..2 + end + raw];
                after = &after[raw..];
                out.push_str(inner);
            }
            _ => charge_sums(inner, &mut out),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether a tag or comment opens here.
fn opens(text: &str) -> bool {
    matches!(text.as_bytes().get(1), Some(b'{' | b'%' | b'#'))
}

/// The tag's contents without whitespace control.
fn word(inner: &str) -> &str {
    inner.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '+'))
}

/// Length of the string literal that `text` begins with.
fn literal(text: &str) -> usize {
    let quote = text.as_bytes()[0];
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            byte if byte == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Where `close` stands outside literals and braces.
fn end_of_code(code: &str, close: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0usize);
    while at < code.len() {
        let byte = code.as_bytes()[at];
        if depth == 0 && code.as_bytes()[at..].starts_with(close.as_bytes()) {
            return Some(at);
        }
        at += match byte {
            b'\'' | b'"' => literal(&code[at..]),
            _ => 1,
        };
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Copies code, sending what stands left of each `+` through the filter.
fn charge_sums(code: &str, out: &mut String) {
    let (mut at, mut copied) = (0, 0);
    while at < code.len() {
        match code.as_bytes()[at] {
            b'\'' | b'"' => at += literal(&code[at..]),
            b'+' if is_operator(&code[..at], &code[at + 1..]) => {
                let operand = code[..at].trim_end().len();
                out.push_str(&code[copied..operand]);
                out.push('|');
                out.push_str(PAID);
                out.push(' ');
                copied = operand;
                at += 1;
            }
            _ => at += 1,
        }
    }
    out.push_str(&code[copied..]);
}

/// Whether a `+` between these has two operands.
fn is_operator(before: &str, after: &str) -> bool {
    let trimmed = before.trim_end();
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = &trimmed[trimmed.trim_end_matches(is_name).len()..];
    let operand = trimmed.ends_with([')', ']', '}', '\'', '"']) || (!name.is_empty() && !KEYWORDS.contains(&name));
    // In `1e+5` the sign belongs to the number.
    let exponent = before.ends_with(['e', 'E']) && name.starts_with(|c: char| c.is_ascii_digit());
    operand && !exponent && !word(after).is_empty()
}

#[cfg(test)]
mod tests {
    use super::prepare;

    #[test]
    fn only_sums_and_generation_tags_change() {
        let same = [
            "a + b {# c + d #} {% raw %}{{ a + b }}{% endraw %} { {",
            "{%+ if x +%}{% set y = 'a + b' %}{{ \"it's } + %} }}\" }}{% endif %}",
            "{{ -1 }}{{ 1e+5 }}{{ x and +1 }}{{ {'a': {'b': '}}'}} }}",
            "{{ unclosed + ",
            "{{ 'unclosed + }}",
        ];
        for source in same {
            assert_eq!(prepare(source), source);
        }
        let changed = [
            ("{{ a + b+c }}", "{{ a|__paid + b|__paid +c }}"),
            (
                "{%- set x = f(1)  + ['é'] + {'a': 1}['a'] -%}",
                "{%- set x = f(1)|__paid   + ['é']|__paid  + {'a': 1}['a'] -%}",
            ),
            ("{%- generation -%}x{% endgeneration %}", "{%- with -%}x{% endwith %}"),
        ];
        for (source, expected) in changed {
            assert_eq!(prepare(source).replace("  ", " "), expected.replace("  ", " "));
        }
    }
}
