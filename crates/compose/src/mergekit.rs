//! Recipes as mergekit writes them, in YAML.
//!
//! What is read: `models` or `slices` with `sources` and `layer_range`, `merge_method`, `base_model`, `parameters` at every
//! level with numbers, gradients and filters, `dtype`, `out_dtype`, `tokenizer_source: base`, models as folders, GGUF files
//! and `base+adapter`, and of our own `seed`. Everything else is refused by its name: a key that is passed over is a model
//! that is not what its recipe says.

use crate::{
    ComposeError, Float, Method, Recipe, Source, Sources,
    error::recipe,
    recipe::{Member, Slice, SliceSource},
    setting::{Filtered, Parameters, Setting},
    source,
};
use hinet_protocol::Hash;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Bytes accepted in a recipe.
const BYTES_MAX: usize = 1 << 20;
/// How deep filters may lie in each other.
const DEPTH_MAX: usize = 8;

/// A recipe that names its models by where they lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    base: Option<String>,
    models: Vec<(String, Parameters)>,
    slices: Vec<(Vec<DraftSource>, Parameters)>,
    method: Method,
    parameters: Parameters,
    seed: u64,
    dtype: Option<Float>,
}

/// A model, its layers and its parameters.
type DraftSource = (String, (usize, usize), Parameters);

impl Draft {
    /// Reads a recipe.
    ///
    /// # Errors
    /// Where it is no YAML, holds a key that is not supported, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, ComposeError> {
        let value = yaml(text)?;
        let all = Table::of(&value, "")?;
        all.only(&[
            "models",
            "slices",
            "merge_method",
            "base_model",
            "parameters",
            "dtype",
            "out_dtype",
            "tokenizer_source",
            "seed",
        ])?;
        let name = all.text("merge_method")?.ok_or_else(|| recipe("it has no merge_method"))?;
        let method = Method::named(name).ok_or_else(|| {
            let known: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
            recipe(format!("the merge_method \"{name}\" is not supported ({} are)", known.join(", ")))
        })?;
        if all.text("tokenizer_source")?.is_some_and(|from| from != "base") {
            return Err(ComposeError::Unsupported { key: "tokenizer_source (but for \"base\")".into() });
        }
        let mut draft = Self {
            base: all.text("base_model")?.map(str::to_owned),
            models: Vec::new(),
            slices: Vec::new(),
            method,
            parameters: all.parameters(method)?,
            seed: match all.map.get("seed") {
                None => 0,
                Some(seed) => seed.as_u64().ok_or_else(|| recipe("its seed is no whole number"))?,
            },
            dtype: all.float("out_dtype")?.or(all.float("dtype")?),
        };
        for model in all.list("models")? {
            model.only(&["model", "parameters"])?;
            draft.models.push((model.model()?, model.parameters(method)?));
        }
        for slice in all.list("slices")? {
            slice.only(&["sources", "parameters"])?;
            let mut sources = Vec::new();
            for source in slice.list("sources")? {
                source.only(&["model", "layer_range", "parameters"])?;
                sources.push((source.model()?, source.layers()?, source.parameters(method)?));
            }
            draft.slices.push((sources, slice.parameters(method)?));
        }
        if draft.models.is_empty() == draft.slices.is_empty() {
            return Err(recipe("it should have either models or slices"));
        }
        if method.has_base() && draft.base.is_none() {
            return Err(recipe(format!("{name} needs a base_model")));
        }
        Ok(draft)
    }

    /// The recipe that never had this model, as it is called in it.
    ///
    /// # Errors
    /// Where it is not in the recipe or is its base, or nobody would be left.
    pub fn without(&self, model: &str) -> Result<Self, ComposeError> {
        let mut left = self.clone();
        let count =
            |draft: &Self| draft.models.len() + draft.slices.iter().map(|(sources, _)| sources.len()).sum::<usize>();
        left.models.retain(|(name, _)| name != model);
        left.slices.iter_mut().for_each(|(sources, _)| sources.retain(|(name, ..)| name != model));
        if count(&left) == count(self) {
            return Err(absent(self.base.as_deref(), model, &self.references()));
        }
        if count(&left) == 0 || left.slices.iter().any(|(sources, _)| sources.is_empty()) {
            return Err(recipe(format!("without \"{model}\" nobody is left, or some layers would come from nobody")));
        }
        Ok(left)
    }

    /// What it calls its models, each once: the one with the configuration and tokenizer of the result first.
    #[must_use]
    pub fn references(&self) -> Vec<&str> {
        let models = self.models.iter().map(|(model, _)| model.as_str());
        let sources = self.slices.iter().flat_map(|(sources, _)| sources).map(|(model, ..)| model.as_str());
        let mut all: Vec<&str> = Vec::new();
        for model in self.base.as_deref().into_iter().chain(models).chain(sources) {
            if !all.contains(&model) {
                all.push(model);
            }
        }
        all
    }

    /// Opens its models, relative to `root`, and names them by their hashes.
    ///
    /// # Errors
    /// Where a model cannot be opened or read.
    pub fn open(&self, root: &Path) -> Result<(Recipe, Sources), ComposeError> {
        let references = self.references();
        let (hashes, sources) = opened(root, &references)?;
        let by_name: BTreeMap<&str, Hash> = references.iter().copied().zip(hashes.iter().copied()).collect();
        let hash = |name: &str| {
            let known = by_name.get(name).copied();
            known.ok_or_else(|| recipe(format!("the model \"{name}\" was not opened")))
        };
        let anchor = *hashes.first().ok_or_else(|| recipe("it names no model"))?;
        let mut found = Recipe::new(anchor, self.method);
        for (model, parameters) in &self.models {
            found.members.push(Member { hash: hash(model)?, parameters: parameters.clone() });
        }
        for (sources, parameters) in &self.slices {
            let source = |(model, layers, parameters): &DraftSource| {
                Ok(SliceSource { hash: hash(model)?, layers: *layers, parameters: parameters.clone() })
            };
            let sources = sources.iter().map(source).collect::<Result<_, ComposeError>>()?;
            found.slices.push(Slice { sources, parameters: parameters.clone() });
        }
        found.parameters = self.parameters.clone();
        (found.seed, found.dtype) = (self.seed, self.dtype);
        let found = found.ordered();
        found.check()?;
        Ok((found, sources))
    }
}

/// Whoever is to leave is not there, or is what everything is counted from.
pub(crate) fn absent(base: Option<&str>, model: &str, all: &[&str]) -> ComposeError {
    if base == Some(model) {
        return recipe(format!(
            "\"{model}\" is its base_model, which everything is counted from; name another of them"
        ));
    }
    let known: Vec<&str> = all.iter().copied().filter(|name| Some(*name) != base).collect();
    recipe(format!("it has no model \"{model}\" that could leave ({} could)", known.join(", ")))
}

/// Reads a recipe's YAML.
pub(crate) fn yaml(text: &str) -> Result<Value, ComposeError> {
    if text.len() > BYTES_MAX {
        return Err(recipe("it is longer than any real one"));
    }
    serde_saphyr::from_str(text).map_err(|source| ComposeError::Yaml { source: Box::new(source) })
}

/// Opens what a recipe calls its models, each base once, and hashes them all.
pub(crate) fn opened(root: &Path, references: &[&str]) -> Result<(Vec<Hash>, Sources), ComposeError> {
    use rayon::prelude::*;
    let mut plain: BTreeMap<&str, Arc<dyn Source>> = BTreeMap::new();
    let mut opened = Vec::new();
    for reference in references {
        let base = reference.split('+').next().unwrap_or_default();
        let base = match plain.get(base) {
            Some(known) => known.clone(),
            None => plain.entry(base).or_insert(source::open(root, base)?).clone(),
        };
        opened.push(source::adapted(root, base, reference)?);
    }
    let hashes = opened.par_iter().map(|source| source.hash()).collect::<Result<Vec<_>, _>>()?;
    let sources = hashes.iter().copied().zip(opened).collect();
    Ok((hashes, sources))
}

/// A table of the recipe, and where it stands.
pub(crate) struct Table<'a> {
    map: &'a Map<String, Value>,
    place: String,
}

impl<'a> Table<'a> {
    pub fn of(value: &'a Value, place: &str) -> Result<Self, ComposeError> {
        let map = value.as_object().ok_or_else(|| match place {
            "" => recipe("it is no table of keys and values"),
            place => recipe(format!("\"{place}\" is no table of keys and values")),
        })?;
        Ok(Self { map, place: place.to_owned() })
    }

    fn named(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    /// Refuses all other keys that say something.
    pub fn only(&self, known: &[&str]) -> Result<(), ComposeError> {
        match self.map.iter().find(|(key, value)| !known.contains(&key.as_str()) && !value.is_null()) {
            Some((key, _)) => Err(ComposeError::Unsupported { key: self.named(key) }),
            None => Ok(()),
        }
    }

    pub fn text(&self, key: &str) -> Result<Option<&'a str>, ComposeError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(recipe(format!("\"{}\" should be a text", self.named(key)))),
        }
    }

    pub fn list(&self, key: &str) -> Result<Vec<Self>, ComposeError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(all)) => {
                let table = |(index, value)| Table::of(value, &format!("{}[{index}]", self.named(key)));
                all.iter().enumerate().map(table).collect()
            }
            Some(_) => Err(recipe(format!("\"{}\" should be a list", self.named(key)))),
        }
    }

    /// What stands under a key, where anything does.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, ComposeError> {
        let bad = || recipe(format!("\"{}\" should be a list of texts", self.named(key)));
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let all = value.as_array().ok_or_else(bad)?;
        all.iter().map(|text| text.as_str().map(str::to_owned).ok_or_else(bad)).collect()
    }

    /// A number format.
    pub fn float(&self, key: &str) -> Result<Option<Float>, ComposeError> {
        let unknown = |name| recipe(format!("the {key} \"{name}\" is none of float32, float16 and bfloat16"));
        self.text(key)?.map(|name| Float::named(name).ok_or_else(|| unknown(name))).transpose()
    }

    fn model(&self) -> Result<String, ComposeError> {
        let model = self.text("model")?.filter(|model| !model.is_empty());
        Ok(model.ok_or_else(|| recipe(format!("\"{}\" names no model", self.place)))?.to_owned())
    }

    fn layers(&self) -> Result<(usize, usize), ComposeError> {
        let bad =
            || recipe(format!("\"{}\" should be two numbers of layers, such as [0, 8]", self.named("layer_range")));
        let Some(Value::Array(range)) = self.map.get("layer_range") else { return Err(bad()) };
        let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
        match range.iter().map(number).collect::<Option<Vec<_>>>().as_deref() {
            Some([first, end]) if first < end => Ok((*first, *end)),
            _ => Err(bad()),
        }
    }

    fn parameters(&self, method: Method) -> Result<Parameters, ComposeError> {
        let Some(value) = self.map.get("parameters").filter(|value| !value.is_null()) else {
            return Ok(Parameters::new());
        };
        let table = Table::of(value, &self.named("parameters"))?;
        let mut all = Parameters::new();
        for (name, value) in table.map {
            if !method.knows(name) {
                return Err(ComposeError::Unsupported { key: table.named(name) });
            }
            let setting = setting(value, &table.named(name), 0)?;
            if !setting.finite() {
                return Err(recipe(format!("\"{}\" is empty or not finite", table.named(name))));
            }
            all.insert(name.clone(), setting);
        }
        Ok(all)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "weights are floats")]
fn number(value: &Value) -> Option<f32> {
    match value {
        Value::Bool(flag) => Some(f32::from(u8::from(*flag))),
        Value::Number(number) => Some(number.as_f64()? as f32),
        // A number such as 1e-3 is a text in one version of YAML.
        Value::String(text) => text.parse::<f64>().ok().map(|number| number as f32),
        _ => None,
    }
}

fn setting(value: &Value, place: &str, depth: usize) -> Result<Setting, ComposeError> {
    if depth > DEPTH_MAX {
        return Err(recipe(format!("\"{place}\" lies too deep")));
    }
    if let Some(number) = number(value) {
        return Ok(Setting::Number(number));
    }
    let filtered = |value: &Value, place: &str| {
        let table = Table::of(value, place)?;
        table.only(&["filter", "value"])?;
        let inner = table.map.get("value").ok_or_else(|| recipe(format!("\"{place}\" has no value")))?;
        let value = setting(inner, &table.named("value"), depth + 1)?;
        Ok::<_, ComposeError>(Filtered { filter: table.text("filter")?.map(str::to_owned), value })
    };
    match value {
        Value::String(text) => Ok(Setting::Text(text.clone())),
        Value::Object(_) => Ok(Setting::Filtered(vec![filtered(value, place)?])),
        Value::Array(all) => {
            if let Some(numbers) = all.iter().map(number).collect::<Option<Vec<_>>>() {
                return Ok(Setting::Gradient(numbers));
            }
            let one = |(index, value)| filtered(value, &format!("{place}[{index}]"));
            Ok(Setting::Filtered(all.iter().enumerate().map(one).collect::<Result<_, _>>()?))
        }
        _ => Err(recipe(format!("\"{place}\" is neither a number, a list nor a filter"))),
    }
}
