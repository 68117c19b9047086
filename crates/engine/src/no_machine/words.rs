//! What a developer reads whose job got no machine.

use reprise_model::check::{CHECK_NAME, CheckRunOrder, CheckState, CheckText};
use reprise_model::ids::{RunId, Sha};
use reprise_model::instance::Capacity;
use reprise_model::ledger::LaunchSpec;

use super::{Unserved, Why};
use crate::public::{code, name, one_line, reason};

/// The check run of a job, on its commit.
pub(super) fn order(job: &Unserved<'_>, head: Sha) -> CheckRunOrder {
    let name = name(job.job_name);
    let title = match job.why {
        Why::GivenUp { .. } => format!("No machine could be launched for {name}"),
        Why::Refused(_) => format!("{name} asks for a machine that it cannot have"),
    };
    CheckRunOrder {
        head,
        name: CHECK_NAME.to_owned(),
        external_id: format!("{}{}", prefix(job.run_id), one_line(job.job_name)),
        text: CheckText {
            state: CheckState::Failure,
            title,
            summary: summary(job),
        },
    }
}

/// What the external ids of a run's check runs begin with. The job's name follows, which is the same in
/// every attempt: a later one is told of in the same place.
pub(super) fn prefix(run: RunId) -> String {
    format!("{run}/")
}

fn summary(job: &Unserved<'_>) -> String {
    let Unserved {
        run_id,
        attempt,
        job_id,
        ..
    } = job;
    let name = code(job.job_name);
    let who = format!(
        "The job {name} (run {run_id}, attempt {attempt}, job {job_id}) waits for a runner, and none will \
         be started for it."
    );
    match job.why {
        Why::GivenUp { wanted, last_words } => format!(
            "{who}\n\n**Wanted:** {}\n\n**Why there is none:** {}\n\n**What to do:** cancel the run and \
             re-run it later. If it happens again, let the job choose from more instance types \
             (`family=`, `cpu=`, `ram=`), or ask whoever runs Reprise: its log has all answers of EC2 \
             under this job's id.",
            told(wanted),
            reason(last_words),
        ),
        Why::Refused(refusal) => format!(
            "{who}\n\n**Why:** {}\n\n**What to do:** where the labels are wrong, correct `runs-on` in the \
             workflow file and push; `reprise labels check` shows what labels ask for. Where the run has \
             too many jobs at once, keep some of them back with `max-parallel`, or ask whoever runs \
             Reprise for a higher limit. Cancel this run: its job would wait for a day.",
            reason(refusal),
        ),
    }
}

fn told(wanted: &LaunchSpec) -> String {
    let capacity = match wanted.capacity {
        Capacity::Spot => "spot capacity",
        Capacity::OnDemand => "on-demand capacity",
    };
    let types: Vec<String> = wanted.instance_types.iter().map(|one| code(one)).collect();
    format!(
        "one of {} in {}, {capacity}",
        types.join(", "),
        wanted.region
    )
}
