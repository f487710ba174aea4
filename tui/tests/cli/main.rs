//! The command line as scripts meet it: the built `icore`, run in homes of its own.
#![allow(clippy::unwrap_used, reason = "helpers here fail the test they help")]

mod config;
mod help;
mod home;
mod prompts;
mod run;
mod usage;
