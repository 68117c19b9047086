//! `Runner.Worker`: runs the job that its Listener sends (`Runner.Worker/Worker.cs`, `JobRunner.cs`).

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use reprise_world::stand_in::{Installed, Job, Report};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::TERMINATED_ERROR;
use crate::diagnostics::Diagnostics;
use crate::message::{Message, Stop};
use crate::orphans;
use crate::steps::StepsRunner;
use crate::surroundings::Surroundings;

type Channel = Lines<BufReader<pipe::Receiver>>;

/// Runs the job, and writes what came of it.
pub(crate) async fn run(runner: Installed) -> io::Result<u8> {
    // Ctrl-C is for the Listener, which tells it what to do (`Runner.Common/Terminal.cs`).
    let _interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut channel = channel()?;
    let Some(Message::NewJobRequest(job)) = next(&mut channel).await? else {
        return Ok(TERMINATED_ERROR);
    };
    let diagnostics = Arc::new(Diagnostics::start(&runner)?);
    diagnostics.job_message(&job);
    let (stop, stopped) = watch::channel(Stop::No);
    let listening = async {
        tokio::select! {
            message = next(&mut channel) => match message {
                Ok(Some(Message::CancelRequest)) => Some(Stop::Cancel),
                Ok(Some(Message::RunnerShutdown)) => Some(Stop::Shutdown),
                // The Listener is gone: the read fails, and the Worker with it.
                Ok(Some(Message::NewJobRequest(_)) | None) | Err(_) => None,
            },
            _ = terminate.recv() => Some(Stop::Shutdown),
        }
    };
    let steps = StepsRunner::new(&runner, &job, diagnostics, stopped)?;
    let working = work(&runner, &job, steps);
    tokio::pin!(working);
    tokio::select! {
        code = &mut working => return code,
        heard = listening => match heard {
            // Nothing is heard after the first word.
            Some(reason) => stop.send_replace(reason),
            None => return Ok(TERMINATED_ERROR),
        },
    };
    working.await
}

async fn work(runner: &Installed, job: &Job, steps: StepsRunner) -> io::Result<u8> {
    let (verdict, annotations, reports) = steps.run(job).await;
    orphans::end(&Surroundings::of(runner, job)?);
    let report = Report {
        conclusion: verdict.conclusion(),
        annotations,
        steps: reports,
    };
    let whole = runner.root().join("result.json.new");
    std::fs::write(&whole, serde_json::to_vec_pretty(&report)?)?;
    std::fs::rename(whole, runner.report_file())?;
    Ok(verdict.return_code())
}

fn channel() -> io::Result<Channel> {
    let pipe = std::io::stdin().as_fd().try_clone_to_owned()?;
    Ok(BufReader::new(pipe::Receiver::from_owned_fd(pipe)?).lines())
}

async fn next(channel: &mut Channel) -> io::Result<Option<Message>> {
    match channel.next_line().await? {
        Some(line) => Ok(Some(serde_json::from_str(&line)?)),
        None => Ok(None),
    }
}
