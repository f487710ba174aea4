//! The command line: one file per command group, each a client of the node.
//!
//! What a script may rely on: results go to stdout, everything said beside them to stderr; `--json` shapes are stable;
//! exit codes are 0 done, 1 failed, 2 asked for wrongly, 3 refused by consent, 130 stopped by the person.
//! No command touches a model, a database or a socket: all of that is behind `hinet_node`.

mod account;
mod args;
mod ask;
mod assembly;
mod audit;
mod bench;
mod clean;
mod compose;
mod config;
mod consent;
mod context;
mod delta;
mod demo;
mod disclose;
mod doctor;
mod end;
mod face;
mod ingest;
mod init;
mod keys;
mod kill;
mod lab;
mod line;
mod log;
mod manual;
mod memory;
mod meter;
mod models;
mod moment;
mod node;
mod output;
mod people;
mod prompt;
mod recovery;
mod schedule;
mod sleep;
mod sources;
mod terms;
mod unlock;

use clap::Parser;
use hinet_protocol::{ErrorKind, Failure};
use hinet_tui::abilities::Abilities;
use std::process::ExitCode;

use args::{Cli, Command};
use context::Context;
use end::End;
use output::Output;

/// Runs the program: reads the arguments, does what they say, and turns the outcome into an exit code.
pub fn main() -> ExitCode {
    hinet_tui::term::install_panic_hook(None);
    no_core_dump();
    log::start();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    let out = Output::new(cli.everywhere.json, cli.everywhere.quiet);
    // The hook has already said where it happened; a panic is exit code 1 like any other failure.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let context = Context::new(&cli.everywhere, out.clone())?;
        run(cli.command, &context)
    }));
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(end)) => end.say(&out),
        Err(_) => ExitCode::FAILURE,
    }
}

/// A crash must not write the memory of a process that holds keys and notes to the disk.
fn no_core_dump() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Lowering a limit of one's own is always allowed; where it is not known, there are no core files either.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

fn run(command: Option<Command>, context: &Context) -> Result<(), End> {
    let Some(command) = command else { return open_terminal(context) };
    match command {
        Command::Init(init) => init.run(context),
        Command::Ask(ask) => ask.run(context),
        Command::Ingest(ingest) => ingest.run(context),
        Command::Sources(sources) => sources.run(context),
        Command::Memory(memory) => memory.run(context),
        Command::Consent(consent) => consent.run(context),
        Command::Disclose(disclose) => disclose.run(context),
        Command::Audit(audit) => audit.run(context),
        Command::Kill(kill) => kill.run(context),
        Command::Keys(keys) => keys.run(context),
        Command::Node(node) => node.run(context),
        Command::Models(models) => models.run(context),
        Command::Sleep(sleep) => sleep.run(context),
        Command::Delta(delta) => delta.run(context),
        Command::Compose(compose) => compose.run(context),
        Command::Assembly(assembly) => assembly.run(context),
        Command::Config(config) => config.run(context),
        Command::Doctor(doctor) => doctor.run(context),
        Command::Demo(demo) => demo.run(context),
        Command::Bench(bench) => bench.run(context),
        Command::Lab(lab) => lab.run(context),
        Command::Completions(completions) => completions.run(context),
        Command::Man(man) => man.run(context),
        Command::Panic { text, drawn } => {
            let _screen = drawn.then(|| hinet_tui::term::Screen::enter(Abilities::default())).transpose()?;
            panic!("{text}")
        }
    }
}

/// Plain `icore`: the terminal.
fn open_terminal(context: &Context) -> Result<(), End> {
    if context.out.json() {
        return Err(Failure::new(
            ErrorKind::Usage,
            "The chat has no JSON form.",
            "Use `icore ask --json QUESTION`, or leave --json out.",
        )
        .into());
    }
    if !context.out.full_terminal() {
        return Err(Failure::new(
            ErrorKind::Usage,
            "The chat needs a terminal, and this is not one.",
            "Use `icore ask QUESTION` in scripts; `icore --help` lists every command.",
        )
        .into());
    }
    face::open(context)
}

/// What clap has to say: help and versions on stdout, misreadings on stderr with exit code 2.
fn misread(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|arg| arg == "--json");
    if error.use_stderr() && json {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let failure = Failure::new(ErrorKind::Usage, message, "`icore --help` lists every command and option.");
        return End::from(failure).say(&Output::new(true, false));
    }
    // A reader that went away has read enough.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}
