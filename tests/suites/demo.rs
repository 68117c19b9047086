//! `reprise demo` as a viewer runs it.

use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::harness::program::reprise;
use tokio::process::Command;
use tokio::task::JoinSet;

/// Half the usual pace: a pause of a second on a busy machine is then 25 s of the story.
const SPEED: &str = "0.5";

/// Far longer than the longest story at that pace.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every execution: repository, job, attempt, capacity, what happened.
const INTERRUPTED: &[&str] = &[
    "acme/shop unit 1 spot success",
    "acme/shop e2e 1 spot interrupted, failure",
    "acme/shop docs 1 spot success",
    "acme/shop e2e 2 on-demand success",
];
const OPTED_OUT: &[&str] = &["acme/site preview 1 spot interrupted, failure"];
const REAL_FAILURE: &[&str] = &[
    "acme/api lint 1 spot success",
    "acme/api contract 1 spot failure",
];
const TWO_INTERRUPTED: &[&str] = &[
    "acme/mobile build 1 spot success",
    "acme/mobile android 1 spot interrupted, failure",
    "acme/mobile ios 1 spot interrupted, failure",
    "acme/mobile android 2 on-demand success",
    "acme/mobile ios 2 on-demand success",
];

const MATRIX: &[&str] = &[
    "acme/checkout unit-tests 1 spot success",
    "acme/checkout e2e-shards (0) 1 spot success",
    "acme/checkout e2e-shards (1) 1 spot interrupted, failure",
    "acme/checkout e2e-shards (1) 2 on-demand success",
];
const MIXED: &[&str] = &[
    "acme/search build 1 spot interrupted, failure",
    "acme/search contract 1 spot failure",
    "acme/search build 2 on-demand success",
];
const SUPERSEDED: &[&str] = &[
    "acme/maps tiles 1 spot interrupted, failure",
    "acme/maps docs 1 spot success",
    "acme/maps tiles 1 spot success",
    "acme/maps docs 1 spot success",
];
const HOST_DIED: &[&str] = &[
    "acme/search index 1 spot failure",
    "acme/search index 2 on-demand success",
];

const TRANSIENT: &[&str] = &[
    "acme/mirror fetch 1 spot failure",
    "acme/mirror sums 1 spot failure",
    "acme/mirror fetch 2 on-demand success",
];

/// A person re-runs all of it; a plan skips what is done.
const RESUME: &[&str] = &[
    "acme/ruby plan 1 spot success",
    "acme/ruby Download source 1 spot success",
    "acme/ruby Build [debian-12/3.3] 1 spot success",
    "acme/ruby Build [debian-12/3.4] 1 spot success",
    "acme/ruby Build [ubuntu-24.04/3.3] 1 spot interrupted, failure",
    "acme/ruby Build [ubuntu-24.04/3.4] 1 spot success",
    "acme/ruby Test [debian-12/3.3] 1 - skipped",
    "acme/ruby Test [debian-12/3.4] 1 - skipped",
    "acme/ruby Test [ubuntu-24.04/3.3] 1 - skipped",
    "acme/ruby Test [ubuntu-24.04/3.4] 1 - skipped",
    "acme/ruby Index 1 - skipped",
    "acme/ruby Publish 1 - skipped",
    "acme/ruby plan 2 on-demand success",
    "acme/ruby Download source 2 - skipped",
    "acme/ruby Build [debian-12/3.3] 2 - skipped",
    "acme/ruby Build [debian-12/3.4] 2 - skipped",
    "acme/ruby Build [ubuntu-24.04/3.3] 2 on-demand success",
    "acme/ruby Build [ubuntu-24.04/3.4] 2 - skipped",
    "acme/ruby Test [debian-12/3.3] 2 on-demand success",
    "acme/ruby Test [debian-12/3.4] 2 on-demand success",
    "acme/ruby Test [ubuntu-24.04/3.3] 2 on-demand success",
    "acme/ruby Test [ubuntu-24.04/3.4] 2 on-demand success",
    "acme/ruby Index 2 on-demand success",
    "acme/ruby Publish 2 on-demand success",
];

fn demo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(reprise()?);
    command
        .arg("demo")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

async fn output(arguments: &[&str]) -> Result<Output> {
    let ended = tokio::time::timeout(PATIENCE, demo(arguments)?.output()).await;
    Ok(ended.with_context(|| format!("demo {arguments:?} did not end"))??)
}

/// Standard output and standard error.
fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_ends_as_it_says_and_shows_it_in_its_table() -> Result<()> {
    let scenarios = [
        ("interrupted", INTERRUPTED),
        ("opted-out", OPTED_OUT),
        ("real-failure", REAL_FAILURE),
        ("two-interrupted", TWO_INTERRUPTED),
        ("matrix", MATRIX),
        ("mixed", MIXED),
        ("superseded", SUPERSEDED),
        ("host-died", HOST_DIED),
        ("transient", TRANSIENT),
        ("resume", RESUME),
    ];
    // They mostly wait, so side by side they take little longer than one.
    let mut stories = JoinSet::new();
    for (seed, (name, rows)) in (1_u32..).zip(scenarios) {
        stories.spawn(plays(name, seed, rows.to_vec()));
    }
    stories.join_all().await.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_scenarios_side_by_side_end_as_each_does_alone() -> Result<()> {
    let rows = [INTERRUPTED, OPTED_OUT, REAL_FAILURE, TWO_INTERRUPTED].concat();
    plays("all", 7, rows).await
}

async fn plays(name: &'static str, seed: u32, rows: Vec<&'static str>) -> Result<()> {
    let seed = seed.to_string();
    let output = output(&["--scenario", name, "--seed", &seed, "--speed", SPEED]).await?;
    let (told, complaints) = said(&output);
    ensure!(
        output.status.success(),
        "{name}: {}\n{told}{complaints}",
        output.status
    );
    let table = table(&told);
    let cells: Vec<String> = table.iter().map(|row| row[..5].join(" ")).collect();
    ensure!(cells == rows, "{name}: {cells:#?}\n{told}");
    for row in &table {
        explains(row).with_context(|| format!("{name}\n{told}"))?;
    }
    ensure!(
        told.contains("every invariant held"),
        "{name}: no verdict:\n{told}"
    );
    ensure!(complaints.is_empty(), "{name} complains: {complaints}");
    Ok(())
}

/// What the table says of a job whose failure would not pass.
const PERMANENT: &str =
    "it failed for something that stays, and its policy re-runs only what may pass";

/// Why it came so, in words for people.
fn explains(row: &[String]) -> Result<()> {
    let [_, job, attempt, _, what, why] = row else {
        anyhow::bail!("a row of {} cells: {row:?}", row.len());
    };
    let wanted = match (job.as_str(), attempt.as_str(), what.as_str()) {
        (_, _, "skipped") => "",
        (_, "2", _) => "on-demand: every attempt above 1 is; it passed",
        ("preview" | "Build [ubuntu-24.04/3.3]", _, _) => {
            "it was interrupted, and its policy is retry=false"
        }
        ("tiles", _, "interrupted, failure") => {
            "a newer run took its place, or another has its concurrency group"
        }
        (_, _, "interrupted, failure") | ("index" | "fetch", _, _) => "re-run by Reprise",
        ("sums", _, _) => PERMANENT,
        (_, _, "failure") => "it failed and nothing shows that EC2 took its instance",
        _ => "it passed",
    };
    ensure!(
        why == wanted,
        "{job} in attempt {attempt}: {why:?} instead of {wanted:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_every_event_is_one_plain_line() -> Result<()> {
    let output = output(&["--scenario", "opted-out", "--speed", "1"]).await?;
    let (told, _) = said(&output);
    let story: Vec<&str> = told.lines().take_while(|line| !line.is_empty()).collect();
    ensure!(story.len() > 10, "a short story:\n{told}");
    for line in story {
        let mut words = line.split_whitespace();
        let time = words.next().and_then(|time| time.split_once(':'));
        let is_time = time.is_some_and(|(minutes, seconds)| {
            [minutes, seconds]
                .iter()
                .all(|part| part.parse::<u32>().is_ok())
        });
        ensure!(
            is_time && words.next().is_some(),
            "no time and no name: {line:?}"
        );
        ensure!(
            !line.chars().any(char::is_control),
            "control characters: {line:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_misspelt_scenario_is_answered_with_the_nearest() -> Result<()> {
    let output = output(&["--scenario", "interupted"]).await?;
    let (told, complaint) = said(&output);
    ensure!(output.status.code() == Some(1), "{}", output.status);
    ensure!(told.is_empty(), "{told}");
    let wanted = "error: there is no scenario \"interupted\"; did you mean \"interrupted\"?\n";
    ensure!(complaint == wanted, "{complaint}");
    Ok(())
}

#[tokio::test]
async fn a_speed_that_no_viewer_can_want_is_refused_with_what_would_be_right() -> Result<()> {
    for speed in ["0", "-1", "nan", "21", "fast"] {
        let argument = format!("--speed={speed}");
        let output = output(&[&argument]).await?;
        let (told, complaint) = said(&output);
        ensure!(
            output.status.code() == Some(2),
            "{speed}: {}",
            output.status
        );
        ensure!(told.is_empty(), "{speed}: {told}");
        let wanted = "write a number from 0.01 to 20; 1 is the usual pace";
        ensure!(complaint.contains(wanted), "{speed}: {complaint}");
    }
    Ok(())
}

#[tokio::test]
async fn the_list_names_every_scenario_with_what_it_shows() -> Result<()> {
    let output = output(&["--list"]).await?;
    let (told, complaint) = said(&output);
    ensure!(
        output.status.success() && complaint.is_empty(),
        "{complaint}"
    );
    let names: Vec<&str> = told
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let wanted = [
        "all",
        "interrupted",
        "opted-out",
        "real-failure",
        "two-interrupted",
        "matrix",
        "mixed",
        "superseded",
        "merge-queue",
        "host-died",
        "transient",
        "resume",
    ];
    ensure!(names == wanted, "{told}");
    ensure!(
        told.lines().all(|line| line.split_whitespace().count() > 3),
        "{told}"
    );
    Ok(())
}

/// The rows of the table at the end, cell by cell, without the head.
fn table(told: &str) -> Vec<Vec<String>> {
    let rows = told.lines().filter(|line| line.starts_with('│'));
    let cells = rows.map(|row| {
        let cells = row.trim_matches('│').split('┆');
        cells.map(|cell| cell.trim().to_owned()).collect()
    });
    cells.skip(1).collect()
}

/// Finding one process of the demo among all needs Linux's `/proc`.
#[cfg(target_os = "linux")]
mod killed {
    use anyhow::{Context, Result, ensure};
    use reprise_tests::harness::program::signal;
    use reprise_tests::wait;

    use super::{PATIENCE, SPEED, demo, said};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_controller_that_dies_in_mid_story_ends_the_demo_with_a_message() -> Result<()> {
        let running = demo(&["--scenario", "interrupted", "--speed", SPEED])?.spawn()?;
        let demo = running.id().context("it has ended")?;
        let controller = wait::until("the controller's process", PATIENCE, async || {
            Ok(child_that_runs(demo, "controller"))
        });
        signal("KILL", controller.await?).await?;
        let ended = tokio::time::timeout(PATIENCE, running.wait_with_output()).await;
        let output = ended.context("the demo hangs without its controller")??;
        let (told, complaint) = said(&output);
        ensure!(
            output.status.code() == Some(1),
            "{}: {told}{complaint}",
            output.status
        );
        ensure!(
            complaint.contains("the controller has ended"),
            "{complaint}"
        );
        ensure!(!told.contains("every invariant held"), "{told}");
        Ok(())
    }

    /// The child of a process whose first argument is this, as Linux tells.
    fn child_that_runs(parent: u32, part: &str) -> Option<u32> {
        let processes = std::fs::read_dir("/proc").ok()?;
        let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.into_iter().find(|id: &u32| {
            let read = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}")).ok();
            let is_child = read("stat").is_some_and(|stat| parent_of(&stat) == Some(parent));
            is_child && read("cmdline").is_some_and(|line| line.split('\0').nth(1) == Some(part))
        })
    }

    /// The fourth field; the second is in brackets and may hold anything.
    fn parent_of(stat: &str) -> Option<u32> {
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(1)?.parse().ok()
    }
}
