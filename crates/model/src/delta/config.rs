//! `adapter_config.json` as PEFT writes it: what of it decides what a delta computes, and nothing that we do not do.

use crate::ModelError;
use serde_json::{Map, Value};

/// Bytes accepted in a configuration; real ones have one or two thousand.
const BYTES_MAX: usize = 1 << 20;
/// Settings of PEFT that make an adapter compute something else; each must be absent, false or empty.
const UNSUPPORTED: [&str; 10] = [
    "fan_in_fan_out",
    "lora_bias",
    "use_qalora",
    "use_bdlora",
    "layer_replication",
    "alora_invocation_tokens",
    "trainable_token_indices",
    "target_parameters",
    "modules_to_save",
    "arrow_config",
];

/// What a configuration says.
#[derive(Debug)]
pub(super) struct PeftConfig {
    pub(super) rank: usize,
    pub(super) alpha: f32,
    pub(super) rank_stabilised: bool,
    pub(super) dora: bool,
    ranks: Patterns,
    alphas: Patterns,
}

/// Values for the modules whose path ends in a pattern.
#[derive(Debug, Default)]
struct Patterns(Vec<(String, f64)>);

fn bad(problem: impl Into<String>) -> ModelError {
    ModelError::BadDelta { problem: problem.into() }
}

impl PeftConfig {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        if bytes.len() > BYTES_MAX {
            return Err(bad("its adapter_config.json is larger than any real one"));
        }
        let json: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| bad(format!("its adapter_config.json is malformed: {error}")))?;
        match json.get("peft_type").and_then(Value::as_str) {
            None | Some("LORA") => {}
            Some(other) => return Err(bad(format!("it is of PEFT's kind {other:?}; only LORA is supported"))),
        }
        for key in UNSUPPORTED {
            let given = match json.get(key) {
                None | Some(Value::Null | Value::Bool(false)) => false,
                Some(Value::Array(list)) => !list.is_empty(),
                Some(Value::Object(map)) => !map.is_empty(),
                Some(_) => true,
            };
            if given {
                return Err(bad(format!("its adapter_config.json sets {key:?}, which is not supported")));
            }
        }
        if json.get("bias").and_then(Value::as_str).is_some_and(|bias| bias != "none") {
            return Err(bad("it trains biases, which is not supported"));
        }
        if let Some(Value::String(start)) = json.get("init_lora_weights") {
            let start = start.to_ascii_lowercase();
            if ["pissa", "olora", "corda", "loftq"].iter().any(|name| start.starts_with(name)) {
                return Err(bad(format!(
                    "it began with {start:?}, which changes the model's own weights; save it once more with PEFT's \
                     path_initial_model_for_weight_conversion"
                )));
            }
        }
        let flag = |key: &str| match json.get(key) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(bad(format!("{key:?} in its adapter_config.json is neither true nor false"))),
        };
        let number = |key: &str| {
            let number = json.get(key).and_then(Value::as_f64).filter(|number| number.abs() < 1e6);
            number.ok_or_else(|| bad(format!("its adapter_config.json has no plausible {key:?}")))
        };
        let rank = json.get("r").and_then(Value::as_u64).and_then(|rank| usize::try_from(rank).ok());
        #[allow(clippy::cast_possible_truncation, reason = "checked to be below a million")]
        Ok(Self {
            rank: rank
                .filter(|rank| (1..=super::RANK_MAX).contains(rank))
                .ok_or_else(|| bad("its adapter_config.json has no plausible \"r\""))?,
            alpha: number("lora_alpha")? as f32,
            rank_stabilised: flag("use_rslora")?,
            dora: flag("use_dora")?,
            ranks: Patterns::parse(&json, "rank_pattern")?,
            alphas: Patterns::parse(&json, "alpha_pattern")?,
        })
    }

    /// The rank of the module at this path.
    pub(super) fn rank(&self, path: &str) -> Result<f64, ModelError> {
        #[allow(clippy::cast_precision_loss, reason = "a rank is small")]
        Ok(self.ranks.find(path)?.unwrap_or(self.rank as f64))
    }

    /// The alpha of the module at this path.
    pub(super) fn alpha(&self, path: &str) -> Result<f32, ModelError> {
        #[allow(clippy::cast_possible_truncation, reason = "checked to be below a million")]
        Ok(self.alphas.find(path)?.map_or(self.alpha, |alpha| alpha as f32))
    }
}

impl Patterns {
    fn parse(json: &Map<String, Value>, key: &str) -> Result<Self, ModelError> {
        let map = match json.get(key) {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(map)) => map,
            Some(_) => return Err(bad(format!("{key:?} in its adapter_config.json is not a table"))),
        };
        let entry = |(pattern, value): (&String, &Value)| {
            let value = value.as_f64().filter(|value| value.abs() < 1e6);
            let value = value.ok_or_else(|| bad(format!("{key:?} has no plausible number for {pattern:?}")))?;
            let plain = pattern.replace("\\.", ".");
            let letters = plain.strip_prefix('^').unwrap_or(&plain);
            if letters.is_empty() || !letters.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
                return Err(bad(format!(
                    "{key:?} holds the expression {pattern:?}; only names of modules are supported"
                )));
            }
            Ok((plain, value))
        };
        map.iter().map(entry).collect::<Result<_, _>>().map(Self)
    }

    /// The value of the pattern that ends this path at a dot, or is all of it.
    fn find(&self, path: &str) -> Result<Option<f64>, ModelError> {
        let mut found = None;
        for (pattern, value) in &self.0 {
            let matches = match pattern.strip_prefix('^') {
                Some(whole) => path == whole,
                None => path.strip_suffix(pattern).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            };
            if matches && found.replace(*value).is_some_and(|other| other.to_bits() != value.to_bits()) {
                return Err(bad(format!("two patterns in its adapter_config.json disagree about {path:?}")));
            }
        }
        Ok(found)
    }
}
