//! `icore completions` and `icore man`: made from the same definitions the arguments are read with.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man as Page;
use std::path::PathBuf;

use super::args::Cli;
use super::context::Context;
use super::end::End;
use super::output::count;

const SHELLS: &str = "\
Examples:
  icore completions bash > ~/.local/share/bash-completion/completions/icore
  icore completions zsh > ~/.zfunc/_icore
  icore completions fish > ~/.config/fish/completions/icore.fish";

/// `icore completions`
#[derive(Debug, Args)]
#[command(after_help = SHELLS)]
pub struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "icore", &mut script);
        context.out.raw(&script)
    }
}

/// `icore man`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  icore man | man -l -\n  icore man --out ~/.local/share/man/man1")]
pub struct Man {
    /// Write the pages of all commands into this folder, instead of printing the first one
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    /// Prints or writes.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let Some(dir) = self.out else {
            let mut page = Vec::new();
            Page::new(Cli::command()).render(&mut page)?;
            return context.out.raw(&page);
        };
        let failed = |error: std::io::Error| {
            End::failed(
                format!("The manual pages could not be written to {}: {error}.", dir.display()),
                "Give a folder that you may write to.",
            )
        };
        std::fs::create_dir_all(&dir).map_err(failed)?;
        let mut names = Vec::new();
        for page in pages(Cli::command()) {
            page.generate_to(&dir).map_err(failed)?;
            names.push(page.get_filename());
        }
        if context.out.json() {
            return context.out.document(&serde_json::json!({ "out": dir, "pages": names }));
        }
        context.out.line(format!("{} written to {}.", count(names.len() as u64, "page"), dir.display()))
    }
}

/// One page a command, named as the command is said: `icore-memory-search`.
fn pages(mut root: clap::Command) -> Vec<Page> {
    fn walk(command: &clap::Command, pages: &mut Vec<Page>) {
        pages.push(Page::new(command.clone()));
        command.get_subcommands().filter(|child| !child.is_hide_set()).for_each(|child| walk(child, pages));
    }
    root.build();
    let mut pages = Vec::new();
    walk(&root, &mut pages);
    pages
}
