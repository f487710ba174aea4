//! `icore config`: where the owner's config lies, what is wrong with it, and one to start from.

use clap::{Args, Subcommand};
use hinet_tui::config::{self, template};

use super::clean;
use super::context::Context;
use super::end::End;

const EXAMPLES: &str = "\
Examples:
  mkdir -p ~/.config/icore
  icore config show > ~/.config/icore/config.toml     start from the defaults, all as comments
  icore config check                                  what is wrong with it, in sentences

ICORE_CONFIG names another file.";

/// `icore config`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print where the config lies, whether it is there or not
    Path,
    /// Say what is wrong with it; exits 1 where anything is
    Check,
    /// Print the defaults as a commented file to start from
    Show,
}

impl Config {
    /// Does what was asked. No home and no unlock are needed.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let path = config::path().ok_or_else(|| {
            End::usage(
                "There is no home folder to look for a config in: HOME is not set.",
                "Set HOME, or ICORE_CONFIG.",
            )
        });
        let out = &context.out;
        match self.what {
            What::Path => {
                let path = path?;
                if out.json() {
                    return out.document(&serde_json::json!({ "path": path, "exists": path.exists() }));
                }
                out.line(path.display().to_string())
            }
            What::Show if out.json() => out.document(&serde_json::json!({ "toml": template() })),
            What::Show => template().lines().try_for_each(|line| out.line(line)),
            What::Check => {
                let path = path?;
                let complaints = config::read(Some(&path)).complaints;
                let end = if complaints.is_empty() { Ok(()) } else { Err(End::Said(1)) };
                if out.json() {
                    let ok = complaints.is_empty();
                    out.document(&serde_json::json!({ "path": path, "complaints": complaints, "ok": ok }))?;
                    return end;
                }
                for complaint in &complaints {
                    out.line(clean::one_line(complaint))?;
                }
                out.note(match (complaints.is_empty(), path.exists()) {
                    (true, true) => format!("{} is as it should be.", path.display()),
                    (true, false) => format!("There is no {}; the defaults hold.", path.display()),
                    _ => "For these the defaults hold.".to_owned(),
                });
                end
            }
        }
    }
}
