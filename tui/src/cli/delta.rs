//! `icore delta`: what changes the anchor. Adapters in the form of Hugging Face PEFT are taken in and let out.

use clap::{Args, Subcommand, ValueEnum};
use hinet_protocol::{DeltaForm, DeltaKind, DeltaLine, ErrorKind, Event, Failure, Hash, Op};
use std::path::{Path, PathBuf};

use super::context::{self, Context};
use super::end::End;
use super::line::{self, Line};
use super::output::{Output, size};
use super::{assembly, clean, moment};

const EXAMPLES: &str = "\
Examples:
  icore delta import ~/adapters/kitchen --name kitchen
  icore delta use kitchen          (the anchor answers with it from here on)
  icore delta use none
  icore delta export kitchen --out kitchen-copy
  icore delta export kitchen --out kitchen.gguf --form gguf    (factors for llama.cpp)
  icore delta sign kitchen --about kitchen.txt --published 'the handbook' --out kitchen.json
  icore delta fold kitchen --out kitchen-model.gguf            (a whole model file)";

/// `icore delta`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Delta {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the deltas, and which one the anchor answers with
    List,
    /// Say everything about one
    Show {
        /// Its name, or the beginning of its hash
        #[arg(value_name = "DELTA")]
        delta: String,
    },
    /// Take one in from a folder with adapter_config.json and adapter_model.safetensors; it is sealed
    Import {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// What to call it, where it is not the folder's name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Have the anchor answer with one, or with none
    Use {
        /// Its name, or the beginning of its hash; `none` takes it off
        #[arg(value_name = "DELTA")]
        delta: String,
    },
    /// Write one out of the sealed home, for PEFT; needs your passphrase, and the ledger says so
    Export {
        /// Its name, or the beginning of its hash
        #[arg(value_name = "DELTA")]
        delta: String,
        /// A folder that is empty or not there yet; with `--form gguf` a file that is not there yet
        #[arg(long, value_name = "PATH")]
        out: PathBuf,
        /// For PEFT, or as the file of factors that llama.cpp loads beside the model
        #[arg(long, value_enum, default_value_t = Form::Peft)]
        form: Form,
        /// Also one that a night learned from your own texts: whoever has it can find out what they say
        #[arg(long)]
        private: bool,
    },
    /// Write the anchor with one added to it as a model file of its own; needs your passphrase, and the ledger says so
    Fold {
        /// Its name, or the beginning of its hash
        #[arg(value_name = "DELTA")]
        delta: String,
        /// A file that is not there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How the numbers that change are written; four bits would round most of a delta away
        #[arg(long, value_enum, default_value_t = Precision::F16)]
        precision: Precision,
        /// Also one that a night learned from your own texts: whoever has it can find out what they say
        #[arg(long)]
        private: bool,
    },
    /// Make a signature of what one knows, for assemblies elsewhere; it holds places of public prompts and no words
    Sign {
        /// Its name, or the beginning of its hash
        #[arg(value_name = "DELTA")]
        delta: String,
        /// A file of public prompts about what it knows, one on each line; `-` reads it from stdin
        #[arg(long, value_name = "FILE")]
        about: PathBuf,
        /// Where these prompts are published
        #[arg(long, value_name = "WHERE")]
        published: String,
        /// A file that is not there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Remove one
    Remove {
        /// Its name, or the beginning of its hash
        #[arg(value_name = "DELTA")]
        delta: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Peft,
    Gguf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Precision {
    F16,
    Bf16,
    F32,
}

impl Delta {
    /// Does what was asked.
    pub fn run(self, context: &Context) -> Result<(), End> {
        line::with(context, async |line| {
            let out = &line.context.out;
            match self.what {
                What::List => list(out, &all(line).await?),
                What::Show { delta } => show(out, &find(line, &delta).await?),
                What::Import { folder, name } => {
                    let folder = context::path_text(&folder)?;
                    let taken = deltas(line.one(Op::DeltaImport { folder, name }).await?)?;
                    let Some(delta) = taken.first() else { return Err(End::unexpected("a delta")) };
                    tell(
                        out,
                        delta,
                        &format!("{} is taken in and sealed: {}.", clean::one_line(&delta.name), delta.said),
                    )?;
                    out.note(format!(
                        "`icore delta use {}` has the anchor answer with it.",
                        clean::one_line(&delta.name)
                    ));
                    Ok(())
                }
                What::Use { delta } if delta == "none" => {
                    line.one(Op::DeltaWear { hash: None }).await?;
                    if out.json() {
                        return out.document(&serde_json::json!({ "worn": null }));
                    }
                    out.line("The anchor answers as it is.")
                }
                What::Use { delta } => {
                    let delta = find(line, &delta).await?;
                    line.one(Op::DeltaWear { hash: Some(delta.hash) }).await?;
                    if out.json() {
                        return out.document(&serde_json::json!({ "worn": delta.hash }));
                    }
                    out.line(format!("The anchor answers with {}.", clean::one_line(&delta.name)))
                }
                What::Export { delta, out: to, form, private } => {
                    let form = if form == Form::Peft { DeltaForm::Peft } else { DeltaForm::GgufLora };
                    let_out(line, &delta, &to, form, private).await
                }
                What::Fold { delta, out: to, precision, private } => {
                    let form = match precision {
                        Precision::F16 => DeltaForm::FoldedF16,
                        Precision::Bf16 => DeltaForm::FoldedBf16,
                        Precision::F32 => DeltaForm::FoldedF32,
                    };
                    let_out(line, &delta, &to, form, private).await
                }
                What::Sign { delta, about, published, out: to } => {
                    let delta = find(line, &delta).await?;
                    let prompts = assembly::prompts(&assembly::read(&about, out)?);
                    let op = Op::DeltaSign { hash: delta.hash, prompts, published };
                    let Event::Signed { signature } = line.one(op).await? else {
                        return Err(End::unexpected("a signature"));
                    };
                    let written = std::fs::File::create_new(&to)
                        .and_then(|mut file| std::io::Write::write_all(&mut file, signature.as_bytes()));
                    written.map_err(|error| {
                        End::failed(
                            format!("{} cannot be written ({error}).", to.display()),
                            "Name a file that is not there yet.",
                        )
                    })?;
                    let name = clean::one_line(&delta.name);
                    tell(
                        out,
                        &delta,
                        &format!("What {name} knows is signed, in {}; hand it over with the delta.", to.display()),
                    )
                }
                What::Remove { delta } => {
                    let delta = find(line, &delta).await?;
                    line.one(Op::DeltaRemove { hash: delta.hash }).await?;
                    tell(out, &delta, &format!("{} is removed.", clean::one_line(&delta.name)))
                }
            }
        })
    }
}

/// Writes one out, with the owner's proof.
async fn let_out(line: &Line<'_>, name: &str, to: &Path, form: DeltaForm, private: bool) -> Result<(), End> {
    let (delta, folder) = (find(line, name).await?, context::path_text(to)?);
    line.prove(Op::DeltaExport { hash: delta.hash, folder, form, private }).await?;
    let said = format!("{} is in {}, readable by anyone.", clean::one_line(&delta.name), to.display());
    tell(&line.context.out, &delta, &said)
}

fn deltas(event: Event) -> Result<Vec<DeltaLine>, End> {
    match event {
        Event::Deltas { deltas } => Ok(deltas),
        _ => Err(End::unexpected("the list of deltas")),
    }
}

async fn all(line: &Line<'_>) -> Result<Vec<DeltaLine>, End> {
    deltas(line.one(Op::Deltas).await?)
}

/// The delta that `name` means: by its name, else by the beginning of its hash.
pub(super) async fn find(line: &Line<'_>, name: &str) -> Result<DeltaLine, End> {
    let all = all(line).await?;
    let hash = |hash: &Hash| hash.to_string();
    let mut meant: Vec<DeltaLine> = all.iter().filter(|delta| delta.name == name).cloned().collect();
    if meant.is_empty() && name.len() >= 4 {
        meant = all.into_iter().filter(|delta| hash(&delta.hash).starts_with(&name.to_ascii_lowercase())).collect();
    }
    match meant.len() {
        1 => Ok(meant.remove(0)),
        0 => Err(End::failed(format!("There is no delta {name}."), "`icore delta list` shows their names.")),
        n => Err(Failure::new(
            ErrorKind::Usage,
            format!("{n} deltas are meant by {name}."),
            "`icore delta list --json` shows their hashes; write the beginning of one.",
        )
        .into()),
    }
}

/// One delta as JSON, or a sentence about it.
fn tell(out: &Output, delta: &DeltaLine, sentence: &str) -> Result<(), End> {
    if out.json() { out.document(delta) } else { out.line(sentence) }
}

fn list(out: &Output, deltas: &[DeltaLine]) -> Result<(), End> {
    if out.json() {
        return out.document(&serde_json::json!({ "deltas": deltas }));
    }
    if deltas.is_empty() {
        out.note("There are no deltas: the anchor answers as it is. `icore delta import DIR` takes one in.");
        return Ok(());
    }
    let row = |delta: &DeltaLine| {
        vec![
            if delta.worn { "answers" } else { "" }.to_owned(),
            clean::one_line(&delta.name),
            whose(delta.kind).to_owned(),
            delta.said.clone(),
            size(delta.bytes),
            moment::show(delta.at),
            delta.hash.to_string().chars().take(12).collect(),
        ]
    };
    out.table(&deltas.iter().map(row).collect::<Vec<_>>())
}

/// Whom a delta is for.
fn whose(kind: DeltaKind) -> &'static str {
    match kind {
        DeltaKind::Imported => "taken in",
        DeltaKind::Private => "for you alone",
        DeltaKind::Public => "for others too",
    }
}

fn show(out: &Output, delta: &DeltaLine) -> Result<(), End> {
    if out.json() {
        return out.document(delta);
    }
    out.line(format!(
        "{} ({})",
        clean::one_line(&delta.name),
        if delta.worn { "the anchor answers with it" } else { "not in use" }
    ))?;
    out.line(format!("  {}", delta.said))?;
    out.line(format!("  {}, {}, here since {}", size(delta.bytes), whose(delta.kind), moment::show(delta.at)))?;
    out.line(format!("  {}", delta.hash))
}
