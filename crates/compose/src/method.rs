//! The methods by name, and which parameters each has.

use crate::{
    ComposeError, Rescale, Rule, Share, Sparsity,
    error::recipe,
    setting::{Parameters, Scalar},
};
use hinet_protocol::Hash;
use serde::{Deserialize, Serialize};

/// A method of merging, by the name that mergekit's recipes have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "`Rule` describes them")]
pub enum Method {
    Linear,
    TaskArithmetic,
    Ties,
    DareLinear,
    DareTies,
    Della,
    DellaLinear,
    Breadcrumbs,
    BreadcrumbsTies,
    Slerp,
    ModelStock,
    Regmean,
    Passthrough,
}

/// A parameter's name and what it is where nothing is said.
type Known = (&'static str, Option<f32>);

impl Method {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Linear,
        Self::TaskArithmetic,
        Self::Ties,
        Self::DareLinear,
        Self::DareTies,
        Self::Della,
        Self::DellaLinear,
        Self::Breadcrumbs,
        Self::BreadcrumbsTies,
        Self::Slerp,
        Self::ModelStock,
        Self::Regmean,
        Self::Passthrough,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::TaskArithmetic => "task_arithmetic",
            Self::Ties => "ties",
            Self::DareLinear => "dare_linear",
            Self::DareTies => "dare_ties",
            Self::Della => "della",
            Self::DellaLinear => "della_linear",
            Self::Breadcrumbs => "breadcrumbs",
            Self::BreadcrumbsTies => "breadcrumbs_ties",
            Self::Slerp => "slerp",
            Self::ModelStock => "model_stock",
            Self::Regmean => "regmean",
            Self::Passthrough => "passthrough",
        }
    }

    /// The method with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Whether it works on differences from a base, which is then no member.
    #[must_use]
    pub const fn has_base(self) -> bool {
        !matches!(self, Self::Linear | Self::Passthrough)
    }

    /// What of differences is kept, whether signs must agree, and whether sums are divided, where it adds differences.
    const fn arithmetic(self) -> Option<(Sparsity, bool, bool)> {
        Some(match self {
            Self::TaskArithmetic => (Sparsity::None, false, false),
            Self::Ties => (Sparsity::Largest, true, true),
            Self::DareLinear => (Sparsity::Random, false, false),
            Self::DareTies => (Sparsity::Random, true, false),
            Self::Della => (Sparsity::Ranked, true, true),
            Self::DellaLinear => (Sparsity::Ranked, false, false),
            Self::Breadcrumbs => (Sparsity::Middle, false, false),
            Self::BreadcrumbsTies => (Sparsity::Middle, true, false),
            Self::Linear | Self::Slerp | Self::ModelStock | Self::Regmean | Self::Passthrough => return None,
        })
    }

    /// Parameters that all members share.
    fn shared(self) -> Vec<Known> {
        if let Some((_, _, normalize)) = self.arithmetic() {
            let normalize = if normalize { 1.0 } else { 0.0 };
            // `int8_mask` says how mergekit stores what it keeps, which changes no result.
            return vec![
                ("normalize", Some(normalize)),
                ("rescale", None),
                ("lambda", Some(1.0)),
                ("int8_mask", Some(0.0)),
            ];
        }
        match self {
            Self::Linear => vec![("normalize", Some(1.0))],
            Self::Slerp => vec![("t", None)],
            Self::ModelStock => vec![("filter_wise", Some(0.0))],
            Self::Regmean => vec![("alpha", Some(0.9)), ("ridge", Some(0.01)), ("anchor_weight", Some(2.0))],
            _ => Vec::new(),
        }
    }

    /// Parameters that each member has for itself.
    fn own(self) -> Vec<Known> {
        let mut all = match self {
            Self::Slerp | Self::ModelStock => return Vec::new(),
            Self::Passthrough => return vec![("scale", Some(1.0))],
            _ => vec![("weight", Some(1.0))],
        };
        let Some((sparsity, ..)) = self.arithmetic() else { return all };
        all.push(("density", Some(1.0)));
        match sparsity {
            Sparsity::Middle => all.push(("gamma", Some(0.01))),
            Sparsity::Ranked => all.push(("epsilon", Some(0.15))),
            _ => {}
        }
        all
    }

    /// Whether it has a parameter of this name.
    #[must_use]
    pub fn knows(self, name: &str) -> bool {
        self.shared().iter().chain(&self.own()).any(|(known, _)| *known == name)
    }

    /// The rule for one tensor, from settings of which the first that says something counts.
    pub(crate) fn rule(self, settings: &Settings<'_>) -> Result<Rule, ComposeError> {
        let all = self.shared();
        let number = |name| settings.number(&all, name);
        let switch = |name| Ok::<_, ComposeError>(number(name)? != 0.0);
        if let Some((sparsity, consensus, _)) = self.arithmetic() {
            let drawn = matches!(sparsity, Sparsity::Random | Sparsity::Ranked);
            let rescale = match settings.find("rescale") {
                None if drawn => Rescale::Norm,
                None => Rescale::None,
                Some(Scalar::Number(0.0)) => Rescale::None,
                Some(Scalar::Number(_)) => Rescale::Norm,
                Some(Scalar::Text(name)) => match name.as_str() {
                    "none" => Rescale::None,
                    "norm" => Rescale::Norm,
                    "density" => Rescale::Density,
                    _ => {
                        return Err(recipe(format!("it rescales by \"{name}\"; say true, false, norm or density")));
                    }
                },
            };
            let (normalize, lambda) = (switch("normalize")?, number("lambda")?);
            return Ok(Rule::Arithmetic { sparsity, rescale, consensus, normalize, lambda });
        }
        Ok(match self {
            Self::Linear => Rule::Linear { normalize: switch("normalize")? },
            Self::Slerp => Rule::Slerp { t: number("t")? },
            Self::ModelStock => Rule::ModelStock { filter_wise: switch("filter_wise")? },
            Self::Regmean => {
                Rule::RegMean { alpha: number("alpha")?, ridge: number("ridge")?, anchor: number("anchor_weight")? }
            }
            _ => Rule::Passthrough,
        })
    }

    /// What a member brings to one tensor.
    pub(crate) fn share(self, who: Hash, key: u64, settings: &Settings<'_>) -> Result<Share, ComposeError> {
        let all = self.own();
        let mut share = Share { who, key, ..Share::default() };
        for (name, _) in &all {
            let number = settings.number(&all, name)?;
            match *name {
                "density" => share.density = number,
                "gamma" => share.gamma = number,
                "epsilon" => share.epsilon = number,
                _ => share.weight = number,
            }
        }
        Ok(share)
    }
}

/// Where parameters are looked up for one tensor.
pub(crate) struct Settings<'a> {
    /// The most particular first.
    pub scopes: Vec<&'a Parameters>,
    /// The tensor's name.
    pub tensor: &'a str,
    /// Where it lies in its slice, from 0 to 1.
    pub t: f32,
}

impl Settings<'_> {
    fn find(&self, name: &str) -> Option<Scalar> {
        self.scopes.iter().find_map(|scope| scope.get(name)?.at(self.tensor, self.t))
    }

    fn number(&self, known: &[Known], name: &str) -> Result<f32, ComposeError> {
        match self.find(name) {
            Some(Scalar::Number(number)) => Ok(number),
            Some(Scalar::Text(text)) => Err(recipe(format!("\"{name}\" is \"{text}\", and should be a number"))),
            None => known.iter().find(|(known, _)| *known == name).and_then(|(_, usual)| *usual).ok_or_else(|| {
                recipe(format!("it says nothing about \"{name}\" for \"{}\"; add it under parameters", self.tensor))
            }),
        }
    }
}
