//! Merges by a recipe of mergekit, and says how long it took:
//! `cargo run --release -p hinet-compose --example merge -- RECIPE.yml OUT [THREADS]`.

use hinet_compose::{Draft, Options, compose};
use std::{error::Error, ops::ControlFlow, path::Path, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [recipe, out, threads @ ..] = arguments.as_slice() else {
        return Err("name a recipe and a folder to write".into());
    };
    let threads = threads.first().map_or(Ok(0), |threads| threads.parse())?;
    let (recipe, out) = (Path::new(recipe), Path::new(out));
    let draft = Draft::parse(&std::fs::read_to_string(recipe)?)?;
    let start = Instant::now();
    let (plan, sources) = draft.open(recipe.parent().unwrap_or(Path::new(".")))?;
    let opened = start.elapsed().as_secs_f64();
    let options = Options { threads, ..Options::default() };
    let start = Instant::now();
    let made = compose(&plan, &sources, out, &options, &mut |_| ControlFlow::Continue(()))?;
    let merged = start.elapsed().as_secs_f64();
    println!("opened and hashed in {opened:.2} s; {} bytes merged in {merged:.2} s", made.bytes);
    Ok(())
}
