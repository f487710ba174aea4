//! The terminal face of `icore` as a library, so that tests can drive it without a terminal.
//!
//! `app` is the program people live in (`update` without IO, `view` without state changes, effects run by the loop),
//! `onboard` the first steps on a fresh machine, `term` the guard that gives the terminal back on every exit,
//! `markdown` what answers look like, `text` the border no control sequence of a document passes, `bench` the stopwatch
//! that looks at all of it from outside. The command line lives in the binary (`cli`).

pub mod abilities;
pub mod app;
pub mod bench;
pub mod config;
pub mod markdown;
pub mod onboard;
pub mod outside;
pub mod sparkline;
pub mod term;
pub mod text;
pub mod theme;
pub mod thread;
