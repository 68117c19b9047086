//! docs/configuration.md, made of the types that the controller's and the agent's files are read into: a key that is
//! read cannot be missing there. Tests of both crates try what the page says of defaults and ranges.

mod page;
mod source;

use anyhow::{Context, Result, bail, ensure};

use crate::command::root;
use page::{Heard, Program};
use source::Sources;

const PAGE: &str = "docs/configuration.md";

/// What follows is made; what stands before is written.
const MARK: &str = "<!-- From here on made by `cargo xtask config-reference`. -->\n";

/// Where the types are, and the words that some of them stand for.
const SOURCES: [&str; 12] = [
    "crates/model/src/machine.rs",
    "crates/model/src/policy.rs",
    "crates/config/src/lib.rs",
    "crates/config/src/file.rs",
    "crates/config/src/file/fleet.rs",
    "crates/config/src/file/labels.rs",
    "crates/config/src/file/retry.rs",
    "crates/config/src/file/said.rs",
    "crates/agent/src/settings.rs",
    "crates/agent/src/settings/interruption.rs",
    "crates/agent/src/settings/logs.rs",
    "crates/agent/src/settings/runner.rs",
];

/// Writes the page, or, to check it, compares it with what would be written.
pub(crate) fn run(check: bool) -> Result<()> {
    let path = root().join(PAGE);
    let old = std::fs::read_to_string(&path).with_context(|| format!("failed to read {PAGE}"))?;
    let (written, _) = old
        .split_once(MARK)
        .with_context(|| format!("{PAGE} lacks the line {}", MARK.trim()))?;
    let new = format!("{written}{MARK}{}", made()?);
    if !check {
        return std::fs::write(&path, new).with_context(|| format!("failed to write {PAGE}"));
    }
    if old != new {
        bail!("{PAGE} is out of date; `cargo xtask config-reference` writes it");
    }
    println!("{PAGE} shows what is read");
    Ok(())
}

fn made() -> Result<String> {
    let (of_controller, of_agent): (Vec<&str>, Vec<&str>) =
        SOURCES.iter().partition(|path| !path.contains("/agent/"));
    let controller = Program {
        title: "The controller's file",
        sources: Sources::read(&of_controller)?,
        heard: Heard::BySection,
    };
    let agent = Program {
        title: "The agent's file",
        sources: Sources::read(&of_agent)?,
        heard: Heard::ByAgent,
    };
    let made = format!("\n{}\n{}", controller.shown()?, agent.shown()?);
    ensure!(made.contains("| `"), "no key was found");
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_as_the_types_are() {
        run(true).expect("up to date");
    }
}
