//! Looks for what the rest of the build needs, before anything slow is built: this crate is compiled among the first,
//! so a missing tool is one clear sentence instead of a page from a C library's build script.
#![allow(clippy::disallowed_types, reason = "asking a tool for its version is how one learns whether it is there")]

use std::env;
use std::process::{Command, ExitCode, Stdio};

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rerun-if-env-changed=CC");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let compiler_runs = runs(&compiler, &["--version"]) || ["gcc", "clang"].iter().any(|cc| runs(cc, &["--version"]));
    let needs = [
        (compiler_runs, "a C compiler (gcc or clang)", "to build SQLCipher and OpenSSL"),
        (runs("perl", &["-e", "exit 0"]), "perl", "to configure OpenSSL"),
        (runs("make", &["--version"]), "make", "to build OpenSSL"),
        (runs("python3", &["-m", "pip", "--version"]), "python3 with pip", "to fetch the default models"),
    ];
    let missing: Vec<_> = needs.iter().filter(|(there, ..)| !there).collect();
    for (_, what, why) in &missing {
        println!("cargo::error=HiNet needs {what} {why}, and it is not on this machine's PATH.");
    }
    if missing.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!(
        "cargo::error=Install what is missing (Debian: apt install build-essential perl python3-pip; macOS: xcode-select --install) and run the same command again."
    );
    ExitCode::FAILURE
}
