//! Writes the sparse models of `tests/moe.rs` into a folder, for `tests/make_moe_goldens.py`:
//! `cargo run -p hinet-compose --example experts -- OUT`.
#![allow(clippy::unwrap_used, reason = "a tool of the tests")]

#[path = "../tests/kit/experts.rs"]
mod experts;
#[path = "../tests/kit/mod.rs"]
mod kit;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::env::args().nth(1).ok_or("name a folder to write")?;
    for (name, models, recipe) in experts::cases() {
        experts::make(&recipe, &models.sources, &std::path::Path::new(&out).join(name), &experts::plain(2))?;
    }
    Ok(())
}
