//! Chat templates, rendered as Hugging Face renders them with jinja2.
//!
//! A template comes with a model somebody else made, so it is run as untrusted code: no files, no includes, no
//! clock but the one given, a budget of steps and bytes (fuel), and a cap on what it writes. What is rendered goes
//! to [`crate::Tokenizer::encode`] with `special`; the caller must first strip special tokens from texts it did not
//! write, or encode them apart.

mod json;
mod python;
mod source;

use crate::ModelError;
use jiff::Zoned;
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, syntax::SyntaxConfig};
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

/// Longest template accepted; the largest published ones have some tens of kilobytes.
const SOURCE_BYTES_MAX: usize = 1 << 20;
/// Longest prompt a template may write.
const OUTPUT_BYTES_MAX: usize = 16 << 20;
/// Steps any template may take; the hungriest published one takes some thousands for a short conversation.
const FUEL_BASE: u64 = 500_000;
/// Steps more per byte of the conversation, since every pass over a text costs one step per 64 bytes.
const FUEL_PER_BYTE: u64 = 2;
/// The only template of its environment.
const NAME: &str = "chat";

/// Tells a template the time.
type Clock = Arc<dyn Fn() -> Zoned + Send + Sync>;

/// What one speaker said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatTurn<'a> {
    /// `system`, `user` or `assistant`.
    pub role: &'a str,
    /// The text.
    pub content: &'a str,
}

/// A parsed chat template.
pub struct ChatTemplate {
    environment: Environment<'static>,
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChatTemplate")
    }
}

impl ChatTemplate {
    /// Parses a template; it is told the time of this machine.
    pub fn new(source: &str) -> Result<Self, ModelError> {
        Self::with_clock(source, Arc::new(Zoned::now))
    }

    /// Parses a template that is told the time by `clock`.
    pub fn with_clock(source: &str, clock: Clock) -> Result<Self, ModelError> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(ModelError::TemplateTooLong { limit: SOURCE_BYTES_MAX });
        }
        let mut environment = environment(clock);
        environment.add_template_owned(NAME, source::prepare(source)).map_err(explain)?;
        Ok(Self { environment })
    }

    /// Renders a conversation into the prompt the model was trained on.
    pub fn render_turns(
        &self,
        turns: &[ChatTurn<'_>],
        add_generation_prompt: bool,
        bos: &str,
        eos: &str,
    ) -> Result<String, ModelError> {
        let pair = |key: &str, value: &str| (Value::from(key), Value::from(value));
        let message = |turn: &ChatTurn<'_>| Value::from_pairs([pair("role", turn.role), pair("content", turn.content)]);
        let messages: Vec<Value> = turns.iter().map(message).collect();
        let input = [
            (Value::from("messages"), Value::from(messages)),
            (Value::from("add_generation_prompt"), Value::from(add_generation_prompt)),
            pair("bos_token", bos),
            pair("eos_token", eos),
        ];
        self.render(Value::from_pairs(input))
    }

    /// Renders with any context: a map with `messages`, `add_generation_prompt`, `tools` and so on.
    pub fn render(&self, context: Value) -> Result<String, ModelError> {
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(FUEL_BASE + FUEL_PER_BYTE * text_bytes(&context, 0)));
        let template = environment.get_template(NAME).map_err(explain)?;
        let mut out = Capped { text: Vec::new(), overflowed: false };
        let rendered = template.render_captured_to(context, &mut out).map(drop);
        if out.overflowed {
            return Err(ModelError::TemplateTooLong { limit: OUTPUT_BYTES_MAX });
        }
        rendered.map_err(explain)?;
        Ok(String::from_utf8(out.text).expect("a template writes only strings"))
    }
}

/// jinja2 as Hugging Face sets it up: `ImmutableSandboxedEnvironment(trim_blocks, lstrip_blocks, loopcontrols)`.
fn environment(clock: Clock) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("jinja2's own delimiters do not clash"));
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(python::method);
    environment.add_filter(source::PAID, python::paid);
    environment.add_filter("tojson", json::tojson);
    environment.add_function("raise_exception", |reason: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, reason.clone()).with_source(Refusal(reason)))
    });
    environment.add_function("strftime_now", move |format: &str| -> Result<String, Error> {
        jiff::fmt::strtime::format(format, &clock())
            .map_err(|e| Error::new(ErrorKind::InvalidOperation, "the time format cannot be used").with_source(e))
    });
    environment
}

/// What a template said when it called `raise_exception`.
#[derive(Debug)]
struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Sorts the engine's error.
fn explain(error: Error) -> ModelError {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(current) = next {
        if let Some(Refusal(reason)) = current.downcast_ref() {
            return ModelError::TemplateRefused { reason: reason.clone() };
        }
        if current.downcast_ref().is_some_and(|e: &Error| e.kind() == ErrorKind::OutOfFuel) {
            return ModelError::TemplateEndless;
        }
        next = current.source();
    }
    ModelError::Template { source: error }
}

/// Collects output up to a limit.
struct Capped {
    text: Vec<u8>,
    overflowed: bool,
}

impl Write for &mut Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > OUTPUT_BYTES_MAX {
            self.overflowed = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes of all texts in a context, as far down as any template looks.
fn text_bytes(value: &Value, depth: usize) -> u64 {
    if depth > 16 {
        return 0;
    }
    match value.as_str() {
        Some(text) => text.len() as u64,
        None if value.as_object().is_some() => {
            let keys = value.try_iter().into_iter().flatten();
            let item = |key: Value| match value.kind() {
                minijinja::value::ValueKind::Map => value.get_item(&key).unwrap_or_default(),
                _ => key,
            };
            keys.map(|key| 16 + text_bytes(&item(key), depth + 1)).sum()
        }
        None => 8,
    }
}

/// Reads a keyword argument that may be missing or none.
fn keyword<T: for<'a> minijinja::value::ArgType<'a, Output = T>>(
    kwargs: &Kwargs,
    name: &str,
) -> Result<Option<T>, Error> {
    if !kwargs.has(name) || kwargs.peek::<Value>(name)?.is_none() {
        kwargs.get::<Option<Value>>(name)?;
        return Ok(None);
    }
    kwargs.get::<T>(name).map(Some)
}
