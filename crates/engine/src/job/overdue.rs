//! A job that GitHub does not end though its instance is gone.

use jiff::Timestamp;
use reprise_model::evidence::{COUNTS_FOR, Evidence};
use reprise_model::instance::InstanceState;
use reprise_model::job::{Job, JobStatus};
use reprise_model::reason::SettleReason;

/// What is to be said of a job that still runs by GitHub's account, on an instance in this state
/// and with this evidence. `None` while GitHub may yet end it.
///
/// GitHub fails a job whose runner is silent after about ten minutes. A quarter of an hour after
/// the last sign of the interruption no evidence counts any more, so an end that came then would
/// bring nothing back. Nothing is cancelled by force.
pub(super) fn overdue(
    job: &Job,
    state: InstanceState,
    evidence: &[Evidence],
    now: Timestamp,
) -> Option<SettleReason> {
    let last_sign = evidence.iter().map(|one| one.first_seen_at).max()?;
    let waited_for = now.duration_since(last_sign);
    let given_up = is_running(job) && is_gone(state) && waited_for > COUNTS_FOR;
    given_up.then_some(SettleReason::NeverCompleted)
}

fn is_running(job: &Job) -> bool {
    job.runner_name.is_some() && job.status != JobStatus::Completed
}

/// One that is being stopped or ended may still tell GitHub how its job ended.
fn is_gone(state: InstanceState) -> bool {
    match state {
        InstanceState::Terminated | InstanceState::Stopped => true,
        InstanceState::Pending
        | InstanceState::Running
        | InstanceState::ShuttingDown
        | InstanceState::Stopping
        | InstanceState::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::evidence::EvidenceSource;

    use super::*;
    use crate::samples::{at, evidence, job};

    #[test]
    fn a_running_job_whose_instance_is_gone_is_given_up_once_its_evidence_counts_no_more() {
        let signs = [
            evidence(EvidenceSource::StateReason, 300),
            evidence(EvidenceSource::Tag, 200),
        ];
        let said = |seconds| overdue(&running(), InstanceState::Terminated, &signs, at(seconds));
        assert_eq!(said(300 + 900), None, "GitHub may end it yet");
        assert_eq!(said(300 + 901), Some(SettleReason::NeverCompleted));
    }

    #[test]
    fn what_completed_never_began_or_still_has_its_instance_is_not_overdue() {
        let signs = [evidence(EvidenceSource::Tag, 200)];
        let said = |job: &Job, state| overdue(job, state, &signs, at(5_000));
        let queued = Job {
            runner_name: None,
            status: JobStatus::Queued,
            ..running()
        };
        assert_eq!(said(&job(1, "build"), InstanceState::Terminated), None);
        assert_eq!(said(&queued, InstanceState::Terminated), None);
        assert_eq!(said(&running(), InstanceState::Running), None);
        assert_eq!(said(&running(), InstanceState::ShuttingDown), None);
    }

    #[test]
    fn without_evidence_nothing_is_overdue() {
        let said = overdue(&running(), InstanceState::Terminated, &[], at(5_000));
        assert_eq!(said, None);
    }

    fn running() -> Job {
        Job {
            status: JobStatus::InProgress,
            conclusion: None,
            completed_at: None,
            ..job(1, "build")
        }
    }
}
