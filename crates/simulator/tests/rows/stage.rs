//! What the rows are told with.

use jiff::SignedDuration;
use reprise_model::ids::Repository;
use reprise_model::job::Conclusion;
use reprise_simulator::outcome::RunOutcome;
use reprise_simulator::plan::{Action, Plan, Push, Step};
use reprise_simulator::run::play;
use reprise_world::ec2::{CarriedOut, Interruption};
use reprise_world::fate::{Fate, Stroke};
use reprise_world::github::{JobSpec, RunSpec};

pub(super) const fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A job on spot of a name, with this written after its labels, as `/retry=false`.
pub(super) fn job_with(name: &str, labels: &str) -> JobSpec {
    JobSpec::new(
        name,
        [format!(
            "runs-on={{run}}-{name}/family=c7a/spot=true{labels}"
        )],
    )
}

pub(super) fn job(name: &str) -> JobSpec {
    job_with(name, "")
}

#[expect(clippy::expect_used, reason = "a test's own helper")]
pub(super) fn spec(jobs: impl IntoIterator<Item = JobSpec>) -> RunSpec {
    let repository: Repository = "acme/shop".parse().expect("a name");
    RunSpec::new(repository, jobs.into_iter().collect())
}

/// It passes after two minutes.
pub(super) fn passes() -> Fate {
    Fate::passes(secs(120))
}

/// It fails after a minute by itself.
pub(super) fn fails() -> Fate {
    Fate::fails(secs(60))
}

/// EC2 takes its instance after half a minute.
pub(super) fn interrupted() -> Fate {
    Fate::interrupted(secs(30))
}

/// What befalls a job in its first execution; in each later one it passes.
pub(super) fn at_first(fate: Fate) -> Vec<Fate> {
    vec![fate, passes()]
}

/// EC2 does this with the instance after half a minute.
pub(super) fn taken(interruption: Interruption) -> Fate {
    interrupted().by(Stroke::Interruption {
        interruption,
        resumes_after: None,
    })
}

/// A notice after which the instance lives on.
pub(super) fn empty_threat() -> Interruption {
    Interruption {
        carried_out: CarriedOut::Never,
        ..Interruption::terminate(secs(120))
    }
}

/// The job ends so after a minute, whatever EC2 does.
pub(super) fn ends(conclusion: Conclusion) -> Fate {
    Fate {
        ends: conclusion,
        ..Fate::passes(secs(60))
    }
}

/// A push at this second.
pub(super) fn pushed(at: i64, spec: RunSpec, fates: Vec<Vec<Fate>>) -> Step {
    step(at, Action::Push(Box::new(Push { spec, fates })))
}

pub(super) fn step(at: i64, what: Action) -> Step {
    let at = secs(at);
    Step { at, what }
}

/// The plan of one push.
pub(super) fn one(jobs: Vec<(JobSpec, Vec<Fate>)>) -> Plan {
    let (jobs, fates): (Vec<JobSpec>, Vec<Vec<Fate>>) = jobs.into_iter().unzip();
    Plan::calm(vec![pushed(0, spec(jobs), fates)])
}

/// What became of a plan's runs, with no invariant broken.
#[expect(clippy::expect_used, reason = "a test's own helper")]
pub(super) fn ended(plan: &Plan) -> Vec<RunOutcome> {
    let played = play(plan, true).expect("a simulation");
    let story: Vec<String> = played.trace.lines.iter().map(ToString::to_string).collect();
    assert_eq!(played.broken, [], "{}", story.join("\n"));
    played.outcomes
}

/// The attempts and the ledger of the one run of a plan.
pub(super) fn only(plan: &Plan) -> (Vec<String>, Vec<String>) {
    let mut outcomes = ended(plan);
    assert_eq!(outcomes.len(), 1);
    let RunOutcome { attempts, ledger } = outcomes.remove(0);
    (attempts, ledger)
}

/// Compares with what should have become of the one run of a plan.
#[track_caller]
pub(super) fn becomes(plan: &Plan, attempts: &[&str], ledger: &[&str]) {
    let (its_attempts, its_ledger) = only(plan);
    assert_eq!(its_attempts, attempts);
    assert_eq!(its_ledger, ledger);
}
