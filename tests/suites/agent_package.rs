//! What the agent's package puts onto an instance, judged by systemd's own tools and by what is written there.
//! `cargo xtask dist agent` looks at the package itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use reprise_tests::agent_host::deploy;
use reprise_tests::harness::program::built;

const UNITS: [&str; 3] = [
    "reprise-agent.service",
    "reprise-runner.path",
    "reprise-runner.service",
];

/// How exposed the agent may be, in systemd's own measure.
const MOST_EXPOSED: f64 = 3.0;

fn systemd_analyze(arguments: &[&str]) -> Result<Output> {
    let output = Command::new("systemd-analyze").args(arguments).output();
    output.context("systemd-analyze cannot be started; install systemd")
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn unit(name: &str) -> Result<String> {
    Ok(std::fs::read_to_string(deploy()?.join("agent").join(name))?)
}

/// The keys and values of a unit.
fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('='))
}

/// A file system with the package's files where it puts them, and the system's own targets.
fn instance() -> Result<tempfile::TempDir> {
    let root = tempfile::tempdir()?;
    let at = |path: &str| -> Result<PathBuf> {
        let folder = root.path().join(path);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    let (units, programs, scripts) = (
        at("usr/lib/systemd/system")?,
        at("usr/bin")?,
        at("usr/lib/reprise")?,
    );
    std::fs::copy("/bin/mv", at("bin")?.join("mv"))?;
    std::fs::copy("/bin/true", programs.join("reprise-agent"))?;
    for name in UNITS {
        std::fs::copy(deploy()?.join("agent").join(name), units.join(name))?;
    }
    for name in ["start-runner.sh", "job-completed.sh"] {
        std::fs::copy(deploy()?.join("agent").join(name), scripts.join(name))?;
    }
    for entry in std::fs::read_dir("/usr/lib/systemd/system").context("install systemd")? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "target")
        {
            std::fs::copy(&path, units.join(path.file_name().unwrap_or_default()))?;
        }
    }
    Ok(root)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() -> Result<()> {
    let root = instance()?;
    let place = format!("--root={}", root.path().display());
    let mut arguments = vec!["verify", "--man=no", &place];
    arguments.extend(UNITS);
    let output = systemd_analyze(&arguments)?;
    ensure!(
        output.status.success() && said(&output).is_empty(),
        "{}",
        said(&output)
    );
    Ok(())
}

#[test]
fn the_agent_is_hardened() -> Result<()> {
    let path = deploy()?.join("agent/reprise-agent.service");
    let path = path.to_str().context("no text")?;
    let said = said(&systemd_analyze(&[
        "security",
        "--offline=true",
        "--no-pager",
        path,
    ])?);
    let overall = said
        .lines()
        .find(|line| line.contains("Overall exposure level"));
    let (_, level) = overall
        .and_then(|line| line.split_once("service: "))
        .context(said.clone())?;
    let level: f64 = level.split(' ').next().unwrap_or_default().parse()?;
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
