//! A stand-in for GitHub's runner: `Runner.Listener` or `Runner.Worker`, by the name of its file.
//!
//! It behaves as the source of actions/runner says where an agent on the same machine could tell: which
//! processes there are, what signals do to them, which steps still run, what is logged and how the job
//! concludes. Each of these files names its own in that source. What the programs are told and leave behind is
//! in `reprise_world::stand_in`.

mod composite;
mod diagnostics;
mod invoker;
mod listener;
mod message;
mod orphans;
mod steps;
mod surroundings;
mod verdict;
mod worker;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use reprise_world::stand_in::{Installed, LISTENER, WORKER};

/// What both programs end with when they cannot do their work (`Constants.Runner.ReturnCode`).
const TERMINATED_ERROR: u8 = 1;

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(TERMINATED_ERROR)
        }
    }
}

fn run() -> io::Result<u8> {
    let program = std::env::current_exe()?;
    let folder = program.parent().and_then(Path::parent);
    let runner = Installed::at(folder.unwrap_or(Path::new("/")));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match program.file_name().and_then(|name| name.to_str()) {
        Some(LISTENER) => runtime.block_on(listener::run(&runner)),
        Some(WORKER) => runtime.block_on(worker::run(runner)),
        Some(_) | None => Err(io::Error::other(
            "copy this program to bin/Runner.Listener and bin/Runner.Worker of a folder",
        )),
    }
}
