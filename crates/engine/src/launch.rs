//! What a queued job gets, and what follows from EC2's answer.
//!
//! A launch is a claim that is committed first and worked on until an instance is on its way or
//! the tries are used up. Until EC2 has answered, the job's message leads to it, and from then on its
//! due time, where the answer is not final; where no message was, it is due from the beginning
//! ([`unled`]). Capacity moves one way only: from spot to on-demand.

mod in_time;
#[cfg(test)]
mod tests;
mod waiting;

use jiff::{SignedDuration, Timestamp};
use reprise_model::breaker::LeftOut;
use reprise_model::ids::{InstanceId, Repository};
use reprise_model::instance::Capacity;
use reprise_model::job::{Job, JobStatus};
use reprise_model::labels::{self, JobLabels, LabelErrors};
use reprise_model::launch::{Asked, LaunchFault};
use reprise_model::ledger::{
    CapacityReason, ClaimKey, ClaimState, Due, LaunchAnswer, LaunchClaim, LaunchSpec,
};
use reprise_model::machine_refusal::MachineRefusal;
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::{IgnoreReason, LaunchRefusal};

pub use self::in_time::{InTime, InTimeFacts, in_time};
pub(crate) use self::waiting::would_take;
pub use self::waiting::{may_be_over, outlived, seen_queued, without_room};
use crate::backoff::{Jitter, after, launch_step};
use crate::breaker::{self, Pools};
use crate::capacity::{CapacityDecision, Past};
use crate::offer::FleetOffer;
use crate::rules::Rules;
use crate::select::{Ec2Facts, MachineFacts, MachineRequest, Need, Selection, select};
use crate::share::left_over;
use crate::{capacity, due, mutant};

/// All that is known when a job is queued.
#[derive(Debug, Clone, Copy)]
pub struct QueuedFacts<'a> {
    /// Where it runs.
    pub repository: &'a Repository,
    /// The job.
    pub job: &'a Job,
    /// Whether configuration allows the repository.
    pub repository_allowed: bool,
    /// Its labels: `Ok(None)` when none is one of ours.
    pub labels: &'a Result<Option<JobLabels>, LabelErrors>,
    /// Its policy by label, configuration or default.
    pub policy: RetryPolicy,
    /// What was before this attempt.
    pub past: Past,
    /// Its claim, if there is one.
    pub claim: Option<&'a LaunchClaim>,
    /// What may be launched; `None` in retry-only mode.
    pub fleet: Option<&'a FleetOffer>,
    /// What EC2 has.
    pub ec2: &'a Ec2Facts,
    /// Which spot pools are left alone.
    pub pools: &'a Pools,
}

/// What is to be done about a queued job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a queued job and taken apart at once, never stored in numbers"
)]
pub enum QueuedVerdict {
    /// Nothing.
    Ignore(IgnoreReason),
    /// It asks for what it cannot have.
    Refuse(LaunchRefusal),
    /// This must be read first.
    Read(Need),
    /// Commit this claim in the place of what was read, held until [`due::held_until`]; launch;
    /// commit the answer. Keep the message until then: a claim that is not due is found by nothing
    /// else. Who has no message commits it as [`unled`], and is done.
    Launch(LaunchClaim),
    /// Somebody else got the same message and launches. Look then whether that was answered.
    Wait(Timestamp),
}

/// What a queued job gets.
pub fn queued(facts: &QueuedFacts<'_>, rules: &Rules, now: Timestamp) -> QueuedVerdict {
    if !facts.repository_allowed {
        return QueuedVerdict::Ignore(IgnoreReason::RepositoryNotAllowed);
    }
    if facts.job.status != JobStatus::Queued {
        return QueuedVerdict::Ignore(IgnoreReason::NothingToDecide);
    }
    let Some(fleet) = facts.fleet else {
        return QueuedVerdict::Ignore(IgnoreReason::FleetDisabled);
    };
    if let Some(claim) = facts.claim {
        return claimed_before(claim, now);
    }
    // Another installation hears of the same job, and it is that one's, with all its mistakes.
    let env = labels::env_of(&facts.job.labels);
    if !fleet.environment.serves(env.as_ref()) {
        return QueuedVerdict::Ignore(IgnoreReason::NotForUs);
    }
    match facts.labels {
        Ok(None) => QueuedVerdict::Ignore(IgnoreReason::NotForUs),
        Ok(Some(labels)) => match claim(facts, labels, fleet, rules, now) {
            Ok(claim) => QueuedVerdict::Launch(claim),
            Err(instead) => *instead,
        },
        Err(errors) => QueuedVerdict::Refuse(LaunchRefusal::Labels(errors.clone())),
    }
}

/// What a job gets that has a claim already. One that is wanted and not due is held, or was, by
/// somebody who did not live to commit EC2's answer. The same request is harmless: EC2 knows its
/// token.
fn claimed_before(claim: &LaunchClaim, now: Timestamp) -> QueuedVerdict {
    match (&claim.state, claim.due) {
        (ClaimState::Wanted, None) => {
            mutant!(ForgetHeldLaunches => return already_claimed());
            match claim.held_until {
                Some(until) if until > now => QueuedVerdict::Wait(until),
                Some(_) | None => QueuedVerdict::Launch(claim.clone()),
            }
        }
        (ClaimState::Wanted, Some(_))
        | (ClaimState::Launched { .. } | ClaimState::GivenUp { .. }, _) => already_claimed(),
    }
}

fn already_claimed() -> QueuedVerdict {
    QueuedVerdict::Ignore(IgnoreReason::AlreadyClaimed)
}

/// The claim after EC2's answer to its request.
///
/// The generation, and so the client token, stays the same while EC2 may already have launched
/// for it, and is raised by every definite no to it. Lost answers, throttled calls and a token that
/// EC2 knows with other parameters are none. A claim whose instance is known stays as it is.
#[must_use]
pub fn answered(
    claim: LaunchClaim,
    answer: LaunchAnswer,
    now: Timestamp,
    jitter: Jitter,
    rules: &Rules,
) -> LaunchClaim {
    match claim.state {
        ClaimState::Launched { .. } => return claim,
        ClaimState::Wanted | ClaimState::GivenUp { .. } => {}
    }
    let claim = LaunchClaim {
        held_until: None,
        full_since: None,
        ..claim
    };
    let retry = Retry { now, jitter, rules };
    match answer {
        LaunchAnswer::Launched { instance, capacity } => LaunchClaim {
            state: ClaimState::Launched { instance, capacity },
            due: None,
            ..claim
        },
        LaunchAnswer::NoCapacity { served, .. } if may_fall_back(&claim) => {
            fallen_back(claim, served, now)
        }
        LaunchAnswer::NoCapacity { codes, .. } => retry.after_a_no(claim, no_capacity(&codes)),
        // The quota of spot is not that of on-demand.
        LaunchAnswer::Refused {
            fault: LaunchFault::Quota,
            served,
            ..
        } if may_fall_back(&claim) => fallen_back(claim, served, now),
        LaunchAnswer::Refused { message, .. } => retry.after_a_no(claim, message),
        // A pool throttled within an answered request: the same client token would bring the same
        // answer again. A throttle of the whole call answers nothing and is unclear.
        LaunchAnswer::Throttled => retry.after_a_no(claim, THROTTLED.to_owned()),
        LaunchAnswer::TooLate { instance } => retry.after_a_loss(claim, too_late(&instance)),
        LaunchAnswer::Unclear { message } => retry.of_the_same(claim, message),
    }
}

/// The claim where EC2 was not asked, or said "not so fast" and did nothing. It is no try in vain: the same
/// request is made then.
#[must_use]
pub fn put_off(claim: LaunchClaim, until: Timestamp) -> LaunchClaim {
    let due = Due {
        at: until,
        tries: tries(&claim),
    };
    LaunchClaim {
        due: mutant!(DropWhatIsPutOff => None, Some(due)),
        held_until: None,
        ..claim
    }
}

/// Whether the claim's next request is made at once, by whoever has just heard the answer to the
/// one before, with no commit in between. EC2 repeats its no to a client token, so a crash here is
/// followed by the same two answers.
pub fn goes_on(claim: &LaunchClaim, now: Timestamp) -> bool {
    claim.state == ClaimState::Wanted && due::is_due(claim.due, now)
}

/// The last words of a launch that EC2 kept throttling.
const THROTTLED: &str = "EC2 kept throttling the request";

/// The last words of a launch whose instances GitHub let wait for their runners.
fn too_late(instance: &InstanceId) -> String {
    format!("GitHub gave no runner for {instance} for as long as that waited")
}

/// The claim of a job that was found without a message: as nothing else leads to it, it is due.
#[must_use]
pub fn unled(claim: LaunchClaim, now: Timestamp) -> LaunchClaim {
    LaunchClaim {
        due: Some(Due::now(now)),
        held_until: None,
        ..claim
    }
}

/// The claim where no fleet is configured any more: nothing will be launched for it.
#[must_use]
pub fn withdrawn(claim: LaunchClaim) -> LaunchClaim {
    match claim.state {
        ClaimState::Launched { .. } | ClaimState::GivenUp { .. } => {
            LaunchClaim { due: None, ..claim }
        }
        ClaimState::Wanted => LaunchClaim {
            state: ClaimState::GivenUp {
                why: "nothing is launched any more: fleet.enabled is false".to_owned(),
            },
            due: None,
            held_until: None,
            ..claim
        },
    }
}

/// The claim of a job that may have no instance after all.
#[must_use]
pub fn turned_away(claim: LaunchClaim, refusal: &MachineRefusal) -> LaunchClaim {
    LaunchClaim {
        state: ClaimState::GivenUp {
            why: refusal.to_string(),
        },
        due: None,
        held_until: None,
        ..claim
    }
}

/// What a further try of a launch goes by.
struct Retry<'a> {
    now: Timestamp,
    jitter: Jitter,
    rules: &'a Rules,
}

impl Retry<'_> {
    /// The next request differs, as EC2 would repeat its no to the same client token; and as none was
    /// made yet, others may share it.
    fn after_a_no(&self, claim: LaunchClaim, last_words: String) -> LaunchClaim {
        let generation = claim.generation.saturating_add(1);
        self.of_the_same(
            LaunchClaim {
                generation,
                asked: Asked::NotYet,
                ..claim
            },
            last_words,
        )
    }

    /// The same, after a machine that was of no use: so many are launched for a job, and no more.
    fn after_a_loss(&self, claim: LaunchClaim, last_words: String) -> LaunchClaim {
        let lost = claim.lost.saturating_add(1);
        let claim = LaunchClaim { lost, ..claim };
        if lost >= self.rules.most_launches {
            return given_up(claim, last_words);
        }
        self.after_a_no(claim, last_words)
    }

    fn of_the_same(&self, claim: LaunchClaim, last_words: String) -> LaunchClaim {
        let before = tries(&claim);
        let tries = before.saturating_add(1);
        if tries >= self.rules.launch_tries {
            return given_up(claim, last_words);
        }
        let pause: SignedDuration = launch_step(before, self.jitter);
        LaunchClaim {
            due: Some(Due {
                at: after(self.now, pause),
                tries,
            }),
            ..claim
        }
    }
}

/// The claim of the request that follows where spot is refused; `None` where none does.
pub(crate) fn after_spot(claim: &LaunchClaim, now: Timestamp) -> Option<LaunchClaim> {
    may_fall_back(claim).then(|| fallen_back(claim.clone(), 0, now))
}

fn may_fall_back(claim: &LaunchClaim) -> bool {
    claim.spec.capacity == Capacity::Spot && claim.spec.may_fall_back
}

/// The same job on on-demand capacity, at once, together with the others that spot did not serve. It
/// happens once a claim, so the tries go on where they were: their number bounds the launches of a job.
fn fallen_back(claim: LaunchClaim, served: u32, now: Timestamp) -> LaunchClaim {
    let generation = match &claim.asked {
        Asked::Alone | Asked::NotYet => 0,
        // That of the request is the leader's, and stays: later ones must differ from it.
        Asked::Together(_) => claim.generation,
    };
    LaunchClaim {
        due: Some(Due {
            at: now,
            tries: tries(&claim),
        }),
        generation,
        first_why: Some(claim.decided()),
        why: CapacityReason::NoSpotCapacity,
        asked: left_over(claim.asked, served),
        spec: LaunchSpec {
            capacity: Capacity::OnDemand,
            may_fall_back: false,
            ..claim.spec
        },
        ..claim
    }
}

fn given_up(claim: LaunchClaim, why: String) -> LaunchClaim {
    LaunchClaim {
        state: ClaimState::GivenUp { why },
        due: None,
        held_until: None,
        ..claim
    }
}

fn tries(claim: &LaunchClaim) -> u32 {
    claim.due.map_or(0, |due| due.tries)
}

fn no_capacity(codes: &[String]) -> String {
    format!("EC2 has no capacity: {}", codes.join(", "))
}

fn claim(
    facts: &QueuedFacts<'_>,
    labels: &JobLabels,
    fleet: &FleetOffer,
    rules: &Rules,
    now: Timestamp,
) -> Result<LaunchClaim, Box<QueuedVerdict>> {
    let job = facts.job;
    let wished = capacity::decide(
        job.run_attempt,
        labels.machine.spot.unwrap_or_default(),
        facts.policy,
        facts.past,
        rules.on_demand_retries,
    );
    let (decision, request, left_out) = purchase(facts, labels, fleet, wished, rules, now)?;
    Ok(LaunchClaim {
        key: ClaimKey {
            repository: facts.repository.clone(),
            job_id: job.id,
        },
        run_id: job.run_id,
        attempt: job.run_attempt,
        job_name: job.name.clone(),
        runner_labels: job.labels.clone(),
        spec: LaunchSpec {
            region: request.region,
            capacity: decision.capacity,
            may_fall_back: decision.may_fall_back,
            instance_types: request.instance_types,
            image: request.image.map(String::from),
            subnets: request.subnets,
            left_out,
            strategy: request.strategy,
            volume: request.volume,
            tags: request.tags,
        },
        why: decision.why,
        first_why: (wished.why != decision.why).then_some(wished.why),
        generation: 0,
        state: ClaimState::Wanted,
        due: None,
        held_until: None,
        waited: 0,
        queued_at: Some(job.created_at.unwrap_or(now)),
        full_since: None,
        lost: 0,
        lost_instances: Vec::new(),
        end: None,
        runner: None,
        asked: Asked::NotYet,
    })
}

/// What is bought in the end, and which pools are not asked for it: without those whose breakers are
/// open, and on-demand where no other is left.
fn purchase(
    facts: &QueuedFacts<'_>,
    labels: &JobLabels,
    offer: &FleetOffer,
    wished: CapacityDecision,
    rules: &Rules,
    now: Timestamp,
) -> Result<(CapacityDecision, MachineRequest, LeftOut), Box<QueuedVerdict>> {
    let request = machine(facts, labels, offer, wished.capacity, rules)?;
    if wished.capacity == Capacity::OnDemand {
        return Ok((wished, request, LeftOut::default()));
    }
    let (types, subnets) = (&request.instance_types, &request.subnets);
    let left_out = facts.pools.left_out(&request.region, types, subnets, now);
    if !breaker::is_all_left_out(&left_out, types, subnets) {
        return Ok((wished, request, left_out));
    }
    let decision = capacity::while_breakers_are_open(wished);
    let request = machine(facts, labels, offer, decision.capacity, rules)?;
    Ok((decision, request, LeftOut::default()))
}

fn machine(
    facts: &QueuedFacts<'_>,
    labels: &JobLabels,
    offer: &FleetOffer,
    capacity: Capacity,
    rules: &Rules,
) -> Result<MachineRequest, Box<QueuedVerdict>> {
    let facts = MachineFacts {
        labels,
        offer,
        tags: &rules.tags,
        capacity,
        ec2: facts.ec2,
    };
    match select(&facts) {
        Selection::Machine(request) => Ok(request),
        Selection::Refused(refusals) => {
            let refusal = LaunchRefusal::Machine(refusals);
            Err(Box::new(QueuedVerdict::Refuse(refusal)))
        }
        Selection::Read(need) => Err(Box::new(QueuedVerdict::Read(need))),
    }
}
