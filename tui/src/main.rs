//! The binary `icore`. The child that parses what may run away is told apart before anything else is set up; all the
//! rest is the command line, which opens the terminal face where no command is given.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|arg| arg == "__extract") {
        return hinet_node::extract_child();
    }
    cli::main()
}
