//! Chat templates render byte for byte as jinja2 renders them, refuse what it refuses, and cannot run away.
#![allow(clippy::unwrap_used, reason = "tests")]

use hinet_model::{ChatTemplate, ModelError};
use minijinja::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The fixtures' clock stands still.
fn frozen(source: &str) -> Result<ChatTemplate, ModelError> {
    let at = jiff::civil::date(2026, 1, 15).at(12, 0, 0, 0).in_tz("UTC").unwrap();
    ChatTemplate::with_clock(source, Arc::new(move || at.clone()))
}

#[derive(serde::Deserialize)]
struct Case {
    template: String,
    case: String,
    input: Value,
    expected: Option<String>,
    expected_error: Option<String>,
}

/// What went wrong with one case.
fn run(case: &Case, source: &str) -> Result<(), String> {
    let rendered = frozen(source).and_then(|template| template.render(case.input.clone()));
    match (rendered, &case.expected, &case.expected_error) {
        (Ok(text), Some(expected), _) if &text == expected => Ok(()),
        (Ok(text), Some(expected), _) => {
            let at = text.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
            let show = |s: &str| {
                s.as_bytes()[at.saturating_sub(30).min(s.len())..(at + 60).min(s.len())].escape_ascii().to_string()
            };
            Err(format!("at byte {at}\n  is   {}\n  want {}", show(&text), show(expected)))
        }
        (Ok(text), None, error) => Err(format!("rendered {} bytes instead of {error:?}", text.len())),
        (Err(error), Some(_), _) => Err(format!("{error:?}")),
        (Err(ModelError::TemplateRefused { reason }), None, Some(wanted)) if wanted.starts_with("TemplateError: ") => {
            if wanted == &format!("TemplateError: {reason}") {
                Ok(())
            } else {
                Err(format!("{reason} is not {wanted}"))
            }
        }
        (Err(error), None, Some(wanted)) if wanted.starts_with("TemplateError: ") => {
            Err(format!("{error:?} is not {wanted}"))
        }
        (Err(_), None, _) => Ok(()),
    }
}

#[test]
fn every_case_renders_as_jinja2_renders_it() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/protocol/chat-templates");
    let Ok(cases) = std::fs::read_to_string(dir.join("cases.jsonl")) else {
        eprintln!("skipped: the chat template cases are not on this machine");
        return;
    };
    let mut failed = BTreeMap::<String, Vec<String>>::new();
    let mut count = 0;
    for line in cases.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let source = std::fs::read_to_string(dir.join("templates").join(&case.template)).unwrap();
        count += 1;
        if let Err(why) = run(&case, &source) {
            failed.entry(case.template.clone()).or_default().push(format!("{}: {why}", case.case));
        }
    }
    let failures: usize = failed.values().map(Vec::len).sum();
    for (template, whys) in &failed {
        eprintln!("{template}: {} cases, such as {}", whys.len(), whys[0]);
    }
    assert_eq!(failures, 0, "{failures} of {count} cases differ");
    assert_eq!(count, 492);
}

#[test]
fn templates_that_run_away_are_stopped() {
    let endless = [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='xxxxxxxxxx') %}{% for i in range(90) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x=['x']) %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x|length }}{{ ns.x|join }}",
        "{% set ns = namespace(x=['x']) %}{% for i in range(90) %}{% set ns.x = ([]+ns.x)+ns.x %}{% endfor %}{{ ns.x|length }}",
        "{% macro m(x) %}{{ m(x + x) }}{% endmacro %}{{ m([1, 2, 3, 4]) }}",
        "{% set a = 'aaaaaaaaaa' * 100000 %}{{ a.replace('a', a).replace('a', a) }}",
        "{% set a = 'aaaaaaaaaa' * 100000 %}{{ a.join(range(100000)) }}",
        "{% set a = 'aaaaaaaaaa' * 100000 %}{{ a.split('a') * 1000 }}",
        "{{ ('{:99999}' * 5000).format('x') }}",
        "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% set ns = namespace(x={'a': 'b'}) %}{% for i in range(90) %}{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x|tojson }}",
        "{% set ns = namespace(x={'a': 'b'}) %}{% for i in range(90) %}{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x }}",
    ];
    for source in endless {
        let outcome = frozen(source).unwrap().render(Value::UNDEFINED);
        assert!(outcome.is_err(), "{source} wrote {} bytes", outcome.unwrap().len());
    }
    let first = frozen(endless[0]).unwrap().render(Value::UNDEFINED);
    assert!(matches!(first, Err(ModelError::TemplateEndless)), "{first:?}");
}

#[test]
fn the_python_that_templates_use_is_there() {
    let cases = [
        ("{{ {'b': 1, 'a': [True, None, 1.0, 'é\"<']}|tojson }}", r#"{"b": 1, "a": [true, null, 1.0, "é\"<"]}"#),
        ("{{ {'b': 1, 'a': 2}|tojson(sort_keys=true, separators=(',', ':')) }}", r#"{"a":2,"b":1}"#),
        ("{{ [1, {}, []]|tojson(indent=2) }}", "[\n  1,\n  {},\n  []\n]"),
        ("{{ 'é'|tojson(ensure_ascii=true) }}", r#""\u00e9""#),
        ("{{ 'a,b,c'.rsplit(',', 1) }}", "['a,b', 'c']"),
        ("{{ 'a b  c'.rsplit(none, 1) }}", "['a b', 'c']"),
        ("{{ 'Hello'.removeprefix('He') }}{{ 'Hello'.removesuffix('lo') }}", "lloHel"),
        ("{{ 'k=v=w'.partition('=')[2] }}", "v=w"),
        ("{{ strftime_now('%d %b %Y') }}", "15 Jan 2026"),
        ("{%- for i in range(5) %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor -%}", "012"),
        ("{% generation %}x{% endgeneration %}\n{%- generation -%} y {%- endgeneration -%}", "xy"),
        ("  {% if true %}\n  a\n  {% endif %}\nb\n", "  a\nb"),
        ("{{ none }}{{ undefined_name }}{{ [1, 'a', none, true] }}", "None[1, 'a', None, True]"),
    ];
    for (source, expected) in cases {
        assert_eq!(frozen(source).unwrap().render(Value::UNDEFINED).unwrap(), expected, "{source}");
    }
}
