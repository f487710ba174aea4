//! `icore doctor`: what works here and what does not. It goes as far as it can: without a home, and without an unlock,
//! it still looks over the machine. Exit code 1 means that something stored is damaged, or could not be opened.

use clap::Args;
use hinet_node::models;
use hinet_node::setup::{self, HomeState};
use hinet_protocol::{Check, DoctorReport, ErrorKind, Event, Failure, Op};
use std::path::{Path, PathBuf};

use super::clean;
use super::context::Context;
use super::end::End;
use super::output::Output;
use super::{line, prompt};

/// `icore doctor`
#[derive(Debug, Args)]
#[command(
    after_help = "Exits 1 when something stored is damaged. The index is derived: --rebuild-index makes it again from the vault."
)]
pub struct Doctor {
    /// Make the search index again from the vault
    #[arg(long)]
    rebuild_index: bool,
}

impl Doctor {
    /// Looks everything over.
    pub fn run(self, context: &Context) -> Result<(), End> {
        let mut checks = machine(context);
        let stored = self.stored(context, &mut checks);
        let report = DoctorReport { checks };
        show(&context.out, &report, stored.is_ok())?;
        stored?;
        if report.is_sound() { Ok(()) } else { Err(End::Said(1)) }
    }

    /// What is stored, as far as it can be opened. The error is what stopped the looking.
    fn stored(&self, context: &Context, checks: &mut Vec<Check>) -> Result<(), End> {
        let home = context.home().display();
        let state = match setup::state(context.brief()) {
            Ok(state) => state,
            Err(failure) => return found(checks, failure),
        };
        let HomeState::Ready { passphrase, keychain } = state else {
            checks.push(check("home", "warn", format!("there is no iCore at {home} yet; `icore` makes one")));
            checks.extend(model_files(context));
            return if self.rebuild_index { Err(nothing_to_rebuild(context)) } else { Ok(()) };
        };
        let opened_by = match (passphrase, keychain) {
            (true, true) => "a passphrase or the keychain opens it",
            (true, false) => "a passphrase opens it",
            (false, true) => "the keychain opens it",
            (false, false) => "only the recovery words open it",
        };
        checks.push(check("home", "ok", format!("{home}; {opened_by}")));
        let unlockable = context.passphrase_file.is_some() || keychain || prompt::can_ask_secret();
        if !unlockable && !self.rebuild_index {
            let detail = "not looked into: locked, and there is no terminal to ask for the passphrase in; \
                          ICORE_PASSPHRASE_FILE unlocks it";
            checks.push(check("memory", "warn", detail));
            checks.extend(model_files(context));
            return Ok(());
        }
        let rebuild_index = self.rebuild_index;
        let looked = line::with(context, async |line| match line.one(Op::Doctor { rebuild_index }).await? {
            Event::Doctor { report } => Ok(report),
            _ => Err(End::unexpected("the doctor")),
        });
        match looked {
            Ok(report) => {
                checks.extend(report.checks);
                Ok(())
            }
            Err(End::Failure(failure)) => {
                checks.extend(model_files(context));
                found(checks, failure)
            }
            Err(end) => Err(end),
        }
    }
}

/// A home that cannot be opened because it is damaged is a finding; anything else stops the looking.
fn found(checks: &mut Vec<Check>, failure: Failure) -> Result<(), End> {
    if failure.kind != ErrorKind::Damaged {
        return Err(failure.into());
    }
    let detail = format!("{} {}", failure.message, failure.hint);
    checks.push(check("memory", "damaged", detail.trim_end()));
    Ok(())
}

fn nothing_to_rebuild(context: &Context) -> End {
    End::failed(
        format!("There is no iCore at {}, so there is no index to rebuild.", context.home().display()),
        "Run `icore` to make one.",
    )
}

fn check(name: &str, state: &str, detail: impl Into<String>) -> Check {
    Check { name: name.into(), state: state.into(), detail: detail.into() }
}

/// What can be said without any home.
fn machine(context: &Context) -> Vec<Check> {
    let mut checks = vec![
        check("icore", "ok", concat!("version ", env!("CARGO_PKG_VERSION"))),
        terminal(&context.out),
        config(),
        python(),
    ];
    let missing: Vec<&str> = [("a C compiler", &["cc", "gcc", "clang"][..]), ("perl", &["perl"]), ("make", &["make"])]
        .into_iter()
        .filter(|(_, names)| names.iter().all(|name| on_path(name).is_none()))
        .map(|(what, _)| what)
        .collect();
    checks.push(match missing.as_slice() {
        [] => check("build tools", "ok", "a C compiler, perl and make are here"),
        missing => {
            let missing = missing.join(" and ");
            check("build tools", "warn", format!("{missing} not found; needed only to build icore, not to run it"))
        }
    });
    checks
}

fn terminal(out: &Output) -> Check {
    if !out.full_terminal() {
        return check("terminal", "ok", "none here; commands work, the chat needs one");
    }
    let kind = std::env::var("TERM").unwrap_or_default();
    match crossterm::terminal::size() {
        _ if kind == "dumb" => check("terminal", "warn", "TERM=dumb cannot show the chat; commands work"),
        Ok((columns, rows)) if columns < 40 || rows < 10 => {
            check("terminal", "warn", format!("{columns}x{rows} is small; the chat wants 80x24"))
        }
        Ok((columns, rows)) => check("terminal", "ok", format!("{columns}x{rows}, {kind}")),
        Err(error) => check("terminal", "warn", format!("it does not say how large it is: {error}")),
    }
}

/// The owner's config. What cannot be in it is no damage: the defaults hold there.
fn config() -> Check {
    let Some(path) = hinet_tui::config::path() else {
        return check("config", "warn", "HOME is not set, so there is no place to look for one");
    };
    let complaints = hinet_tui::config::read(Some(&path)).complaints;
    match (complaints.len(), path.exists()) {
        (0, true) => check("config", "ok", path.display().to_string()),
        (0, false) => check("config", "ok", "there is none; the defaults hold"),
        _ => check("config", "warn", format!("{}: {}", path.display(), complaints.join(" "))),
    }
}

/// python3 with pip: what models are fetched with where there is no other source.
fn python() -> Check {
    let Some(python) = on_path("python3") else {
        return check("python3", "warn", "not found; `icore models pull` needs python3 with pip to fetch models");
    };
    if on_path("pip3").or_else(|| on_path("pip")).is_some() || has_pip(&python) {
        return check("python3", "ok", format!("{} with pip", python.display()));
    }
    check("python3", "warn", "found, but pip was not; `icore models pull` needs both (try the package python3-pip)")
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Whether a module named pip lies beside this interpreter.
fn has_pip(python: &Path) -> bool {
    let Some(root) = python.parent().and_then(Path::parent) else { return false };
    let Ok(libraries) = std::fs::read_dir(root.join("lib")) else { return false };
    libraries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .any(|entry| ["site-packages", "dist-packages"].iter().any(|part| entry.path().join(part).join("pip").is_dir()))
}

/// The default models, without a node to ask.
fn model_files(context: &Context) -> Vec<Check> {
    let missing = models::missing(context.brief());
    let here = models::list(context.brief()).into_iter().filter(|model| model.present);
    let mut checks: Vec<Check> = here
        .map(|model| {
            let name = format!("model {}", model.name);
            match models::check(context.brief(), &model.name) {
                Ok(()) => check(&name, "ok", "its hash is right"),
                Err(failure) => check(&name, "damaged", failure.message),
            }
        })
        .collect();
    checks.extend(missing.iter().map(|name| {
        check(&format!("model {name}"), "warn", "not on this machine yet; `icore models pull` fetches it")
    }));
    checks
}

/// Prints the findings. `finished` is false where the looking was stopped by a failure that is printed after this.
fn show(out: &Output, report: &DoctorReport, finished: bool) -> Result<(), End> {
    let sound = report.is_sound() && finished;
    if out.json() {
        return out.document(&serde_json::json!({ "checks": report.checks, "ok": sound }));
    }
    let width = report.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    for check in &report.checks {
        let state = format!("{:<8}", check.state);
        let state = if check.state == "ok" { out.dim(&state) } else { out.bold(&state) };
        let name = clean::one_line(&check.name);
        out.line(format!("{state} {name:<width$}  {}", clean::one_line(&check.detail)))?;
    }
    if !finished {
        return Ok(());
    }
    let damaged = report.checks.iter().filter(|check| check.state == "damaged").count();
    let warned = report.checks.iter().filter(|check| check.state == "warn").count();
    out.note(match (damaged, warned) {
        (0, 0) => "Everything is sound.".to_owned(),
        (0, n) => format!("Nothing stored is damaged; {n} thing{} to know.", if n == 1 { "" } else { "s" }),
        (n, _) => {
            format!("{n} damaged: what is derived can be made again with --rebuild-index; the rest from a replica.")
        }
    });
    Ok(())
}
