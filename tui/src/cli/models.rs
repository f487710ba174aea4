//! `icore models`: public files in a shared cache, each checked by its hash.

use clap::{Args, Subcommand};
use hinet_node::models;
use hinet_protocol::{ErrorKind, Failure, ModelLine, Progress};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

use super::context::Context;
use super::end::End;
use super::line;
use super::meter::Meter;
use super::output::size;

const EXAMPLES: &str = "\
Examples:
  icore models list
  icore models pull            (the default anchor and embedder, where missing)
  icore models check";

/// `icore models`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Models {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the models of the registry, and which are here
    List,
    /// Fetch a model and check its hash; without a name, the defaults
    Pull {
        /// Its name, as list prints it
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Fetch it although it takes more memory than this machine has
        #[arg(long)]
        anyway: bool,
    },
    /// Hash the models that are here again; exits 1 where a byte is wrong
    Check,
}

impl Models {
    /// Does what was asked. No home and no unlock are needed.
    pub fn run(self, context: &Context) -> Result<(), End> {
        match self.what {
            What::List => list(context),
            What::Pull { name, anyway } => {
                let names = match name {
                    Some(name) => vec![known(context, name)?],
                    None => models::missing(context.brief()),
                };
                if !anyway {
                    names.iter().try_for_each(|name| models::refuse_too_large(name))?;
                }
                pull_all(context, &names)?;
                if context.out.json() {
                    return context.out.document(&serde_json::json!({ "pulled": names }));
                }
                context.out.line(match names.as_slice() {
                    [] => "The default models are here already.".to_owned(),
                    names => format!("Here now, and checked: {}.", names.join(", ")),
                })
            }
            What::Check => check(context),
        }
    }
}

/// A name of the registry; others are refused before anything is fetched.
fn known(context: &Context, name: String) -> Result<String, End> {
    if models::list(context.brief()).iter().any(|model| model.name == name) {
        return Ok(name);
    }
    Err(End::usage(
        format!("There is no model called {name} in the registry."),
        "`icore models list` shows their names.",
    ))
}

fn list(context: &Context) -> Result<(), End> {
    let models = models::list(context.brief());
    if context.out.json() {
        return context.out.document(&serde_json::json!({ "models": models }));
    }
    let row = |model: &ModelLine| {
        let here = match (model.present, model.fits) {
            (true, _) => "here",
            (false, true) => "not here",
            (false, false) => "too large for here",
        };
        let about = if model.pinned { "" } else { "about " };
        let (bytes, needs) = (format!("{about}{}", size(model.bytes)), format!("{} in memory", size(model.needs)));
        vec![model.name.clone(), model.role.clone(), bytes, needs, here.to_owned(), model.licence.clone()]
    };
    context.out.table(&models.iter().map(row).collect::<Vec<_>>())
}

fn check(context: &Context) -> Result<(), End> {
    let out = &context.out;
    let mut verdicts = Vec::new();
    for model in models::list(context.brief()).iter().filter(|model| model.present) {
        let verdict = models::check(context.brief(), &model.name);
        // What the registry could not know, the owner can compare with what the publisher says.
        let unknown = match (&verdict, model.pinned) {
            (Ok(()), false) => models::hashes(context.brief(), &model.name)?,
            _ => Vec::new(),
        };
        verdicts.push((model.name.clone(), verdict, unknown));
    }
    let broken = verdicts.iter().filter(|(_, verdict, _)| verdict.is_err()).count();
    if out.json() {
        let models: Vec<_> = verdicts
            .iter()
            .map(|(name, verdict, unknown)| match verdict {
                Ok(()) if !unknown.is_empty() => {
                    let hashes: std::collections::BTreeMap<_, _> = unknown.iter().cloned().collect();
                    serde_json::json!({ "name": name, "ok": true, "unpinned": hashes })
                }
                Ok(()) => serde_json::json!({ "name": name, "ok": true }),
                Err(failure) => serde_json::json!({ "name": name, "ok": false, "why": failure.message }),
            })
            .collect();
        out.document(&serde_json::json!({ "models": models, "ok": broken == 0 }))?;
        return if broken == 0 { Ok(()) } else { Err(End::Said(1)) };
    }
    if verdicts.is_empty() {
        out.note("No models are here. `icore models pull` fetches the defaults.");
    }
    for (name, verdict, unknown) in &verdicts {
        match verdict {
            Ok(()) if !unknown.is_empty() => {
                out.line(format!("{name}: here, and the registry has no hash to hold it against"))?;
                for (file, hash) in unknown {
                    out.line(format!("  {file}: SHA-256 {hash}"))?;
                }
            }
            Ok(()) => out.line(format!("{name}: every byte is right"))?,
            Err(failure) => out.line(format!("{name}: {}", failure.message))?,
        }
    }
    match broken {
        0 => Ok(()),
        _ => Err(Failure::new(
            ErrorKind::Damaged,
            "A model is not what the registry says.",
            "`icore models pull NAME` fetches it again.",
        )
        .into()),
    }
}

/// Fetches models one after the other, with progress; Ctrl-C stops cleanly and leaves no half file in use.
pub fn pull_all(context: &Context, names: &[String]) -> Result<(), End> {
    names.iter().try_for_each(|name| pull(context, name))
}

fn pull(context: &Context, name: &str) -> Result<(), End> {
    context.out.note(format!("Fetching {name} …"));
    line::block_on(async {
        let cancel = Arc::new(AtomicBool::new(false));
        let (reports, mut heard) = mpsc::channel::<Progress>(64);
        let (settings, name, flag) = (context.brief().clone(), name.to_owned(), cancel.clone());
        let mut work = tokio::task::spawn_blocking(move || {
            // Progress is dropped rather than waited for.
            models::pull(&settings, &name, &mut |progress| drop(reports.try_send(progress)), &flag)
        });
        let mut meter = Meter::new(&context.out);
        loop {
            tokio::select! {
                done = &mut work => {
                    let result = done.map_err(|_| End::unexpected("fetching a model"))?;
                    return match result {
                        Err(_) if cancel.load(Ordering::Relaxed) => Err(End::Interrupted),
                        other => Ok(other?),
                    };
                }
                Some(progress) = heard.recv() => meter.report(&progress),
                _ = tokio::signal::ctrl_c() => {
                    if cancel.swap(true, Ordering::Relaxed) {
                        return Err(End::Interrupted);
                    }
                }
            }
        }
    })
}
