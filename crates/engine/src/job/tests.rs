//! The table "A job completed", a test a row.

mod asked;
mod evidence;
mod failed;
mod ignored;
mod invariants;
mod proof;
mod remember;
mod settled;

use jiff::SignedDuration;
use reprise_model::ids::RunnerName;
use reprise_model::instance::{Capacity, InstanceView};
use reprise_model::policy::EvidenceRule;
use reprise_model::reason::RefusalKind;

use super::*;
use crate::samples::{
    STACK, at, attempt, evidence, instance, job, remembered, repository, secs, tagged, view,
};

const OURS: FleetRule<'static> = FleetRule::Ours { stack: STACK };
const WEB: &str = "https://github.com";
const NOW: i64 = 205;

/// What a look at a job's host finds, owned.
#[derive(Debug, Clone)]
struct Look {
    job: Job,
    repository_allowed: bool,
    seen: Option<InstanceView>,
    remembered: Option<InstanceEntry>,
    runner: Option<HandedOver>,
    spot_request: Option<SpotStatus>,
    earlier: Option<Vec<Execution>>,
    refusal: Option<Refusal>,
    policy: RetryPolicy,
    delays: Vec<SignedDuration>,
    failure: Option<Judgement>,
    advice: Option<Advice>,
    fleet: FleetRule<'static>,
    rules: Rules,
    now: Timestamp,
}

impl Look {
    fn at(view: InstanceView) -> Self {
        Self {
            job: job(1, "build"),
            repository_allowed: true,
            seen: Some(view),
            remembered: None,
            runner: None,
            spot_request: None,
            earlier: None,
            refusal: None,
            policy: RetryPolicy::USUAL,
            delays: Vec::new(),
            failure: None,
            advice: None,
            fleet: OURS,
            rules: Rules::default(),
            now: at(NOW),
        }
    }

    fn absent(remembered: Option<InstanceEntry>) -> Self {
        Self {
            seen: None,
            remembered,
            ..Self::at(view())
        }
    }

    /// A job of a later attempt whose run GitHub does not show any more.
    fn unreadable(view: InstanceView) -> Self {
        let mut look = Self::at(view);
        look.job.run_attempt = attempt(2);
        look.refusal = Some(refusal());
        look
    }

    /// What the endpoint said.
    fn said(&self) -> Option<&reprise_model::advice::Said> {
        self.advice.as_ref().map(|advice| &advice.said)
    }

    fn verdict(&self) -> JobVerdict {
        self.with_facts(completed)
    }

    fn asks_for_spot_request(&self) -> bool {
        self.with_facts(asks_for_spot_request)
    }

    fn with_facts<T>(&self, decide: fn(&JobFacts<'_>, &Rules, Timestamp) -> T) -> T {
        let sight = match &self.seen {
            Some(view) => InstanceSight::Seen(view.clone()),
            None => InstanceSight::Absent,
        };
        let repository = repository();
        let facts = JobFacts {
            job: &self.job,
            repository: &repository,
            repository_allowed: self.repository_allowed,
            host: Host::Looked {
                sight: &sight,
                remembered: self.remembered.as_ref(),
            },
            runner: self.runner.as_ref(),
            spot_request: self.spot_request.as_ref(),
            earlier: match (&self.earlier, &self.refusal) {
                (_, Some(refusal)) => Earlier::Unreadable(refusal),
                (Some(earlier), None) => Earlier::Read(earlier),
                (None, None) => Earlier::Unread,
            },
            policy: self.policy,
            delays: &self.delays,
            failure: self.failure.as_ref(),
            advice: self.advice.as_ref(),
            web: WEB,
            fleet: self.fleet,
        };
        decide(&facts, &self.rules, self.now)
    }
}

fn again(seconds: i64) -> JobVerdict {
    again_until(seconds, 260)
}

fn again_until(seconds: i64, until: i64) -> JobVerdict {
    JobVerdict::LookAgain {
        at: at(seconds),
        until: at(until),
    }
}

fn awaits(evidence: Vec<Evidence>) -> JobVerdict {
    JobVerdict::Await {
        instance: instance(),
        evidence,
        policy: RetryPolicy::USUAL,
        advice: None,
    }
}

fn is_settled(verdict: &JobVerdict, wanted: &SettleReason) -> bool {
    matches!(verdict, JobVerdict::Settle { reason, .. } if reason == wanted)
}

fn execution_on(runner: &str) -> Execution {
    Execution {
        runner_name: Some(RunnerName::new(runner)),
        started_at: Some(at(10)),
        completed_at: Some(at(20)),
    }
}

fn refusal() -> Refusal {
    Refusal {
        kind: RefusalKind::NotFound,
        message: "Not Found".to_owned(),
    }
}
