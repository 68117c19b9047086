//! What the agent's package puts onto an instance, judged by systemd's own tools and by what is written there.
//! `cargo xtask dist agent` looks at the package itself.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use reprise_tests::agent_host::deploy;
use reprise_tests::harness::program::built;
use reprise_tests::systemd::{Machine, entries, exposure, said};

const UNITS: [&str; 3] = [
    "reprise-agent.service",
    "reprise-runner.path",
    "reprise-runner.service",
];

/// How exposed the agent may be, in systemd's own measure.
const MOST_EXPOSED: f64 = 3.0;

fn unit(name: &str) -> Result<String> {
    Ok(std::fs::read_to_string(deploy()?.join("agent").join(name))?)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() -> Result<()> {
    let machine = Machine::bare()?;
    machine.put(Path::new("/bin/mv"), "bin")?;
    machine.put_as(Path::new("/bin/true"), "usr/bin/reprise-agent")?;
    for name in UNITS {
        machine.put(
            &deploy()?.join("agent").join(name),
            "usr/lib/systemd/system",
        )?;
    }
    for name in ["start-runner.sh", "job-completed.sh"] {
        machine.put(&deploy()?.join("agent").join(name), "usr/lib/reprise")?;
    }
    machine.finds_nothing_wrong_with(&UNITS)
}

#[test]
fn the_agent_is_hardened() -> Result<()> {
    let level = exposure(&deploy()?.join("agent/reprise-agent.service"))?;
    ensure!(level <= MOST_EXPOSED, "{level}");
    Ok(())
}

/// What a unit says of another makes one end with the other; what confines a unit confines its jobs.
#[test]
fn nothing_ties_the_runner_to_the_agent_and_nothing_confines_its_jobs() -> Result<()> {
    for name in UNITS {
        let text = unit(name)?;
        let other = if name.starts_with("reprise-agent") {
            "reprise-runner"
        } else {
            "reprise-agent"
        };
        for (key, value) in entries(&text) {
            // A path unit may say which service it starts, and a manual page may have any name.
            let names = value.contains(other) && !["Documentation", "ExecStart"].contains(&key);
            ensure!(!names, "{name}: {key}={value}");
        }
    }
    let runner = unit("reprise-runner.service")?;
    for (key, value) in entries(&runner) {
        let confines = [
            "Protect",
            "Private",
            "Restrict",
            "Capability",
            "SystemCall",
            "NoNew",
            "Memory",
        ];
        // When it is started again is no restriction of what it may do.
        let confines =
            confines.iter().any(|word| key.starts_with(word)) && key != "RestartForceExitStatus";
        ensure!(!confines, "{key}={value}");
    }
    ensure!(runner.contains("\nUser=runner\n"));
    Ok(())
}

/// A shutdown of the machine tells the runner as the agent would, and leaves its job the time that it takes.
#[test]
fn a_stop_of_the_runner_is_a_sigint_to_its_listener_with_time_to_tell_github() -> Result<()> {
    let text = unit("reprise-runner.service")?;
    let said = |line: &str| text.lines().any(|one| one == line);
    ensure!(said("KillSignal=SIGINT") && said("KillMode=process"));
    ensure!(said("TimeoutStopSec=60") && said("OOMPolicy=continue"));
    Ok(())
}

#[test]
fn the_packaged_settings_are_sound_with_and_without_a_runner() -> Result<()> {
    let workspace = deploy()?.join("..");
    let example = std::fs::read_to_string(workspace.join("crates/agent/examples/agent.toml"))?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("agent.toml");
    for text in [example.clone(), uncommented(&example)] {
        std::fs::write(&path, &text)?;
        let output = check(&path)?;
        ensure!(output.status.success(), "{}in\n{text}", said(&output));
    }
    Ok(())
}

/// With every key set to what the file says of it.
fn uncommented(example: &str) -> String {
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || is_key(rest) => format!("{rest}\n"),
        Some(_) | None => format!("{line}\n"),
    };
    example.lines().map(line).collect()
}

fn is_key(text: &str) -> bool {
    let name = text.split_once(" = ").map(|(name, _)| name);
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}

fn check(settings: &Path) -> Result<Output> {
    let mut command = Command::new(built("reprise-agent")?);
    command
        .arg("--check-config")
        .arg("--config")
        .arg(settings)
        .env_clear();
    Ok(command.output()?)
}

#[test]
fn the_manual_page_has_every_option_of_the_program() -> Result<()> {
    let help = Command::new(built("reprise-agent")?)
        .arg("--help")
        .output()?;
    let page = unit("reprise-agent.8")?.replace('\\', "");
    let help = said(&help);
    let options = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"));
    let options: Vec<&str> = options.collect();
    ensure!(options.len() >= 4, "{help}");
    for option in options {
        ensure!(
            page.contains(option.trim_end_matches(['.', ','])),
            "{option} is not in it"
        );
    }
    Ok(())
}

#[test]
fn the_manual_page_names_the_variables_of_hooks() -> Result<()> {
    let page = unit("reprise-agent.8")?;
    let source = deploy()?
        .with_file_name("crates")
        .join("agent/src/hook_folder.rs");
    let source = std::fs::read_to_string(source)?;
    let names: Vec<&str> = source
        .split('"')
        .filter(|word| word.starts_with("REPRISE_"))
        .collect();
    ensure!(names.len() >= 9, "{names:?}");
    for name in names {
        ensure!(page.contains(name), "{name} is not in it");
    }
    Ok(())
}

#[test]
fn the_hook_at_a_jobs_end_never_fails_it() -> Result<()> {
    let hook = deploy()?.join("agent/job-completed.sh");
    // Whether or not there is an agent on this machine.
    let status = Command::new("sh")
        .arg(hook)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()?;
    ensure!(status.status.success(), "{}", said(&status));
    Ok(())
}
