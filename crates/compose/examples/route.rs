//! How long it takes to say who answers a question among a thousand members: `cargo run --release --example route`.

use hinet_compose::{Claims, Gate};
use hinet_protocol::Hash;
use std::time::Instant;

const WIDTH: usize = 384;

fn noise(of: &[u64]) -> Vec<f32> {
    let mut hasher = blake3::Hasher::new();
    of.iter().for_each(|part| {
        hasher.update(&part.to_le_bytes());
    });
    let mut bytes = [0u8; WIDTH];
    hasher.finalize_xof().fill(&mut bytes);
    unit(bytes.iter().map(|byte| f32::from(*byte) - 127.5).collect())
}

fn unit(mut place: Vec<f32>) -> Vec<f32> {
    let length = place.iter().map(|n| n * n).sum::<f32>().sqrt();
    place.iter_mut().for_each(|n| *n /= length);
    place
}

/// A text about a subject, with a cosine of some 0.65 to others about it.
fn about(subject: u64, text: u64) -> Vec<f32> {
    let (middle, aside) = (noise(&[subject]), noise(&[subject, text]));
    unit(middle.iter().zip(aside).map(|(a, b)| a + 0.75 * b).collect())
}

#[allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that is printed")]
fn main() {
    for (members, prompts) in [(32u64, 64u64), (1000, 16), (1000, 64)] {
        let claims = |subject: u64| {
            let places: Vec<Vec<f32>> = (0..prompts).map(|text| about(subject, text)).collect();
            let id = Hash(*blake3::hash(&subject.to_le_bytes()).as_bytes());
            Claims::new(id, Hash([1; 32]), "made up", &places).unwrap()
        };
        let all: Vec<Claims> = (0..members).map(claims).collect();
        let elsewhere: Vec<Vec<f32>> = (0..80).map(|text| noise(&[9_999, 1, text])).collect();
        let began = Instant::now();
        let gate = Gate::new(&all.iter().collect::<Vec<_>>(), &elsewhere).unwrap();
        let calibrated = began.elapsed();
        let questions: Vec<Vec<f32>> = (0..400u64).map(|n| about(n * 7 % members, 5_000 + n)).collect();
        let (mut times, mut right) = (Vec::new(), 0);
        for (n, question) in (0u64..).zip(&questions) {
            let began = Instant::now();
            let choice = gate.choose(question);
            times.push(began.elapsed());
            let own = Hash(*blake3::hash(&(n * 7 % members).to_le_bytes()).as_bytes());
            right += usize::from(choice.parts.first().is_some_and(|part| part.delta == own));
        }
        times.sort_unstable();
        println!(
            "{members} members of {prompts} prompts: median {:?}, 99th of 100 {:?}, {right} of 400 to the right one; calibrated in {calibrated:?}, {:?}",
            times[200],
            times[395],
            gate.sizing()
        );
    }
}
