//! `icore compose`: several models become one.

use clap::{Args, Subcommand};
use hinet_protocol::{Event, Op};
use std::path::{Path, PathBuf};

use super::context::{self, Context};
use super::end::End;
use super::line;
use super::output::{count, size};

const EXAMPLES: &str = "\
Examples:
  icore compose merge two.yml --out both
  icore compose opt-out two.yml kitchen --out without-kitchen
  icore compose moe house.yml --out larger

A recipe, as mergekit reads it (models lie beside it, as transformers writes them or as GGUF):
  merge_method: ties
  base_model: anchor
  models:
    - {model: kitchen, parameters: {weight: 0.7, density: 0.4}}
    - {model: anchor+garden-adapter, parameters: {weight: 0.5}}
  dtype: bfloat16

A recipe of experts, as mergekit reads it, with public prompts by which a router knows them and where these can be read:
  base_model: anchor.gguf
  published: the house's handbook
  experts:
    - {source_model: anchor.gguf+kitchen-adapter, positive_prompts: [Where is the fuse box?, Who has the key?]}
    - {source_model: anchor.gguf+garden-adapter, positive_prompts: [When are the roses cut?, Where is the hose?]}
  experts_per_token: 2
  dtype: float16";

/// `icore compose`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Compose {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Merge models of one shape into one, tensor by tensor; Ctrl-C interrupts, the same command goes on
    Merge {
        /// The recipe
        #[arg(value_name = "RECIPE")]
        recipe: PathBuf,
        /// A folder that is not there yet
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Compose a recipe anew as if some of its models had never been in it; nothing is subtracted
    OptOut {
        /// The recipe
        #[arg(value_name = "RECIPE")]
        recipe: PathBuf,
        /// Who leaves, as the recipe calls it
        #[arg(value_name = "MODEL", required = true)]
        model: Vec<String>,
        /// A folder that is not there yet
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The recipe is one of experts
        #[arg(long)]
        moe: bool,
    },
    /// Put the feed-forward layers of several models side by side as the experts of one larger, sparse model
    Moe {
        /// The recipe
        #[arg(value_name = "RECIPE")]
        recipe: PathBuf,
        /// A folder that is not there yet
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

fn merge(recipe: &Path, out: &Path, without: Vec<String>) -> Result<Op, End> {
    Ok(Op::Compose { recipe: context::path_text(recipe)?, out: context::path_text(out)?, without })
}

fn side_by_side(recipe: &Path, out: &Path, without: Vec<String>) -> Result<Op, End> {
    Ok(Op::ComposeExperts { recipe: context::path_text(recipe)?, out: context::path_text(out)?, without })
}

impl Compose {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        line::with(context, async |line| {
            let out = &line.context.out;
            let (op, to) = match self.what {
                What::Merge { recipe, out } => (merge(&recipe, &out, vec![])?, out),
                What::Moe { recipe, out } => (side_by_side(&recipe, &out, vec![])?, out),
                What::OptOut { recipe, model, out, moe: false } => (merge(&recipe, &out, model)?, out),
                What::OptOut { recipe, model, out, moe: true } => (side_by_side(&recipe, &out, model)?, out),
            };
            let Event::Composed { out: place, recipe, members, tensors, kept, bytes } = line.one(op).await? else {
                return Err(End::unexpected("a composed model"));
            };
            if out.json() {
                let document = serde_json::json!({
                    "out": place, "recipe": recipe, "members": members, "tensors": tensors, "kept": kept, "bytes": bytes,
                });
                return out.document(&document);
            }
            out.line(format!(
                "{} are one, in {}: {}.",
                count(members.len() as u64, "model"),
                to.display(),
                size(bytes)
            ))?;
            out.note(format!("The recipe's hash is {recipe}."));
            Ok(())
        })
    }
}
