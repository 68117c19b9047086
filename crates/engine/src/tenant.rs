//! Which job ran on an instance of ours.
//!
//! An instance is launched for a job and not bound to it: its runner may take another job of the
//! same run, also one of a later attempt. Which job it took, only the runner's name tells. A job of
//! another run is not found here.

use std::collections::BTreeMap;

use reprise_model::ids::{InstanceId, RunAttempt};
use reprise_model::instance::InstanceView;
use reprise_model::job::{Job, JobStatus};
use reprise_model::ledger::LaunchClaim;
use reprise_model::run::Run;
use reprise_model::runner_name::RunnerNamePattern;

/// What was read so far of the run that an instance was launched for.
#[derive(Debug, Clone, Copy)]
pub struct RunSeen<'a> {
    /// The run.
    pub run: Option<&'a Run>,
    /// The jobs of its attempts, each list whole.
    pub lists: &'a BTreeMap<RunAttempt, Vec<Job>>,
}

/// A read of the run, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunRead {
    /// The run itself.
    Run,
    /// All jobs of this attempt.
    Jobs(RunAttempt),
}

/// The job that an instance took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Tenant<'a> {
    /// This must be read first.
    Read(RunRead),
    /// It took this one. One that still runs goes before one that has ended.
    Job(&'a Job),
    /// No job of the run.
    Nobody,
}

/// Which job of the claim's run the instance took: in the attempt that it was launched for, or in a
/// later one.
pub fn tenant<'a>(
    view: &InstanceView,
    claim: &LaunchClaim,
    runner_name: &RunnerNamePattern,
    seen: RunSeen<'a>,
) -> Tenant<'a> {
    let on = |jobs: &'a [Job]| on_instance(&view.instance.id, jobs, runner_name);
    let Some(first) = seen.lists.get(&claim.attempt) else {
        return Tenant::Read(RunRead::Jobs(claim.attempt));
    };
    if let Some(job) = on(first) {
        return Tenant::Job(job);
    }
    let Some(run) = seen.run else {
        return Tenant::Read(RunRead::Run);
    };
    let later = claim.attempt.get().saturating_add(1)..=run.run_attempt.get();
    for attempt in later.filter_map(RunAttempt::new) {
        match seen.lists.get(&attempt) {
            None => return Tenant::Read(RunRead::Jobs(attempt)),
            Some(jobs) => {
                if let Some(job) = on(jobs) {
                    return Tenant::Job(job);
                }
            }
        }
    }
    Tenant::Nobody
}

fn on_instance<'a>(
    id: &InstanceId,
    jobs: &'a [Job],
    runner_name: &RunnerNamePattern,
) -> Option<&'a Job> {
    let is_here = |job: &&Job| {
        let named = job
            .runner_name
            .as_ref()
            .and_then(|name| runner_name.read(name));
        named.is_some_and(|named| named.id == *id)
    };
    let mut here: Vec<&Job> = jobs.iter().filter(is_here).collect();
    here.sort_by_key(|job| job.status == JobStatus::Completed);
    here.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{attempt, claim, job, run, view};

    const OTHER: &str = "i-0123456789abcdef1";

    #[test]
    fn the_attempt_of_the_launch_is_read_first_and_is_often_enough() {
        assert_eq!(
            said(None, &[]),
            Tenant::Read(RunRead::Jobs(attempt(1))).into()
        );
        let lists = [(1, vec![on(OTHER, job(1, "build")), job(2, "test")])];
        assert_eq!(said(None, &lists), Said::Job(2), "it took a sibling's job");
    }

    #[test]
    fn later_attempts_are_read_where_the_first_does_not_tell() {
        let first = (1, vec![on(OTHER, job(1, "build"))]);
        assert_eq!(
            said(None, std::slice::from_ref(&first)),
            Said::Read(RunRead::Run)
        );
        let latest = Run {
            run_attempt: attempt(2),
            ..run()
        };
        assert_eq!(
            said(Some(&latest), std::slice::from_ref(&first)),
            Said::Read(RunRead::Jobs(attempt(2)))
        );
        let lists = [first.clone(), (2, vec![job(11, "build")])];
        assert_eq!(said(Some(&latest), &lists), Said::Job(11));
        assert_eq!(said(Some(&run()), &[first]), Said::Nobody);
    }

    #[test]
    fn a_job_that_runs_goes_before_one_that_has_ended() {
        let running = Job {
            status: JobStatus::InProgress,
            ..job(2, "test")
        };
        let lists = [(1, vec![job(1, "build"), running])];
        assert_eq!(said(None, &lists), Said::Job(2));
    }

    #[derive(Debug, PartialEq)]
    enum Said {
        Read(RunRead),
        Job(u64),
        Nobody,
    }

    impl From<Tenant<'_>> for Said {
        fn from(tenant: Tenant<'_>) -> Self {
            match tenant {
                Tenant::Read(read) => Self::Read(read),
                Tenant::Job(job) => Self::Job(job.id.0),
                Tenant::Nobody => Self::Nobody,
            }
        }
    }

    fn said(run: Option<&Run>, lists: &[(u32, Vec<Job>)]) -> Said {
        let lists = lists
            .iter()
            .map(|(number, jobs)| (attempt(*number), jobs.clone()))
            .collect();
        let seen = RunSeen { run, lists: &lists };
        tenant(&view(), &claim(), &RunnerNamePattern::default(), seen).into()
    }

    fn on(host: &str, job: Job) -> Job {
        let name = format!("reprise--{host}--{}", job.name);
        Job {
            runner_name: Some(reprise_model::ids::RunnerName::new(name)),
            ..job
        }
    }
}
