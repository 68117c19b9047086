//! What a step does: one script, or those of a composite action (`Handlers/CompositeActionHandler.cs`).

use std::io;
use std::path::PathBuf;

use crate::diagnostics::Diagnostics;
use crate::invoker::Invoker;
use crate::message::{Stop, Stopped, stopped};
use crate::verdict::Verdict;

/// The work of a step.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// A script that stands somewhere.
    File(PathBuf),
    /// A script.
    Script(String),
    /// Those of a composite action.
    Composite(Vec<String>),
}

/// How it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// The step.
    pub(crate) verdict: Verdict,
    /// Whether the whole job counts as cancelled: a composite action that has steps left when the runner ends
    /// says so itself, and then the job does not fail.
    pub(crate) cancels_job: bool,
}

/// Does it; `heeds` says whether a stop ends it.
pub(crate) async fn run(
    work: &Work,
    invoker: &Invoker<'_>,
    diagnostics: &Diagnostics,
    stop: &Stopped,
    heeds: impl Fn(Stop) -> bool,
) -> io::Result<Ended> {
    let cancel = || async {
        let reason = stopped(&mut stop.clone()).await;
        if !heeds(reason) {
            std::future::pending().await
        }
    };
    let scripts = match work {
        Work::File(path) => return invoker.script(path, cancel()).await.map(alone),
        Work::Script(text) => {
            let path = write(invoker, text)?;
            return invoker.script(&path, cancel()).await.map(alone);
        }
        Work::Composite(scripts) => scripts,
    };
    let mut ended = alone(Verdict::Succeeded);
    for script in scripts {
        let name = script.lines().next().unwrap_or_default();
        let text = format!("Processing embedded step: DisplayName='Run {name}'");
        diagnostics.info("CompositeActionHandler", &text);
        ended.cancels_job |= *stop.borrow() != Stop::No;
        if ended.verdict == Verdict::Succeeded {
            let path = write(invoker, script)?;
            let verdict = invoker.script(&path, cancel()).await?;
            ended.verdict = ended.verdict.merge(verdict);
        }
    }
    Ok(ended)
}

fn alone(verdict: Verdict) -> Ended {
    Ended {
        verdict,
        cancels_job: false,
    }
}

fn write(invoker: &Invoker<'_>, script: &str) -> io::Result<PathBuf> {
    let folder = &invoker.surroundings.scripts;
    let file = tempname(folder);
    std::fs::write(&file, script)?;
    Ok(file)
}

fn tempname(folder: &std::path::Path) -> PathBuf {
    let name = |number: usize| folder.join(format!("script-{number}.sh"));
    let mut number = 1;
    while name(number).exists() {
        number += 1;
    }
    name(number)
}
