//! `cargo xtask chaos agent`: the suite that breaks everything around the agent, for its table.

use anyhow::Result;

use crate::command::{self, cargo};

/// Builds the programs and plays the rows whose names hold one of the words, or all.
pub(crate) fn agent(words: &[String]) -> Result<()> {
    // The same selection as the tests', so that the EC2 SDK is built once.
    command::run(&mut cargo(&["build", "--workspace", "--locked"]))?;
    let mut suite = cargo(&["test", "--workspace", "--locked", "--quiet"]);
    suite.args(["--test", "agent_chaos", "--"]).args(words);
    // A row that misses its figure has missed it: only tests beside other tests try again.
    suite.arg("--once");
    // An error says what happened; where it was made adds fifty lines.
    suite.env("RUST_LIB_BACKTRACE", "0");
    command::run(&mut suite)
}
