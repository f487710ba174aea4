//! Gates over made-up signatures: a subject is a direction, and its prompts lie around it.

use super::*;
use crate::{Assembly, ComposeError, Seat};
use proptest::prelude::*;

const WIDTH: usize = 48;

/// Numbers as good as drawn, from -1 to 1.
fn noise(seed: u64) -> Vec<f32> {
    let bytes = |at: u64| *blake3::hash(&[seed.to_le_bytes(), at.to_le_bytes()].concat()).as_bytes();
    #[allow(clippy::cast_precision_loss, reason = "small")]
    (0..WIDTH as u64).map(|at| f32::from(bytes(at)[0]) / 127.5 - 1.0).collect()
}

fn unit(mut place: Vec<f32>) -> Vec<f32> {
    let length = place.iter().map(|n| n * n).sum::<f32>().sqrt();
    place.iter_mut().for_each(|n| *n /= length);
    place
}

/// A text about a subject.
fn about(subject: u64, text: u64, spread: f32) -> Vec<f32> {
    let middle = unit(noise(subject));
    let aside = unit(noise(1_000_000 + subject * 1000 + text));
    unit(middle.iter().zip(aside).map(|(a, b)| a + spread * b).collect())
}

fn claims(subject: u64) -> Claims {
    let prompts: Vec<Vec<f32>> = (0..12).map(|text| about(subject, text, 0.8)).collect();
    Claims::new(who(subject), Hash([9; 32]), "made up", &prompts).unwrap()
}

fn who(subject: u64) -> Hash {
    Hash(*blake3::hash(&subject.to_le_bytes()).as_bytes())
}

fn elsewhere() -> Vec<Vec<f32>> {
    (0..40).map(|text| unit(noise(77_000 + text))).collect()
}

fn gate(subjects: &[u64]) -> Gate {
    let all: Vec<Claims> = subjects.iter().map(|subject| claims(*subject)).collect();
    Gate::new(&all.iter().collect::<Vec<_>>(), &elsewhere()).unwrap()
}

#[test]
fn one_answers_what_it_knows_and_nobody_what_nobody_knows() {
    let gate = gate(&[1, 2, 3]);
    for subject in [1, 2, 3] {
        for text in 100..110 {
            let choice = gate.choose(&about(subject, text, 0.8));
            assert_eq!(choice.parts, [Part { delta: who(subject), weight: 1.0 }], "{:?} {choice:?}", gate.sizing());
            assert_eq!(choice.near.len(), 3);
        }
    }
    let strangers = (0..40).filter(|text| gate.choose(&unit(noise(88_000 + text))).parts.is_empty()).count();
    assert!(strangers >= 38, "{strangers} of 40 with {:?}", gate.sizing());
}

#[test]
fn several_answer_what_lies_between_them() {
    let gate = gate(&[1, 2, 3]);
    let between: Vec<f32> = about(1, 50, 0.0).iter().zip(about(3, 50, 0.0)).map(|(a, b)| a + b).collect();
    let choice = gate.choose(&unit(between));
    assert_eq!(choice.parts.len(), 2, "{choice:?} {:?}", gate.sizing());
    assert!(choice.parts.iter().all(|part| part.delta != who(2)));
    assert!((choice.parts.iter().map(|part| part.weight).sum::<f32>() - 1.0).abs() < 1e-6);
    assert!(choice.parts[0].weight >= choice.parts[1].weight && choice.parts[1].weight >= 0.25);
}

#[test]
fn of_many_members_the_right_one_is_found() {
    let subjects: Vec<u64> = (0..300).collect();
    let gate = gate(&subjects);
    let right = subjects.iter().filter(|subject| gate.fits(&about(**subject, 500, 0.8))[0].delta == who(**subject));
    assert!(right.count() >= 297);
}

#[test]
fn prompts_like_everybodys_words_are_not_apart() {
    assert!(gate(&[1, 2, 3]).sizing().apart && Gate::new(&[], &elsewhere()).unwrap().sizing().apart);
    // Somebody whose prompts are ordinary messages: any other one is as near to them as they are to each other.
    let ordinary: Vec<Vec<f32>> = (0..20).map(|text| about(9, text, 0.8)).collect();
    let claims = Claims::new(who(9), Hash([9; 32]), "made up", &ordinary).unwrap();
    let others: Vec<Vec<f32>> = (100..140).map(|text| about(9, text, 0.8)).collect();
    assert!(!Gate::new(&[&claims], &others).unwrap().sizing().apart);
}

#[test]
fn places_of_other_spaces_are_near_nobody() {
    let gate = gate(&[1, 2]);
    assert!(gate.choose(&[1.0; 3]).parts.is_empty() && gate.fits(&[f32::NAN; WIDTH]).is_empty());
    let other = Claims::new(who(5), Hash([8; 32]), "made up", &elsewhere()).unwrap();
    assert!(Gate::new(&[&claims(1), &other], &[]).is_err_and(|error| error.to_string().contains("another embedder")));
    let nobody = Gate::new(&[], &elsewhere()).unwrap();
    assert!(nobody.choose(&about(1, 1, 0.5)).parts.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// After some have left, in any order, everything is as if they had never been there.
    #[test]
    fn who_has_left_leaves_nothing(mut all in proptest::sample::subsequence((1u64..9).collect::<Vec<_>>(), 2..8).prop_shuffle(),
                                   leave in 1usize..7) {
        let seat = |subject: &u64| Seat { delta: who(*subject), claims: claims(*subject).hash() };
        let mut assembly = Assembly::new(Hash([7; 32]));
        for subject in &all {
            assembly = assembly.with(seat(subject))?;
        }
        for _ in 0..leave.min(all.len() - 1) {
            assembly = assembly.leave(who(all.remove(0)))?;
        }
        all.reverse();
        let fresh = all.iter().try_fold(Assembly::new(Hash([7; 32])), |so_far, subject| so_far.with(seat(subject)))?;
        prop_assert_eq!(serde_json::to_vec(&assembly).unwrap(), serde_json::to_vec(&fresh).unwrap());
        prop_assert_eq!(assembly.hash(), fresh.hash());
        let gone = matches!(assembly.leave(who(99)), Err(ComposeError::NoMember { .. }));
        prop_assert!(gone);
        let (left, anew) = (gate(&all), { all.sort_unstable(); gate(&all) });
        let bits = |gate: &Gate| (gate.sizing().floor.to_bits(), gate.sizing().margin.to_bits());
        prop_assert_eq!(bits(&left), bits(&anew));
        for text in 0..6 {
            let question = about(all[0], 200 + text, 1.2);
            prop_assert_eq!(left.choose(&question), anew.choose(&question));
        }
    }
}
