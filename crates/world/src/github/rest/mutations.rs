//! Calls that change a run, each one recorded with its answer.

use http::StatusCode;
use jiff::Timestamp;
use reprise_model::ids::{JobId, Repository, RunId};
use serde_json::json;

use super::answer::Answer;
use super::route::Change;
use crate::github::GitHub;
use crate::github::audit::{HappeningKind, Mutation, MutationKind};
use crate::github::rerun::{Extent, Refusal, Rerun};
use crate::github::state::Run;

impl GitHub {
    pub(super) fn mutate(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        change: Change,
    ) -> Answer {
        let run = self
            .run_in(repository, change)
            .map(|run| (run.id, run.current().number));
        let reads_before = run.and_then(|(run, _)| self.reads.get(&run).copied());
        let (answer, acted) = self.faulty(now, run.map(|(run, _)| run), change);
        self.mutations.push(Mutation {
            at: now,
            what: kind_of(change),
            repository: repository.clone(),
            run: run.map(|(run, _)| run),
            job: job_of(change),
            attempt: run.map(|(_, attempt)| attempt),
            reads_before: reads_before.unwrap_or_default(),
            answer: answer.status.as_u16(),
            message: answer.message().to_owned(),
            acted,
        });
        answer
    }

    /// The answer, and whether it was carried out, with the faults that are switched on.
    fn faulty(&mut self, now: Timestamp, run: Option<RunId>, change: Change) -> (Answer, bool) {
        let broken = Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "Server Error");
        if self.faults.fail_before_acting > 0 {
            self.faults.fail_before_acting -= 1;
            return (broken, false);
        }
        let answer = match run {
            Some(run) => self.carry_out(now, run, change),
            None => Answer::not_found(),
        };
        let acted = answer.status.is_success();
        if self.faults.fail_after_acting > 0 {
            self.faults.fail_after_acting -= 1;
            return (broken, acted);
        }
        (answer, acted)
    }

    fn carry_out(&mut self, now: Timestamp, run: RunId, change: Change) -> Answer {
        let by = self.settings.bot();
        if self.faults.no_actions_write {
            if let Change::Rerun(asked) = change {
                let refusal = Refusal::NotPermitted;
                self.happened(now, run, HappeningKind::RerunRefused { asked, by, refusal });
            }
            return refused(Refusal::NotPermitted);
        }
        match change {
            Change::Rerun(asked) => {
                let extent = self.next_extent();
                match self.rerun_of(now, asked, &by, extent) {
                    Ok(_) => Answer::new(StatusCode::CREATED, json!({})),
                    Err(refusal) => refused(refusal),
                }
            }
            Change::Cancel(run) if self.cancel_run(now, run, &by) => {
                Answer::new(StatusCode::ACCEPTED, json!({}))
            }
            Change::Cancel(_) => Answer::error(
                StatusCode::CONFLICT,
                "Cannot cancel a workflow run that is completed.",
            ),
        }
    }

    fn next_extent(&mut self) -> Extent {
        if self.faults.reruns_execute_nothing > 0 {
            self.faults.reruns_execute_nothing -= 1;
            Extent::Nothing
        } else {
            Extent::Asked
        }
    }

    fn run_in(&self, repository: &Repository, change: Change) -> Option<&Run> {
        let run = match change {
            Change::Rerun(asked) => self.run_of(asked),
            Change::Cancel(run) => self.run(run),
        };
        run.filter(|run| run.spec.repository == *repository)
            .filter(|_| !self.is_gone(repository))
    }
}

pub(super) fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::NotFound => Answer::not_found(),
        Refusal::EarlierAttempt
        | Refusal::RunOfJobActive
        | Refusal::RunActive
        | Refusal::OverAMonthOld
        | Refusal::CannotBeRetried
        | Refusal::WorkflowDisabled
        | Refusal::NotPermitted => Answer::error(StatusCode::FORBIDDEN, &refusal.to_string()),
    }
}

fn kind_of(change: Change) -> MutationKind {
    match change {
        Change::Rerun(Rerun::Job(_)) => MutationKind::RerunJob,
        Change::Rerun(Rerun::FailedJobs(_)) => MutationKind::RerunFailedJobs,
        Change::Rerun(Rerun::WholeRun(_)) => MutationKind::RerunRun,
        Change::Cancel(_) => MutationKind::CancelRun,
    }
}

fn job_of(change: Change) -> Option<JobId> {
    match change {
        Change::Rerun(Rerun::Job(job)) => Some(job),
        Change::Rerun(Rerun::FailedJobs(_) | Rerun::WholeRun(_)) | Change::Cancel(_) => None,
    }
}
