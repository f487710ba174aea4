//! The command line as scripts meet it: the built `icore`, run in homes of its own.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod help;
mod home;
mod prompts;
mod run;
mod usage;
