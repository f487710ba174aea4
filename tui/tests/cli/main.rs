//! The command line as scripts meet it: the built `icore`, run in homes of its own.

mod help;
mod home;
mod prompts;
mod run;
mod usage;
