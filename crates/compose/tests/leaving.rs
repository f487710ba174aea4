//! Who leaves was never there: byte for byte, in every method, in any order, on any number of threads.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

mod kit;

use hinet_compose::{
    ComposeError, Draft, Filtered, Gram, Grams, Method, Options, Parameters, Recipe, Setting, Tuned, Whose,
};
use hinet_protocol::Hash;
use kit::{Models, make, noise};
use proptest::prelude::*;
use std::{fs, path::Path, sync::LazyLock};

/// An anchor and five others.
static MODELS: LazyLock<Models> = LazyLock::new(|| Models::new(6));

/// Grams of made-up inputs that depend on whose they are and on the tensor.
struct MadeUp;

impl Grams for MadeUp {
    fn gram(&self, whose: Whose, tensor: &str, inputs: usize) -> Result<Option<Gram>, ComposeError> {
        if !tensor.contains("proj") {
            return Ok(None);
        }
        let own = match whose {
            Whose::Member(hash) => u64::from(hash.0[0]) + 1,
            Whose::Anchor => 0,
        };
        let tokens = 2 * inputs;
        let all: Vec<f32> = noise(own * 31 + tensor.len() as u64, tokens * inputs).collect();
        let mut gram = vec![0.0; inputs * inputs];
        for token in all.chunks_exact(inputs) {
            for (row, left) in gram.chunks_exact_mut(inputs).zip(token) {
                row.iter_mut().zip(token).for_each(|(to, right)| *to += left * right);
            }
        }
        Ok(Some(Gram(gram)))
    }

    fn hash(&self) -> Hash {
        Hash([9; 32])
    }
}

/// The members that these numbers stand for, in this order.
fn recipe(method: Method, members: &[usize], seed: u64) -> Recipe {
    let mut recipe = Recipe::new(MODELS.hashes[0], method);
    recipe.seed = seed;
    if method == Method::Slerp {
        recipe.parameters.insert("t".into(), 0.3.into());
    }
    for member in members {
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let weight = 0.2 + 0.15 * *member as f32;
        let own: &[(&'static str, f32)] = match method {
            Method::Slerp | Method::ModelStock | Method::Passthrough => &[],
            Method::Linear | Method::Regmean => &[("weight", weight)],
            Method::TaskArithmetic => &[("weight", weight), ("density", 1.0)],
            _ => &[("weight", weight), ("density", 0.5)],
        };
        recipe = recipe.with(MODELS.hashes[*member], own.iter().copied());
    }
    recipe
}

fn bytes(recipe: &Recipe, place: &Path, threads: usize) -> Vec<u8> {
    let options = Options { threads, grams: Some(&MadeUp), ..Options::default() };
    make(recipe, &MODELS.sources, place, &options).unwrap();
    fs::read(place.join("model.safetensors")).unwrap()
}

fn methods() -> impl Strategy<Value = Method> {
    prop::sample::select(Method::ALL.into_iter().filter(|method| *method != Method::Passthrough).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_has_left_was_never_there(
        method in methods(),
        order in Just(vec![1usize, 2, 3, 4, 5]).prop_shuffle(),
        count in 1usize..=5,
        leaving in 1usize..=5,
        seed in 0u64..4,
        shuffle in any::<u64>(),
    ) {
        let count = if method == Method::Slerp { 1 } else { count };
        let leaving = leaving.min(count);
        let dir = tempfile::tempdir().unwrap();
        let mut live = recipe(method, &order[..count], seed);
        live.tuned = match method {
            Method::TaskArithmetic => {
                Some(Tuned { with: live.who(), parameters: Parameters::from([("lambda".into(), Setting::Number(0.4))]) })
            }
            _ => None,
        };
        // A live assembly, whose bytes nothing afterwards may depend on.
        let with_all = bytes(&live, &dir.path().join("live"), 2);
        let mut left = live.clone();
        for gone in &order[..leaving] {
            left = left.leave(MODELS.hashes[*gone]).unwrap();
        }
        let mut stay = order[leaving..count].to_vec();
        stay.sort_by_key(|member| (*member as u64).wrapping_mul(shuffle | 1));
        let fresh = recipe(method, &stay, seed);
        prop_assert_eq!(left.hash().unwrap(), fresh.hash().unwrap());
        let (left, fresh) = (bytes(&left, &dir.path().join("left"), 3), bytes(&fresh, &dir.path().join("fresh"), 1));
        prop_assert!(left == fresh, "{method:?}: other bytes");
        prop_assert!(with_all != left, "{method:?}: the members who left had changed nothing");
    }
}

#[test]
fn what_was_tuned_with_a_member_goes_with_it() {
    let mut live = recipe(Method::TaskArithmetic, &[1, 2], 0);
    live.tuned = Some(Tuned { with: live.who(), parameters: Parameters::from([("lambda".into(), 0.5.into())]) });
    live.check().unwrap();
    let left = live.leave(MODELS.hashes[1]).unwrap();
    assert_eq!(left.tuned, None);
    let mut stale = left;
    stale.tuned = live.tuned;
    assert!(stale.check().unwrap_err().to_string().contains("tune it again"));
}

#[test]
fn only_members_can_leave() {
    let live = recipe(Method::Ties, &[1, 2], 0);
    assert!(matches!(live.leave(MODELS.hashes[3]), Err(ComposeError::NoMember { .. })));
    assert!(live.leave(MODELS.hashes[0]).unwrap_err().to_string().contains("is its anchor"));
}

#[test]
fn the_last_layers_of_a_passthrough_cannot_leave_and_others_can() {
    let text = "merge_method: linear\nslices:\n  - sources:\n    - {model: model-1, layer_range: [0, 1]}\n    \
                - {model: model-2, layer_range: [0, 1]}\n  - sources:\n    - {model: model-2, layer_range: [0, 2]}\n";
    let (recipe, _) = Draft::parse(text).unwrap().open(MODELS.dir.path()).unwrap();
    assert!(recipe.leave(MODELS.hashes[2]).unwrap_err().to_string().contains("this member alone"));
}

#[test]
fn a_recipe_is_the_same_in_json_and_in_any_order() {
    let mut one = recipe(Method::DareTies, &[1, 2, 3], 5);
    let filter = |filter: Option<&str>, value: f32| Filtered { filter: filter.map(str::to_owned), value: value.into() };
    one.parameters.insert("lambda".into(), Setting::Filtered(vec![filter(Some("mlp"), 0.1), filter(None, 0.7)]));
    one.parameters.insert("rescale".into(), Setting::Text("density".into()));
    let json = serde_json::to_string(&one).unwrap();
    assert_eq!(Recipe::from_json(&json).unwrap(), one);
    let mut other = one.clone();
    other.members.reverse();
    assert_eq!(other.hash().unwrap(), one.hash().unwrap());
    other.seed = 6;
    assert_ne!(other.hash().unwrap(), one.hash().unwrap());
}
