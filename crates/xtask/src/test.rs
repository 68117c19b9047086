//! `cargo xtask test`: one selection of crates and features, so that the EC2 SDK is built once.

use anyhow::Result;

use crate::command::{self, cargo};
use crate::peers;

/// Builds the programs that the end-to-end tests start, then runs every test.
pub(crate) fn run(hermetic: bool) -> Result<()> {
    let selection = ["--workspace", "--locked"];
    let features: &[&str] = if hermetic { &[] } else { &["--features", "reprise-tests/peers"] };
    let folder = if hermetic { None } else { Some(peers::install()?) };
    for words in [["build", "--all-targets"].as_slice(), ["test"].as_slice()] {
        let mut command = cargo(words);
        command.args(selection).args(features);
        if let Some(folder) = &folder {
            command.env("REPRISE_PEERS", folder);
        }
        command::run(&mut command)?;
    }
    if hermetic {
        println!("left out by --hermetic: the tests against moto, ministack and GitHub's own descriptions");
    }
    Ok(())
}
