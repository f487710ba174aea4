//! Finds keywords, strings, comments and numbers in code. Slow: for threads beside the screen only.
//!
//! The grammars are read on first use and stay. A grammar may be wrong or take long over odd text, so there is a limit
//! to the time and to the length of a line, after which the rest stays plain.

use super::colours::{Run, Shade, Wanted};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

/// The longest one block of code is worked on.
const TIME_MAX: Duration = Duration::from_secs(2);
/// A longer line is data, not code.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// The beginnings of scopes that mean something here; the first that fits the innermost scope counts.
const MEANINGS: [(&str, Shade); 11] = [
    ("comment", Shade::Comment),
    ("constant.character.escape", Shade::Number),
    ("string", Shade::String),
    ("constant", Shade::Number),
    ("keyword.operator", Shade::Plain),
    ("keyword", Shade::Keyword),
    ("storage", Shade::Keyword),
    ("variable.language", Shade::Keyword),
    ("entity.name.tag", Shade::Keyword),
    ("support.type", Shade::Plain),
    ("source", Shade::Plain),
];

struct Grammars {
    set: SyntaxSet,
    meanings: Vec<(Scope, Shade)>,
}

fn grammars() -> &'static Grammars {
    static GRAMMARS: OnceLock<Grammars> = OnceLock::new();
    GRAMMARS.get_or_init(|| Grammars {
        set: SyntaxSet::load_defaults_newlines(),
        meanings: MEANINGS.iter().filter_map(|(name, shade)| Some((Scope::new(name).ok()?, *shade))).collect(),
    })
}

/// The parts of code; no parts where the language is not known.
#[must_use]
pub fn paint(wanted: &Wanted) -> Vec<Run> {
    let grammars = grammars();
    let Some(grammar) = grammar(&grammars.set, &wanted.language) else { return Vec::new() };
    let begun = Instant::now();
    let mut state = ParseState::new(grammar);
    let mut stack = ScopeStack::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut start = 0;
    for line in wanted.code.split_inclusive('\n') {
        if line.len() > LINE_BYTES_MAX || begun.elapsed() > TIME_MAX {
            break;
        }
        let Ok(ops) = state.parse_line(line, &grammars.set) else { break };
        let mut from = 0;
        for (at, op) in &ops {
            push(&mut runs, start + from, start + at, shade(&stack, &grammars.meanings));
            from = *at;
            if stack.apply(op).is_err() {
                return runs;
            }
        }
        push(&mut runs, start + from, start + line.len(), shade(&stack, &grammars.meanings));
        start += line.len();
    }
    runs
}

fn grammar<'a>(set: &'a SyntaxSet, language: &str) -> Option<&'a SyntaxReference> {
    let name = language.to_ascii_lowercase();
    // Names people write that the grammars do not have, and the nearest there is.
    let near = match name.as_str() {
        "ts" | "tsx" | "typescript" | "jsx" | "mjs" | "javascript" => "js",
        "console" | "shell" | "zsh" | "shell-session" => "sh",
        "jsonc" | "json5" => "json",
        "golang" => "go",
        "csharp" | "c#" => "cs",
        "kotlin" | "kt" => "java",
        other => other,
    };
    set.find_syntax_by_token(near).filter(|found| found.name != "Plain Text")
}

fn shade(stack: &ScopeStack, meanings: &[(Scope, Shade)]) -> Shade {
    let meaning = |scope: &Scope| meanings.iter().find(|(meaning, _)| meaning.is_prefix_of(*scope)).map(|(_, s)| *s);
    stack.as_slice().iter().rev().find_map(meaning).unwrap_or(Shade::Plain)
}

fn push(runs: &mut Vec<Run>, from: usize, to: usize, shade: Shade) {
    if to <= from {
        return;
    }
    let end = u32::try_from(to).unwrap_or(u32::MAX);
    match runs.last_mut() {
        Some((last, before)) if *before == shade => *last = end,
        _ => runs.push((end, shade)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::code::Code;
    use crate::markdown::colours::Colours;

    fn parts(language: &str, code: &str) -> Vec<(String, Shade)> {
        let mut colours = Colours::default();
        let _ = colours.of(&Code { language: language.into(), text: code.into(), ..Code::default() }, false);
        let runs = paint(&colours.take_wanted()[0]);
        let mut from = 0;
        runs.iter()
            .map(|(end, shade)| (code[std::mem::replace(&mut from, *end as usize)..*end as usize].to_owned(), *shade))
            .filter(|(_, shade)| *shade != Shade::Plain)
            .collect()
    }

    #[test]
    fn parts_are_found() {
        let found = parts("rust", "fn a() { let x = \"s\"; } // 東京\nconst N: u8 = 42;\n");
        let of = |text: &str, shade| (text.to_owned(), shade);
        assert!(found.contains(&of("fn", Shade::Keyword)), "{found:?}");
        assert!(found.contains(&of("\"s\"", Shade::String)), "{found:?}");
        assert!(found.iter().any(|(text, shade)| text.contains("東京") && *shade == Shade::Comment), "{found:?}");
        assert!(found.contains(&of("42", Shade::Number)), "{found:?}");
        assert!(parts("ts", "const a = 1;").contains(&of("const", Shade::Keyword)));
        assert!(parts("brainfuck", "+++").is_empty());
    }
}
