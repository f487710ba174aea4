//! Pre-merges of made-up members: they add up to what mixing adds up to, in any order, byte for byte.

use super::*;
use hinet_model::delta::Linear;
use proptest::prelude::*;

const OUTPUTS: usize = 5;
const INPUTS: usize = 3;

fn passport() -> Passport {
    Passport { arch: "llama".into(), tokenizer: Hash([1; 32]), weights: Hash([2; 32]), root: None }
}

fn place(layer: usize) -> Place {
    Place { layer, linear: Linear::Up }
}

/// Numbers as good as drawn, from -1 to 1.
fn noise(seed: u64, count: usize) -> Vec<f32> {
    let byte = |at: u64| blake3::hash(&[seed.to_le_bytes(), at.to_le_bytes()].concat()).as_bytes()[0];
    (0..count as u64).map(|at| f32::from(byte(at)) / 127.5 - 1.0).collect()
}

/// A member; those of odd numbers change a second layer too.
fn one(seed: u64) -> Delta {
    let rank = 1 + usize::try_from(seed).unwrap() % 3;
    let mut delta = Delta::new(Some(passport()));
    for layer in 0..=usize::from(seed % 2 == 1) {
        let seed = seed * 10 + layer as u64;
        let (a, b) = (noise(seed, rank * INPUTS), noise(1000 + seed, OUTPUTS * rank));
        delta.insert(place(layer), Factors { rank, a, b, alpha: 2.0, magnitudes: None }).unwrap();
    }
    delta
}

/// What a delta adds to a matrix, number by number.
fn whole(delta: &Delta, layer: usize) -> Vec<f64> {
    let Some(factors) = delta.get(place(layer)) else { return vec![0.0; OUTPUTS * INPUTS] };
    let scale = f64::from(delta.scale(factors));
    let number = |at: usize| {
        let (row, column) = (at / INPUTS, at % INPUTS);
        let inner = (0..factors.rank)
            .map(|n| f64::from(factors.b[row * factors.rank + n]) * f64::from(factors.a[n * INPUTS + column]));
        scale * inner.sum::<f64>()
    };
    (0..OUTPUTS * INPUTS).map(number).collect()
}

#[test]
fn it_adds_what_mixing_its_members_adds() {
    let (one, two, three) = (one(1), one(2), one(3));
    let members = [(&one, 0.5), (&two, 0.25), (&three, 0.25)];
    let recipe = Premerge::of(&passport(), &members).unwrap();
    let made = recipe.make(&[&three, &one, &two]).unwrap();
    for layer in 0..2 {
        let mixed = (0..OUTPUTS * INPUTS)
            .map(|at| members.iter().map(|(delta, weight)| f64::from(*weight) * whole(delta, layer)[at]).sum::<f64>());
        let far = mixed.zip(whole(&made, layer)).map(|(mixed, made)| (mixed - made).abs()).fold(0.0, f64::max);
        assert!(far < 1e-5, "layer {layer}: {far}");
    }
    assert_eq!(made.get(place(0)).unwrap().rank, 2 + 3 + 1);
    assert_eq!(made.get(place(1)).unwrap().rank, 2 + 1, "who does not change a matrix takes no room in it");
    assert_eq!(made.origin, Some(passport()));
}

#[test]
fn what_cannot_be_one_is_refused() {
    let (one, two) = (one(1), one(2));
    let of = |members: &[(&Delta, f32)]| Premerge::of(&passport(), members);
    let said = |found: Result<Premerge, ComposeError>| found.unwrap_err().to_string();
    assert!(said(of(&[(&one, 1.0)])).contains("of 2 to 4 members"));
    assert!(said(of(&[(&one, 0.5), (&one, 0.5)])).contains("twice"));
    assert!(said(of(&[(&one, 0.5), (&two, f32::NAN)])).contains("not finite"));
    let many: Vec<Delta> = (1..=5).map(self::one).collect();
    assert!(said(of(&many.iter().map(|delta| (delta, 0.2)).collect::<Vec<_>>())).contains("of 5"));
    // One whose rows have lengths of their own, and one of another shape.
    let recipe =
        |other: &Delta| of(&[(&one, 0.5), (other, 0.5)]).unwrap().make(&[&one, other]).unwrap_err().to_string();
    let with = |magnitudes, inputs: usize| {
        let mut other = Delta::new(None);
        let (a, b) = (noise(7, inputs), noise(8, OUTPUTS));
        other.insert(place(0), Factors { rank: 1, a, b, alpha: 1.0, magnitudes }).unwrap();
        other
    };
    assert!(recipe(&with(Some(vec![1.0; OUTPUTS]), INPUTS)).contains("DoRA"));
    assert!(recipe(&with(None, INPUTS + 1)).contains("layers.0"));
    // Members of two roots.
    let on = |root: u8, seed: u64| {
        let mut delta = self::one(seed);
        delta.origin = Some(Passport { root: Some(Hash([root; 32])), ..passport() });
        delta
    };
    assert!(said(of(&[(&on(5, 1), 0.5), (&on(6, 2), 0.5)])).contains("roots"));
    let rooted = on(5, 2);
    assert_eq!(of(&[(&one, 0.5), (&rooted, 0.5)]).unwrap().root, Some(Hash([5; 32])));
    // A recipe that names who is not at hand, and one that says more than is known.
    let good = of(&[(&one, 0.5), (&two, 0.5)]).unwrap();
    assert!(matches!(good.make(&[&one]), Err(ComposeError::Absent { hash }) if hash == two.hash()));
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(Premerge::from_json(&json).unwrap(), good);
    for (from, to) in [("task_arithmetic", "ties"), ("\"weight\":0.5", "\"density\":0.5"), ("\"arch\"", "\"kind\"")] {
        assert!(json.contains(from) && Premerge::from_json(&json.replace(from, to)).is_err(), "{to}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The same members give the same recipe and the same bytes in any order; others give others.
    #[test]
    fn the_order_of_members_decides_nothing(
        who in proptest::sample::subsequence((1u64..9).collect::<Vec<_>>(), 2..=PARTS_MAX).prop_shuffle(),
    ) {
        let made = |who: &[u64]| {
            let members: Vec<Delta> = who.iter().map(|seed| one(*seed)).collect();
            #[allow(clippy::cast_precision_loss, reason = "four at most")]
            let share = 1.0 / who.len() as f32;
            let recipe = Premerge::of(&passport(), &members.iter().map(|delta| (delta, share)).collect::<Vec<_>>());
            let recipe = recipe.unwrap();
            let delta = recipe.make(&members.iter().collect::<Vec<_>>()).unwrap();
            (recipe, delta)
        };
        let (recipe, delta) = made(&who);
        let mut sorted = who.clone();
        sorted.sort_unstable();
        let (same, again) = made(&sorted);
        prop_assert_eq!(serde_json::to_vec(&recipe).unwrap(), serde_json::to_vec(&same).unwrap());
        prop_assert_eq!(recipe.hash().unwrap(), same.hash().unwrap());
        prop_assert_eq!(delta.hash(), again.hash());
        prop_assert_eq!(delta.to_peft().unwrap(), again.to_peft().unwrap());
        let hashes: Vec<Hash> = who.iter().map(|seed| one(*seed).hash()).collect();
        prop_assert!(recipe.is_of(&hashes) && !recipe.is_of(&hashes[1..]));
        if who.len() > 2 {
            prop_assert_ne!(made(&who[1..]).1.hash(), delta.hash());
        }
    }
}
