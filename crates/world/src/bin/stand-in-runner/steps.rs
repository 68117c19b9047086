//! Which steps run, and how the job concludes (`Runner.Worker/StepsRunner.cs`).
//!
//! Hooks are steps like any other (`JobExtension.cs`, `JobHookProvider.cs`): the one at the start is the first,
//! the one at the end the last of the post steps, both `always()`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use reprise_world::stand_in::{Condition, Installed, Job, Step, StepReport};
use tokio::task::JoinSet;

use crate::composite::{self, Ended, Work};
use crate::diagnostics::Diagnostics;
use crate::invoker::{Invoker, Output, say};
use crate::message::{Stop, Stopped};
use crate::surroundings::Surroundings;
use crate::verdict::Verdict;

/// What people are told of a job whose runner was told to end (`JobRunner.cs`).
const SHUTDOWN: &str = "The runner has received a shutdown signal. This can happen when the runner \
     service is stopped, or a manually started runner is canceled.";

/// A step as it is queued.
#[derive(Debug, Clone)]
struct Queued {
    name: String,
    condition: Condition,
    continue_on_error: bool,
    background: bool,
    work: Work,
    post: Option<String>,
}

/// The job under way.
#[derive(Debug)]
pub(crate) struct StepsRunner {
    surroundings: Arc<Surroundings>,
    diagnostics: Arc<Diagnostics>,
    stopped: Stopped,
    pace: u32,
    verdict: Verdict,
    post: Vec<Queued>,
    reports: Vec<StepReport>,
    background: JoinSet<(StepReport, Verdict)>,
}

impl StepsRunner {
    pub(crate) fn new(
        runner: &Installed,
        job: &Job,
        diagnostics: Arc<Diagnostics>,
        stopped: Stopped,
    ) -> io::Result<Self> {
        Ok(Self {
            surroundings: Arc::new(Surroundings::of(runner, job)?),
            diagnostics,
            stopped,
            pace: job.pace.max(1),
            verdict: Verdict::Succeeded,
            post: Vec::new(),
            reports: Vec::new(),
            background: JoinSet::new(),
        })
    }

    /// Runs them all: the job's end, what is said of it, and its steps.
    pub(crate) async fn run(mut self, job: &Job) -> (Verdict, Vec<String>, Vec<StepReport>) {
        // What is pushed first is popped last.
        self.post
            .extend(hook("ACTIONS_RUNNER_HOOK_JOB_COMPLETED", "Complete runner"));
        if let Some(hook) = hook("ACTIONS_RUNNER_HOOK_JOB_STARTED", "Set up runner") {
            self.process(hook).await;
        }
        for step in &job.steps {
            self.process(queued(step)).await;
        }
        self.wait_for_background().await;
        while let Some(step) = self.post.pop() {
            self.process(step).await;
        }
        let told = (self.stop() == Stop::Shutdown).then(|| SHUTDOWN.to_owned());
        (self.verdict, told.into_iter().collect(), self.reports)
    }

    async fn process(&mut self, step: Queued) {
        let text = format!("Processing step: DisplayName='{}'", step.name);
        self.diagnostics.info("StepsRunner", &text);
        self.heed_stop();
        if self.stop() == Stop::Shutdown || !self.verdict.lets(step.condition) {
            self.reports.push(skipped(step.name));
            return;
        }
        if let Some(script) = &step.post {
            self.post.push(post(&step.name, script));
        }
        if step.background {
            return self.start_in_background(step);
        }
        let run = self.start(&step).run(step.clone());
        let (report, ended) = run.await;
        self.heed_stop();
        if ended.cancels_job {
            self.verdict = Verdict::Canceled;
        }
        self.count(report, ended.verdict);
    }

    /// The job's end once it is stopped; a cancel stays one.
    fn heed_stop(&mut self) {
        match self.stop() {
            Stop::No => (),
            Stop::Cancel => self.verdict = Verdict::Canceled,
            Stop::Shutdown if self.verdict == Verdict::Canceled => (),
            Stop::Shutdown => self.verdict = Verdict::Failed,
        }
    }

    /// Only a step that failed changes the job's end; one that was cancelled does not.
    fn count(&mut self, report: StepReport, verdict: Verdict) {
        if verdict == Verdict::Failed {
            self.verdict = self.verdict.merge(verdict);
        }
        self.reports.push(report);
    }

    fn start_in_background(&mut self, step: Queued) {
        let run = self.start(&step);
        self.background.spawn(async move {
            let (report, ended) = run.run(step).await;
            (report, ended.verdict)
        });
    }

    async fn wait_for_background(&mut self) {
        while let Some(ended) = self.background.join_next().await {
            let Ok((report, verdict)) = ended else {
                continue;
            };
            self.heed_stop();
            self.count(report, verdict);
        }
    }

    fn start(&self, step: &Queued) -> Running {
        Running {
            surroundings: self.surroundings.clone(),
            diagnostics: self.diagnostics.clone(),
            stopped: self.stopped.clone(),
            pace: self.pace,
            condition: step.condition,
        }
    }

    fn stop(&self) -> Stop {
        *self.stopped.borrow()
    }
}

/// A step that runs.
struct Running {
    surroundings: Arc<Surroundings>,
    diagnostics: Arc<Diagnostics>,
    stopped: Stopped,
    pace: u32,
    condition: Condition,
}

impl Running {
    /// A cancel ends a step whose condition it makes false, the end of the runner ends every step.
    async fn run(self, step: Queued) -> (StepReport, Ended) {
        let output = Output::default();
        let invoker = Invoker {
            surroundings: &self.surroundings,
            pace: self.pace,
            output: output.clone(),
        };
        let condition = self.condition;
        let heeds = move |stop: Stop| match stop {
            Stop::No => false,
            Stop::Cancel => !Verdict::Canceled.lets(condition),
            Stop::Shutdown => true,
        };
        let ended = composite::run(
            &step.work,
            &invoker,
            &self.diagnostics,
            &self.stopped,
            heeds,
        );
        let mut ended = ended.await.unwrap_or_else(|error| {
            say(&output, &format!("##[error]{error}"));
            Ended {
                verdict: Verdict::Failed,
                cancels_job: false,
            }
        });
        let outcome = ended.verdict.conclusion();
        if ended.verdict == Verdict::Failed && step.continue_on_error {
            ended.verdict = Verdict::Succeeded;
        }
        let text = format!("Step result: {:?}", ended.verdict);
        self.diagnostics.info("StepsRunner", &text);
        let report = StepReport {
            name: step.name,
            outcome,
            conclusion: ended.verdict.conclusion(),
            output: output.lock().map(|text| text.clone()).unwrap_or_default(),
        };
        (report, ended)
    }
}

fn queued(step: &Step) -> Queued {
    Queued {
        name: step.display_name(),
        condition: step.condition,
        continue_on_error: step.continue_on_error,
        background: step.background,
        work: match step.composite.is_empty() {
            true => Work::Script(step.run.clone()),
            false => Work::Composite(step.composite.clone()),
        },
        post: step.post.clone(),
    }
}

fn post(name: &str, script: &str) -> Queued {
    Queued {
        name: format!("Post {name}"),
        condition: Condition::Always,
        continue_on_error: false,
        background: false,
        work: Work::Script(script.to_owned()),
        post: None,
    }
}

fn hook(variable: &str, name: &str) -> Option<Queued> {
    let path = std::env::var_os(variable).filter(|path| !path.is_empty())?;
    Some(Queued {
        name: name.to_owned(),
        condition: Condition::Always,
        continue_on_error: false,
        background: false,
        work: Work::File(PathBuf::from(path)),
        post: None,
    })
}

fn skipped(name: String) -> StepReport {
    StepReport {
        name,
        outcome: Verdict::Skipped.conclusion(),
        conclusion: Verdict::Skipped.conclusion(),
        output: String::new(),
    }
}
