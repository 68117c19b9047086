//! Whether a run was cancelled by us, because a job of it got no machine.
//!
//! GitHub names the App as it names a person. Only the ledger tells the two apart: the cancel was written into the
//! claim of the job that got no machine before it was asked for.

use std::collections::BTreeMap;

use reprise_model::ids::JobId;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::LaunchClaim;
use reprise_model::run::{CancelCause, Run};

/// The jobs whose launch claims may tell that the cancel was ours; none where nothing looks like one. The claim
/// is that of a job that never began, or that runs though its run was cancelled.
pub fn may_tell<'a>(
    run: &Run,
    jobs: &'a [Job],
    causes: &BTreeMap<JobId, CancelCause>,
) -> Vec<&'a Job> {
    if !causes.values().any(|cause| may_be_ours(run, *cause)) {
        return Vec::new();
    }
    jobs.iter()
        .filter(|job| job.runner_name.is_none())
        .collect()
}

/// The causes, where one of those claims says that the cancel was ours.
pub fn told_ours(
    run: &Run,
    claims: &[LaunchClaim],
    mut causes: BTreeMap<JobId, CancelCause>,
) -> BTreeMap<JobId, CancelCause> {
    let cancels = |claim: &LaunchClaim| claim.end.as_ref().is_some_and(|end| end.cancels());
    if claims.iter().any(cancels) {
        let theirs = causes
            .values_mut()
            .filter(|cause| may_be_ours(run, **cause));
        theirs.for_each(|cause| *cause = CancelCause::Ours);
    }
    causes
}

/// What cannot be read may be ours only where the whole run was cancelled: a runner's own end reads so, too.
fn may_be_ours(run: &Run, cause: CancelCause) -> bool {
    match cause {
        CancelCause::Person => true,
        CancelCause::Unreadable => run.conclusion == Some(Conclusion::Cancelled),
        CancelCause::Ours | CancelCause::Superseded | CancelCause::FailFast => false,
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::ending::{Telling, VisibleEnd};

    use super::*;
    use crate::samples::{claim, job, run};

    const CAUSES: [(JobId, CancelCause); 2] = [
        (JobId(1), CancelCause::Person),
        (JobId(2), CancelCause::FailFast),
    ];

    #[test]
    fn a_cancel_that_the_ledger_asked_for_is_ours_and_any_other_a_persons() {
        for (cancel, cause) in [
            (Telling::Asked, CancelCause::Ours),
            (Telling::Done, CancelCause::Ours),
            (Telling::Wanted, CancelCause::Person),
            (Telling::NotWanted, CancelCause::Person),
        ] {
            let claims = [ended(cancel.clone())];
            let told = told_ours(&run(), &claims, BTreeMap::from(CAUSES));
            assert_eq!(told[&JobId(1)], cause, "{cancel:?}");
            assert_eq!(told[&JobId(2)], CancelCause::FailFast, "{cancel:?}");
        }
    }

    #[test]
    fn only_claims_of_jobs_that_never_began_are_read_and_only_where_somebody_cancelled() {
        let waited = Job {
            runner_name: None,
            ..job(2, "waited")
        };
        let jobs = [job(1, "ran"), waited];
        let asked = |causes: &BTreeMap<JobId, CancelCause>, run: &Run| -> Vec<JobId> {
            let asked = may_tell(run, &jobs, causes).into_iter();
            asked.map(|job| job.id).collect()
        };
        assert_eq!(asked(&BTreeMap::from(CAUSES), &run()), [JobId(2)]);
        assert_eq!(asked(&BTreeMap::from([CAUSES[1]]), &run()), []);
        let unreadable = BTreeMap::from([(JobId(1), CancelCause::Unreadable)]);
        assert_eq!(asked(&unreadable, &run()), [], "its runner's end reads so");
        let cancelled = Run {
            conclusion: Some(Conclusion::Cancelled),
            ..run()
        };
        assert_eq!(asked(&unreadable, &cancelled), [JobId(2)]);
        let told = told_ours(&cancelled, &[ended(Telling::Done)], unreadable);
        assert_eq!(told[&JobId(1)], CancelCause::Ours);
    }

    fn ended(cancel: Telling) -> LaunchClaim {
        LaunchClaim {
            end: Some(VisibleEnd {
                check: Telling::Done,
                cancel,
                refused: false,
            }),
            ..claim()
        }
    }
}
