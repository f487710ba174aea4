//! Sparse models of small random members: what is written, and what our own decoder makes of it.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by unwrapping")]

#[path = "kit/experts.rs"]
mod experts;
mod kit;

use experts::{Models, gap, golden, make, model, open, plain};
use hinet_compose::{Checkpoint, ComposeError, Experts, Float, Options, Shared, Source, compose_experts};
use kit::{noise, read};
use proptest::prelude::*;
use serde_json::Value;
use std::{fs, ops::ControlFlow, sync::LazyLock};

/// How far sums in another order may lie from each other in a logit, which spreads by about 1.
const NEAR: f32 = 1e-4;

#[test]
fn experts_are_the_members_feed_forward_layers_and_all_else_is_their_mean() {
    let models = Models::new("llama", 3);
    let recipe = models.recipe(&[1, 2]);
    let composed = models.make(&recipe, "moe").unwrap();
    let found = read(&models.place("moe/model.safetensors"));
    let all: Vec<kit::Tensors> = (0..3).map(|seed| model(&models.golden, seed)).collect();
    // Two layers with nine matrices of experts, a router and six shared tensors; embedding, norm and head.
    assert_eq!((composed.tensors, found.len()), (35, 35));
    let moe = "block_sparse_moe";
    for layer in 0..2 {
        for expert in 0..3 {
            let own = &all[models.expert(&recipe, expert)];
            for (theirs, matrix) in [("gate_proj", "w1"), ("down_proj", "w2"), ("up_proj", "w3")] {
                let (_, numbers) = &found[&format!("model.layers.{layer}.{moe}.experts.{expert}.{matrix}.weight")];
                assert_eq!(*numbers, own[&format!("model.layers.{layer}.mlp.{theirs}.weight")].1, "{expert} {matrix}");
            }
        }
        assert_eq!(found[&format!("model.layers.{layer}.{moe}.gate.weight")].1.len(), 3 * 64);
    }
    for name in ["model.embed_tokens", "model.norm", "lm_head", "model.layers.1.self_attn.k_proj"] {
        let name = format!("{name}.weight");
        let mean: Vec<f32> = all[1][&name].1.iter().zip(&all[2][&name].1).map(|(a, b)| (a + b) / 2.0).collect();
        assert!(gap(&found[&name].1, &mean) < 1e-6, "{name}");
    }
    let config: Value = serde_json::from_slice(&fs::read(models.place("moe/config.json")).unwrap()).unwrap();
    for (key, value) in [
        ("architectures", serde_json::json!(["MixtralForCausalLM"])),
        ("model_type", "mixtral".into()),
        ("num_local_experts", 3.into()),
        ("num_experts_per_tok", 2.into()),
        ("head_dim", 16.into()),
        ("hidden_act", "silu".into()),
        ("sliding_window", Value::Null),
        ("eos_token_id", 257.into()),
        ("bos_token_id", 256.into()),
        ("tie_word_embeddings", false.into()),
        ("rope_theta", 10000.0.into()),
        ("dtype", "float32".into()),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    assert_eq!(config["rope_scaling"]["rope_type"], "llama3");
    assert!(models.place("moe/tokenizer.json").exists() && !models.place("moe.part").exists());
}

#[test]
fn experts_that_are_alike_and_all_used_are_the_plain_model() {
    let golden = golden("llama");
    let anchor = model(&golden, 0);
    let mut other = anchor.clone();
    // Another model all the same, whose attention is not taken.
    other.get_mut("model.layers.0.self_attn.q_proj.weight").unwrap().1[0] += 1.0;
    let tokens = golden.tokens.clone();
    let models = Models::of(golden, vec![anchor, other]);
    let recipe = Experts { attention: Shared::Anchor, ..models.recipe(&[1]) };
    models.make(&recipe, "moe").unwrap();
    let (sparse, plain) = (models.logits("moe", &tokens), models.logits("model-0", &tokens));
    let gap = gap(&sparse, &plain);
    println!("alike: differs by at most {gap:.1e}");
    assert!(gap < NEAR, "{gap}");
}

#[test]
fn with_one_expert_alone_it_is_that_member() {
    let models = Models::new("mistral", 3);
    let tokens = models.golden.tokens.clone();
    for (attention, expert, member) in [(Shared::Average, 1, 1), (Shared::Anchor, 0, 0)] {
        let recipe = Experts { attention, ..models.recipe(&[1]) };
        let name = format!("moe-{expert}");
        models.make(&recipe, &name).unwrap();
        let anchor = open(&models.place(&name));
        let mut session = anchor.session(64);
        let routed = session.logits(&tokens).unwrap();
        let mut weights = [0.0; 2];
        weights[expert] = 1.0;
        session.set_experts(Some(&weights)).unwrap();
        let found = session.logits(&tokens).unwrap();
        let expected = models.logits(&format!("model-{member}"), &tokens);
        assert_eq!(found, expected, "{attention:?}");
        assert_ne!(found, routed);
    }
    let recipe = Experts { with_anchor: false, ..models.recipe(&[2]) };
    models.make(&recipe, "alone").unwrap();
    assert_eq!(models.logits("alone", &tokens), models.logits("model-2", &tokens));
}

#[test]
fn a_scale_draws_what_is_shared_towards_the_anchor() {
    let models = Models::new("llama", 3);
    let recipe = Experts { scale: 0.5, dtype: Some(Float::Bf16), ..models.recipe(&[1, 2]) };
    models.make(&recipe, "moe").unwrap();
    let found = read(&models.place("moe/model.safetensors"));
    let name = "model.layers.0.self_attn.v_proj.weight";
    let all: Vec<Vec<f32>> = (0..3).map(|seed| model(&models.golden, seed)[name].1.clone()).collect();
    for (at, number) in found[name].1.iter().enumerate() {
        let expected = all[0][at] + 0.5 * ((all[1][at] + all[2][at]) / 2.0 - all[0][at]);
        assert!((number - expected).abs() <= expected.abs() / 128.0, "{number} for {expected}");
    }
    assert!(found.values().all(|(format, _)| format == "BF16"));
    assert!(fs::read_to_string(models.place("moe/config.json")).unwrap().contains("\"bfloat16\""));
    open(&models.place("moe"));
}

#[test]
fn a_run_that_was_stopped_goes_on() {
    let models = Models::new("llama", 3);
    let recipe = models.recipe(&[1, 2]);
    let options = Options { shard_bytes: 200_000, ..plain(2) };
    make(&recipe, &models.sources, &models.place("whole"), &options).unwrap();
    let expected = Checkpoint::open(&models.place("whole")).unwrap().hash().unwrap();
    for stop in [0, 1, 7, 20, 33] {
        let place = models.place(&format!("stopped-{stop}"));
        let stopped = compose_experts(&recipe, &models.sources, &experts::MadeUp, &place, &options, &mut |progress| {
            if progress.tensors < stop { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert!(matches!(stopped, Err(ComposeError::Cancelled)) && !place.exists());
        let composed = make(&recipe, &models.sources, &place, &options).unwrap();
        assert_eq!(composed.kept, stop);
        assert_eq!(Checkpoint::open(&place).unwrap().hash().unwrap(), expected);
    }
}

/// An anchor and four others.
static MODELS: LazyLock<Models> = LazyLock::new(|| Models::new("llama", 5));

fn bytes(recipe: &Experts, threads: usize) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("out");
    make(recipe, &MODELS.sources, &place, &plain(threads)).unwrap();
    let files = ["model.safetensors", "config.json"];
    files.iter().flat_map(|name| fs::read(place.join(name)).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_has_left_was_never_there(
        order in Just(vec![1usize, 2, 3, 4]).prop_shuffle(),
        count in 1usize..=4,
        leaving in 1usize..=4,
        with_anchor in any::<bool>(),
        average in any::<bool>(),
        used in 1usize..=4,
        scale in prop::sample::select(vec![1.0f32, 0.6]),
    ) {
        let count = if with_anchor { count } else { count.max(2) };
        let leaving = leaving.min(if with_anchor { count } else { count - 1 });
        let attention = if average { Shared::Average } else { Shared::Anchor };
        let of = |members: &[usize]| Experts { with_anchor, attention, used, scale, ..MODELS.recipe(members) };
        let live = of(&order[..count]);
        let with_all = bytes(&live, 2);
        let mut left = live.clone();
        for gone in &order[..leaving] {
            left = left.leave(MODELS.hashes[*gone]).unwrap();
        }
        let mut stay = order[leaving..count].to_vec();
        stay.reverse();
        let fresh = of(&stay);
        prop_assert_eq!(left.hash().unwrap(), fresh.hash().unwrap());
        let left = bytes(&left, 3);
        prop_assert!(left == bytes(&fresh, 1), "other bytes");
        prop_assert!(with_all != left, "the members who left had changed nothing");
    }
}

#[test]
fn a_recipe_says_what_is_wrong_with_it() {
    let recipe = MODELS.recipe(&[1, 2, 3]);
    let json = serde_json::to_string(&recipe).unwrap();
    assert_eq!(Experts::from_json(&json).unwrap(), recipe);
    let (anchor, member) = (MODELS.hashes[0], MODELS.hashes[1]);
    let short = format!(r#"{{"anchor": "{anchor}", "members": ["{member}"]}}"#);
    assert_eq!(Experts::from_json(&short).unwrap(), MODELS.recipe(&[1]));
    let mut turned = recipe.clone();
    turned.members.reverse();
    assert_eq!(turned.hash().unwrap(), recipe.hash().unwrap());
    assert_ne!(Experts { used: 1, ..recipe.clone() }.hash().unwrap(), recipe.hash().unwrap());
    let says = |recipe: Experts, word: &str| {
        let error = recipe.check().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    says(MODELS.recipe(&[1, 1]), "one expert is enough");
    says(MODELS.recipe(&[0, 1]), "among its members");
    says(Experts { with_anchor: false, ..MODELS.recipe(&[]) }, "name a member");
    says(Experts { used: 0, ..recipe.clone() }, "one or more");
    says(Experts { scale: f32::NAN, ..recipe.clone() }, "finite");
    assert!(matches!(recipe.leave(MODELS.hashes[4]), Err(ComposeError::NoMember { .. })));
    assert!(recipe.leave(anchor).unwrap_err().to_string().contains("is its anchor"));
    let alone = Experts { with_anchor: false, ..MODELS.recipe(&[1]) };
    assert!(alone.leave(member).unwrap_err().to_string().contains("nobody is left"));
    let mut fewer = MODELS.sources.clone();
    fewer.remove(&member);
    let error = make(&recipe, &fewer, &MODELS.place("absent"), &plain(1)).unwrap_err();
    assert!(matches!(error, ComposeError::Absent { hash } if hash == member));
}

#[test]
fn numbers_are_seen_from_any_seed() {
    // Members differ from the anchor everywhere, or the tests above would say less than they seem to.
    let golden = golden("llama");
    let (anchor, member) = (model(&golden, 0), model(&golden, 1));
    assert!(anchor.iter().all(|(name, (_, numbers))| gap(numbers, &member[name].1) > 0.0));
    assert!(noise(1, 4).ne(noise(2, 4)));
}
