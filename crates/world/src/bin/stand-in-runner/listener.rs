//! `Runner.Listener`: waits for the one job of its configuration, and has a Worker run it
//! (`Runner.Listener/Runner.cs`, `Runner.Listener/JobDispatcher.cs`).

use std::collections::BTreeMap;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reprise_world::stand_in::{Conclusion, Installed, Job, Report, WORKER};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::TERMINATED_ERROR;
use crate::message::Message;
use crate::verdict::Verdict;

/// How often it looks whether GitHub has something for it.
const GLANCE: Duration = Duration::from_millis(20);

/// What it hears of while it waits.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// Runs one job, or ends when it is told to.
pub(crate) async fn run(runner: &Installed) -> io::Result<u8> {
    let mut signals = Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    };
    if let Some(config) = jit_config()
        && let Err(error) = save(runner, &config)
    {
        eprintln!("{error}");
        return Ok(TERMINATED_ERROR);
    }
    if !runner.root().join(".runner").exists() {
        eprintln!("Runner is not configured.");
        return Ok(TERMINATED_ERROR);
    }
    println!("Listening for Jobs");
    tokio::select! {
        job = next_job(runner) => dispatch(runner, &job?, &mut signals).await?,
        () = signals.any() => (),
    }
    Ok(0)
}

/// By the command line, else by a variable (`CommandSettings.cs`, `GetArg`).
fn jit_config() -> Option<String> {
    let mut arguments = std::env::args().skip_while(|word| word != "--jitconfig");
    let variable = std::env::var("ACTIONS_RUNNER_INPUT_JITCONFIG").ok();
    arguments
        .nth(1)
        .or(variable)
        .filter(|text| !text.is_empty())
}

/// Puts the files that are in the configuration beside `bin` (`Runner.cs`, `ExecuteCommand`).
fn save(runner: &Installed, config: &str) -> io::Result<()> {
    let decode = |text: &str| STANDARD.decode(text).map_err(io::Error::other);
    let files: BTreeMap<String, String> = serde_json::from_slice(&decode(config)?)?;
    for (name, content) in files {
        std::fs::write(runner.root().join(name), decode(&content)?)?;
    }
    Ok(())
}

async fn next_job(runner: &Installed) -> io::Result<Job> {
    appears(&runner.job_file()).await;
    Ok(serde_json::from_slice(&std::fs::read(runner.job_file())?)?)
}

/// Has the Worker run the job, and tells it once when it is to end.
async fn dispatch(runner: &Installed, job: &Job, signals: &mut Signals) -> io::Result<()> {
    println!("Running job: {}", job.name);
    let mut worker = start_worker(runner)?;
    let mut channel = worker.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    send(&mut channel, &Message::NewJobRequest(job.clone())).await?;
    let cancel = runner.cancel_file();
    let last_word = tokio::select! {
        status = worker.wait() => return finish(runner, job, status?.code()),
        () = signals.any() => Message::RunnerShutdown,
        () = appears(&cancel) => Message::CancelRequest,
    };
    // A Worker that is gone has said what came of the job, or will be missed below.
    let _ = send(&mut channel, &last_word).await;
    let status = worker.wait().await?;
    finish(runner, job, status.code())
}

fn start_worker(runner: &Installed) -> io::Result<Child> {
    let folder = runner.root().join("bin");
    let mut worker = Command::new(folder.join(WORKER));
    // What it was told by variables is taken out of its environment (`CommandSettings.cs`).
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ACTIONS_RUNNER_INPUT_") {
            worker.env_remove(name);
        }
    }
    worker
        .arg("spawnclient")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .spawn()
}

async fn send(channel: &mut ChildStdin, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    channel.write_all(&line).await?;
    channel.flush().await
}

/// A Worker that ends without a job's result has crashed, and the job has failed (`ForceFailJob`).
fn finish(runner: &Installed, job: &Job, code: Option<i32>) -> io::Result<()> {
    let verdict = code.and_then(Verdict::from_return_code);
    if verdict.is_none() {
        let report = Report {
            conclusion: Conclusion::Failure,
            annotations: vec!["the worker ended without a result".to_owned()],
            steps: Vec::new(),
        };
        std::fs::write(runner.report_file(), serde_json::to_vec_pretty(&report)?)?;
    }
    let verdict = verdict.unwrap_or(Verdict::Failed);
    println!("Job {} completed with result: {verdict:?}", job.name);
    Ok(())
}

async fn appears(file: &std::path::Path) {
    while !file.exists() {
        pause(GLANCE).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process of its own looks for files that other processes write"
)]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

impl Signals {
    /// Both are taken as the wish of a person to end it (`CtrlCHandler`, `Runner_Unloading`); only the
    /// first says so.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => println!("Exiting..."),
            _ = self.terminate.recv() => (),
        }
    }
}
