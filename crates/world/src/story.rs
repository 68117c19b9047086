//! What happened, with the names that a reader needs.
//!
//! EC2 speaks of instances and GitHub of numbers; here both are one story. How it is written for
//! people is not decided here.

use jiff::{SignedDuration, Timestamp};
use reprise_model::check::CheckState;
use reprise_model::ids::{InstanceId, JobId, Repository, RunAttempt, RunId};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;

use crate::ec2::{Caller, Ec2Happening, EndReason, Happened, InterruptionAction};
use crate::github::{Happening, HappeningKind, Refusal, Rerun};
use crate::world::World;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Tale,
}

/// A run in one attempt, as people call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedRun {
    /// Where it runs.
    pub repository: Repository,
    /// The workflow's name.
    pub workflow: String,
    /// Its id.
    pub id: RunId,
    /// The attempt.
    pub attempt: RunAttempt,
}

/// A job in one attempt, as people call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedJob {
    /// Its run.
    pub run: NamedRun,
    /// Its name.
    pub name: String,
    /// Its id in this attempt.
    pub id: JobId,
}

/// An instance, as people call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedInstance {
    /// Its id.
    pub id: InstanceId,
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// Its type, as `c7a.large`.
    pub instance_type: String,
    /// The job that its runner took.
    pub job: Option<NamedJob>,
}

/// What was asked to be re-run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// One job, by its name.
    Job(String),
    /// All failed jobs.
    FailedJobs,
    /// Everything.
    WholeRun,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tale {
    /// A push started a run.
    RunStarted {
        /// The run.
        run: NamedRun,
        /// What started it, as `push`.
        event: String,
        /// Who did.
        actor: String,
    },
    /// A job waits for a runner.
    JobQueued {
        /// The job.
        job: NamedJob,
        /// Its labels.
        labels: Vec<String>,
    },
    /// A runner took a job.
    JobStarted {
        /// The job.
        job: NamedJob,
        /// The runner's name.
        runner: String,
        /// Its instance.
        instance: Option<NamedInstance>,
    },
    /// A job ended, or its end was carried over into a new attempt.
    JobCompleted {
        /// The job.
        job: NamedJob,
        /// How.
        conclusion: Conclusion,
        /// Whether it did not execute in this attempt.
        carried_over: bool,
        /// The instance that it ran on.
        instance: Option<NamedInstance>,
    },
    /// An attempt of a run ended.
    RunCompleted {
        /// The run.
        run: NamedRun,
        /// How.
        conclusion: Conclusion,
    },
    /// A check run was written about a run.
    CheckWritten {
        /// The run.
        run: NamedRun,
        /// The check run's name.
        name: String,
        /// Where it stands.
        state: CheckState,
        /// Its line.
        title: String,
    },
    /// A run was cancelled.
    RunCancelled {
        /// The run.
        run: NamedRun,
        /// By whom, or by what.
        by: String,
    },
    /// A re-run was accepted; the attempt is the new one.
    RerunAccepted {
        /// The run.
        run: NamedRun,
        /// What was asked for.
        asked: Asked,
        /// By whom.
        by: String,
    },
    /// A re-run was refused.
    RerunRefused {
        /// The run.
        run: NamedRun,
        /// What was asked for.
        asked: Asked,
        /// By whom.
        by: String,
        /// Why.
        refusal: Refusal,
    },
    /// A job planned which jobs are left to do.
    Planned {
        /// The job.
        job: NamedJob,
        /// How many.
        necessary: usize,
        /// Of how many.
        of: usize,
    },
    /// The hook of an agent saved what a job has made so far.
    CheckpointSaved {
        /// The job.
        job: NamedJob,
        /// How long it has worked for that, in all attempts.
        worked: SignedDuration,
    },
    /// A job began with what an earlier attempt of it had saved.
    CheckpointRestored {
        /// The job.
        job: NamedJob,
        /// How much work that is.
        worked: SignedDuration,
    },
    /// An instance was launched.
    Launched {
        /// The instance.
        instance: NamedInstance,
        /// Its zone.
        zone: String,
        /// The labels of the job that it is for.
        labels: Vec<String>,
    },
    /// A pool had no instance to give.
    LaunchRefused {
        /// The type asked for.
        instance_type: String,
        /// The zone asked for.
        zone: String,
        /// Spot or on-demand.
        capacity: Capacity,
        /// The error's code.
        code: String,
    },
    /// An instance's operating system begins to run.
    InstanceRunning(NamedInstance),
    /// The runner of an instance registered.
    RunnerRegistered {
        /// The instance.
        instance: NamedInstance,
        /// The runner's name.
        runner: String,
    },
    /// EC2 gave notice.
    Notice {
        /// The instance.
        instance: NamedInstance,
        /// What EC2 is going to do.
        action: InterruptionAction,
        /// When.
        time: Timestamp,
    },
    /// EC2 recommends to move on.
    RebalanceRecommended(NamedInstance),
    /// An instance was tagged after its launch.
    Tagged {
        /// The instance.
        instance: NamedInstance,
        /// Who did.
        by: Caller,
        /// The tag's key.
        key: String,
        /// The tag's value.
        value: String,
    },
    /// An instance began to end or to stop.
    ShuttingDown {
        /// The instance.
        instance: NamedInstance,
        /// Why.
        reason: EndReason,
    },
    /// An instance stopped and may come back.
    Stopped(NamedInstance),
    /// An instance ended.
    Terminated {
        /// The instance.
        instance: NamedInstance,
        /// Why.
        reason: EndReason,
    },
}

impl World {
    pub(crate) fn tell_ec2(&mut self, happening: Ec2Happening) {
        if let Some(what) = self.ec2_tale(happening.what) {
            self.tell(happening.at, what);
        }
    }

    pub(crate) fn tell_github(&mut self, happening: Happening) {
        if let Some(what) = self.github_tale(&happening) {
            self.tell(happening.at, what);
        }
    }

    pub(crate) fn tell_registered(&mut self, id: &InstanceId) {
        let runner = self.machine(id).map(|machine| machine.runner.to_string());
        if let (Some(instance), Some(runner)) = (self.named_instance(id), runner) {
            self.tell(self.now(), Tale::RunnerRegistered { instance, runner });
        }
    }

    fn ec2_tale(&self, what: Happened) -> Option<Tale> {
        let named = |id| self.named_instance(id);
        Some(match what {
            Happened::Launched { id, zone, .. } => Tale::Launched {
                instance: named(&id)?,
                zone,
                labels: self.machine(&id)?.labels.clone(),
            },
            Happened::LaunchRefused {
                instance_type,
                zone,
                capacity,
                code,
            } => Tale::LaunchRefused {
                instance_type,
                zone,
                capacity,
                code,
            },
            Happened::Running(id) => Tale::InstanceRunning(named(&id)?),
            Happened::Notice { id, action, time } => Tale::Notice {
                instance: named(&id)?,
                action,
                time,
            },
            Happened::RebalanceRecommended(id) => Tale::RebalanceRecommended(named(&id)?),
            Happened::Tagged { id, by, key, value } => Tale::Tagged {
                instance: named(&id)?,
                by,
                key,
                value,
            },
            Happened::ShuttingDown { id, reason } => Tale::ShuttingDown {
                instance: named(&id)?,
                reason,
            },
            Happened::Stopped(id) => Tale::Stopped(named(&id)?),
            Happened::Terminated { id, reason } => Tale::Terminated {
                instance: named(&id)?,
                reason,
            },
        })
    }

    fn github_tale(&self, happening: &Happening) -> Option<Tale> {
        let run = self.named_run(happening.run, happening.attempt)?;
        Some(match happening.what.clone() {
            HappeningKind::RunStarted => self.run_started(run)?,
            HappeningKind::JobQueued { job, name } => Tale::JobQueued {
                labels: self.github().job(job)?.2.labels.clone(),
                job: NamedJob { run, name, id: job },
            },
            HappeningKind::JobStarted { job, name, runner } => Tale::JobStarted {
                job: NamedJob { run, name, id: job },
                instance: self.instance_of(&runner),
                runner,
            },
            HappeningKind::JobCompleted {
                job,
                name,
                conclusion,
                carried_over,
            } => Tale::JobCompleted {
                instance: self.instance_of_job(job),
                job: NamedJob { run, name, id: job },
                conclusion,
                carried_over,
            },
            HappeningKind::RunCompleted { conclusion } => Tale::RunCompleted { run, conclusion },
            HappeningKind::CheckWritten { name, state, title } => Tale::CheckWritten {
                run,
                name,
                state,
                title,
            },
            HappeningKind::CancelAccepted { by } => Tale::RunCancelled { run, by },
            HappeningKind::RerunAccepted { asked, by } => Tale::RerunAccepted {
                run,
                asked: self.asked(asked),
                by,
            },
            HappeningKind::RerunRefused { asked, by, refusal } => Tale::RerunRefused {
                run,
                asked: self.asked(asked),
                by,
                refusal,
            },
        })
    }

    fn run_started(&self, run: NamedRun) -> Option<Tale> {
        let spec = &self.github().run(run.id)?.spec;
        let (event, actor) = (spec.event.clone(), spec.actor.clone());
        Some(Tale::RunStarted { run, event, actor })
    }

    fn asked(&self, asked: Rerun) -> Asked {
        match asked {
            Rerun::Job(id) => {
                let job = self.github().job(id).map(|(_, _, job)| job.name.clone());
                Asked::Job(job.unwrap_or_default())
            }
            Rerun::FailedJobs(_) => Asked::FailedJobs,
            Rerun::WholeRun(_) => Asked::WholeRun,
        }
    }

    fn named_run(&self, id: RunId, attempt: RunAttempt) -> Option<NamedRun> {
        let spec = &self.github().run(id)?.spec;
        Some(NamedRun {
            repository: spec.repository.clone(),
            workflow: spec.workflow_name.clone(),
            id,
            attempt,
        })
    }

    pub(crate) fn named_job(&self, id: JobId) -> Option<NamedJob> {
        let (run, attempt, job) = self.github().job(id)?;
        Some(NamedJob {
            run: self.named_run(run.id, attempt.number)?,
            name: job.name.clone(),
            id,
        })
    }

    fn named_instance(&self, id: &InstanceId) -> Option<NamedInstance> {
        let machine = self.machine(id)?;
        Some(NamedInstance {
            id: id.clone(),
            capacity: machine.capacity,
            instance_type: machine.instance_type.clone(),
            job: machine.job.and_then(|job| self.named_job(job)),
        })
    }

    fn instance_of(&self, runner: &str) -> Option<NamedInstance> {
        self.named_instance(&self.machine_of_runner(runner)?.id)
    }

    fn instance_of_job(&self, id: JobId) -> Option<NamedInstance> {
        let (_, _, job) = self.github().job(id)?;
        self.instance_of(&job.runner.as_ref()?.name)
    }
}
