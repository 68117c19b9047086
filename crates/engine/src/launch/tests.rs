//! What a queued job gets, and where EC2's answers lead.

mod pools;

use std::collections::BTreeMap;

use proptest::prelude::*;
use reprise_model::ids::{InstanceId, JobId, RunAttempt};
use reprise_model::labels::{LabelError, parse};
use reprise_model::machine::Architecture;

use super::*;
use crate::offer::{ImageOffer, ImageSource};
use crate::samples::{at, attempt, here, instance, job, repository};
use crate::share;
use crate::types::InstanceType;

const MIDDLE: Jitter = Jitter(0.5);

#[test]
fn a_queued_job_is_claimed_with_exactly_its_own_labels() {
    let case = Queued::default();
    let QueuedVerdict::Launch(claim) = case.verdict() else {
        panic!("it is launched");
    };
    assert_eq!(claim.key.job_id, case.job.id);
    assert_eq!(claim.runner_labels, case.job.labels);
    assert_eq!(claim.spec.instance_types, ["c7a.large", "m7a.large"]);
    assert_eq!(claim.spec.capacity, Capacity::Spot);
    assert!(claim.spec.may_fall_back);
    assert_eq!(claim.why, CapacityReason::FirstAttempt);
    assert_eq!(claim.state, ClaimState::Wanted);
    assert_eq!(claim.due, None, "its message leads to it");
    assert_eq!(claim.spec.image, None);
}

#[test]
fn a_later_attempt_is_claimed_on_demand() {
    let mut case = Queued::default();
    case.job.run_attempt = attempt(2);
    let QueuedVerdict::Launch(claim) = case.verdict() else {
        panic!("it is launched");
    };
    assert_eq!(claim.spec.capacity, Capacity::OnDemand);
    assert!(!claim.spec.may_fall_back);
    assert_eq!(claim.why, CapacityReason::LaterAttempt);
}

#[test]
fn a_claim_that_is_left_over_from_a_fleet_is_given_up() {
    let claim = withdrawn(spot_claim());
    assert!(matches!(claim.state, ClaimState::GivenUp { .. }));
    assert_eq!(claim.due, None);
    assert_eq!(withdrawn(claim.clone()), claim);
}

#[test]
fn nothing_is_launched_for_what_is_not_ours_to_launch() {
    let not_allowed = Queued {
        repository_allowed: false,
        ..Queued::default()
    };
    let not_for_us = Queued {
        labels: Ok(None),
        ..Queued::default()
    };
    let retry_only = Queued {
        fleet: None,
        ..Queued::default()
    };
    let mut not_queued = Queued::default();
    not_queued.job.status = JobStatus::Waiting;
    for (case, reason) in [
        (not_allowed, IgnoreReason::RepositoryNotAllowed),
        (not_for_us, IgnoreReason::NotForUs),
        (retry_only, IgnoreReason::FleetDisabled),
        (not_queued, IgnoreReason::NothingToDecide),
    ] {
        assert_eq!(case.verdict(), QueuedVerdict::Ignore(reason));
    }
}

#[test]
fn a_claim_that_was_answered_is_not_launched_for_its_message_again() {
    for claim in [
        answer(held_claim(), launched()),
        answer(held_claim(), no_spot()),
        answer(held_claim(), unclear()),
        withdrawn(held_claim()),
    ] {
        assert_eq!(
            found(claim, 100),
            QueuedVerdict::Ignore(IgnoreReason::AlreadyClaimed)
        );
    }
}

#[test]
fn a_claim_that_somebody_holds_is_left_to_them_and_then_asked_for_with_the_same_token() {
    assert_eq!(found(held_claim(), 29), QueuedVerdict::Wait(at(30)));
    let QueuedVerdict::Launch(again) = found(held_claim(), 30) else {
        panic!("it goes on");
    };
    assert_eq!(again.client_token(), held_claim().client_token());
}

#[test]
fn a_claim_that_was_let_go_is_launched_at_once() {
    let let_go = LaunchClaim {
        held_until: None,
        ..held_claim()
    };
    assert_eq!(found(let_go.clone(), 1), QueuedVerdict::Launch(let_go));
}

#[test]
fn a_claim_that_no_message_leads_to_is_due_at_once_and_its_request_the_same() {
    for claim in [spot_claim(), held_claim()] {
        let due = unled(claim.clone(), at(40));
        assert_eq!(due.due, Some(Due::now(at(40))));
        assert_eq!(due.held_until, None);
        assert_eq!(due.client_token(), claim.client_token());
        assert_eq!(
            found(due, 41),
            QueuedVerdict::Ignore(IgnoreReason::AlreadyClaimed),
            "a message that comes late has nothing to lead to"
        );
    }
}

#[test]
fn a_claim_that_was_answered_is_held_by_nobody() {
    for answered in [launched(), no_spot(), unclear(), refused()] {
        assert_eq!(answer(held_claim(), answered).held_until, None);
    }
    assert_eq!(withdrawn(held_claim()).held_until, None);
}

#[test]
fn a_label_that_cannot_be_understood_is_refused_with_its_place() {
    let errors = LabelErrors(vec![LabelError {
        label: "runs-on/spto=true".to_owned(),
        position: 9,
        problem: "unknown key spto".to_owned(),
        hint: "did you mean spot".to_owned(),
    }]);
    let case = Queued {
        labels: Err(errors.clone()),
        ..Queued::default()
    };
    assert_eq!(
        case.verdict(),
        QueuedVerdict::Refuse(LaunchRefusal::Labels(errors))
    );
}

#[test]
fn a_job_that_asks_for_what_it_cannot_have_is_refused_with_every_reason() {
    let case = Queued {
        labels: labels("runs-on=1/family=p5/image=ubuntu/region=us-east-1"),
        ..Queued::default()
    };
    let QueuedVerdict::Refuse(refusal) = case.verdict() else {
        panic!("it is refused");
    };
    assert_eq!(refusal.as_str(), "unknown-region");
    assert_eq!(
        refusal.to_string(),
        "region=us-east-1 is none that is launched in; to be had: eu-west-1; \
         image=ubuntu is none of [images]; to be had: debian; \
         family=p5 is no family that there is; to be had: c7a, m7a"
    );
}

#[test]
fn what_labels_choose_stands_in_the_claim() {
    let case = Queued {
        labels: labels("runs-on=1/family=m7a/image=debian/private/tag=team:shop"),
        ..Queued::default()
    };
    let QueuedVerdict::Launch(claim) = case.verdict() else {
        panic!("it is launched");
    };
    assert_eq!(claim.spec.instance_types, ["m7a.large"]);
    assert_eq!(claim.spec.image.as_deref(), Some("ami-0123abcd"));
    assert_eq!(claim.spec.subnets, ["subnet-private"]);
    assert_eq!(
        claim.spec.tags,
        BTreeMap::from([("team".to_owned(), "shop".to_owned())])
    );
}

#[test]
fn a_job_of_another_environment_is_another_installations() {
    for (label, ours) in [("env=production", true), ("env=staging", false)] {
        let case = Queued::labelled(&format!("runs-on=1/{label}"));
        let ignored = case.verdict() == QueuedVerdict::Ignore(IgnoreReason::NotForUs);
        assert_eq!(ignored, !ours, "{label}");
    }
}

#[test]
fn a_mistake_in_the_label_of_another_environment_is_another_installations_to_tell() {
    for mistake in ["cpu=lots", "familly=c7a", "family=p5"] {
        let staging = Queued::labelled(&format!("runs-on=1/{mistake}/env=staging"));
        assert_eq!(
            staging.verdict(),
            QueuedVerdict::Ignore(IgnoreReason::NotForUs),
            "{mistake}"
        );
        let ours = Queued::labelled(&format!("runs-on=1/{mistake}"));
        let verdict = ours.verdict();
        assert!(matches!(verdict, QueuedVerdict::Refuse(_)), "{mistake}");
    }
}

#[test]
fn what_ec2_has_is_read_where_configuration_does_not_say() {
    let offer = Queued::default().fleet.map(|offer| FleetOffer {
        types: Vec::new(),
        ..offer
    });
    let case = Queued {
        fleet: offer,
        ..Queued::default()
    };
    assert_eq!(
        case.verdict(),
        QueuedVerdict::Read(Need::MachineTypes(here().region))
    );
}

#[test]
fn a_launch_that_is_put_off_is_due_then_and_the_same_request_as_if_it_was_never_tried() {
    let tried = answer(spot_claim(), LaunchAnswer::Throttled);
    for claim in [held_claim(), tried] {
        let later = put_off(claim.clone(), at(500));
        assert_eq!(later.client_token(), claim.client_token());
        assert_eq!(tries(&later), tries(&claim));
        assert_eq!(later.due.map(|due| due.at), Some(at(500)));
        assert_eq!(later.held_until, None);
        assert!(!goes_on(&later, at(499)));
    }
}

#[test]
fn a_launched_instance_ends_the_claims_work() {
    let claim = answer(spot_claim(), launched());
    assert_eq!(
        claim.state,
        ClaimState::Launched {
            instance: instance().id,
            capacity: Capacity::Spot
        }
    );
    assert_eq!(claim.due, None);
}

#[test]
fn spot_that_ec2_has_not_becomes_on_demand_at_once_under_a_new_token() {
    let before = spot_claim();
    let claim = answer(before.clone(), no_spot());
    assert_eq!(claim.spec.capacity, Capacity::OnDemand);
    assert!(!claim.spec.may_fall_back);
    assert_eq!(claim.why, CapacityReason::NoSpotCapacity);
    assert_eq!(claim.decided(), CapacityReason::FirstAttempt);
    assert_eq!(claim.due.map(|due| due.at), Some(at(0)));
    assert_ne!(claim.client_token(), before.client_token());
}

#[test]
fn a_spot_quota_that_is_used_up_becomes_on_demand_at_once_where_it_may() {
    let claim = answer(spot_claim(), quota());
    assert_eq!(claim.spec.capacity, Capacity::OnDemand);
    assert_eq!(claim.due.map(|due| due.at), Some(at(0)));
    let again = answer(claim.clone(), quota());
    assert_eq!(again.spec.capacity, Capacity::OnDemand);
    assert!(
        again.due.is_some_and(|due| due.at > at(0)),
        "on-demand has a quota, too"
    );
    let spot_alone = LaunchClaim {
        spec: LaunchSpec {
            may_fall_back: false,
            ..spot_claim().spec
        },
        ..spot_claim()
    };
    assert_eq!(answer(spot_alone, quota()).spec.capacity, Capacity::Spot);
}

#[test]
fn an_instance_that_waited_too_long_for_its_runner_is_replaced_under_a_new_token() {
    let too_late = LaunchAnswer::TooLate {
        instance: instance().id,
    };
    let claim = answer(share::alone(spot_claim()), too_late.clone());
    assert_eq!((claim.generation, &claim.asked), (1, &Asked::NotYet));
    assert_eq!(claim.spec.capacity, Capacity::Spot);
    assert!(claim.due.is_some_and(|due| due.tries == 1));
    let second = answer(claim, too_late.clone());
    assert_eq!(second.state, ClaimState::Wanted);
    let third = answer(second, too_late);
    assert!(
        matches!(third.state, ClaimState::GivenUp { .. }),
        "no fourth one"
    );
}

#[test]
fn whoever_begins_anew_comes_to_the_same_on_demand_request() {
    let lost = answer(spot_claim(), no_spot());
    let anew = answer(answer(spot_claim(), refused()), no_spot());
    assert_eq!(anew.client_token(), lost.client_token());
}

#[test]
fn those_whom_spot_left_out_ask_for_on_demand_together_for_as_many_as_they_are() {
    let first = share::leading(spot_claim(), vec![JobId(2), JobId(3)]);
    let led = share::Led::by(&first).expect("it leads");
    let no = LaunchAnswer::NoCapacity {
        codes: Vec::new(),
        served: 1,
    };
    let left_out = [1, 2].map(|place| {
        let one = share::following(spot_claim(), &led, place);
        answer(one, no.clone())
    });
    let [second, third] = &left_out;
    assert_eq!(second.client_token(), third.client_token());
    assert_ne!(second.client_token(), first.client_token());
    assert_eq!((second.count(), second.place()), (2, 0));
    assert_eq!((third.count(), third.place()), (2, 1));
}

#[test]
fn after_a_no_others_may_share_the_next_request_and_after_no_answer_it_is_the_same_one() {
    let first = share::leading(spot_claim(), vec![JobId(2)]);
    let lost = answer(first.clone(), unclear());
    assert_eq!(lost.client_token(), first.client_token());
    let no = answer(first, refused());
    assert_eq!(no.asked, Asked::NotYet);
    let lost = answer(share::alone(spot_claim()), unclear());
    assert_eq!(lost.asked, Asked::Alone);
}

#[test]
fn only_a_fall_back_goes_on_with_the_next_request_at_once() {
    assert!(goes_on(&answer(spot_claim(), no_spot()), at(0)));
    let without_spot = answer(spot_claim(), no_spot());
    for answered in [launched(), no_spot(), unclear(), refused()] {
        assert!(!goes_on(&answer(without_spot.clone(), answered), at(0)));
    }
    assert!(!goes_on(&spot_claim(), at(0)), "nothing was answered yet");
}

#[test]
fn on_demand_that_ec2_has_not_is_tried_again_later_and_never_on_spot() {
    let claim = answer(answer(spot_claim(), no_spot()), no_spot());
    assert_eq!(claim.spec.capacity, Capacity::OnDemand);
    assert_eq!(
        claim.due,
        Some(Due {
            at: at(5),
            tries: 1
        })
    );
    assert_eq!(claim.generation, 1);
}

#[test]
fn a_lost_answer_is_asked_again_with_the_same_token() {
    let claim = answer(spot_claim(), unclear());
    assert_eq!(claim.client_token(), spot_claim().client_token());
    assert_eq!(
        claim.due,
        Some(Due {
            at: at(5),
            tries: 1
        })
    );
}

#[test]
fn a_launch_throttled_in_its_pools_is_tried_again_with_a_new_token() {
    let claim = answer(spot_claim(), LaunchAnswer::Throttled);
    assert_ne!(claim.client_token(), spot_claim().client_token());
    assert!(claim.due.is_some());
}

#[test]
fn a_refusal_is_tried_again_slowly_with_a_new_token() {
    let claim = answer(spot_claim(), refused());
    assert_eq!(claim.generation, 1);
    assert_eq!(claim.state, ClaimState::Wanted);
    assert_eq!(
        claim.spec.capacity,
        Capacity::Spot,
        "a permission is no lack of capacity"
    );
}

#[test]
fn a_launch_is_given_up_with_ec2s_last_words_when_its_tries_are_used_up() {
    let mut claim = spot_claim();
    for _ in 0..Rules::default().launch_tries {
        assert_eq!(claim.state, ClaimState::Wanted);
        claim = answer(claim, refused());
    }
    assert_eq!(
        claim.state,
        ClaimState::GivenUp {
            why: "UnauthorizedOperation: you may not".to_owned()
        }
    );
    assert_eq!(claim.due, None);
}

#[test]
fn an_instance_that_is_known_is_not_forgotten_by_a_late_answer() {
    let launched_claim = answer(spot_claim(), launched());
    for late in [no_spot(), unclear(), refused(), LaunchAnswer::Throttled] {
        assert_eq!(answer(launched_claim.clone(), late), launched_claim);
    }
}

proptest! {
    #[test]
    fn a_launch_ends_within_its_tries_and_never_goes_back_to_spot(
        number in 1_u32..4,
        answers in prop::collection::vec(0_u8..4, 60),
    ) {
        let mut case = Queued::default();
        case.job.run_attempt = RunAttempt::new(number).expect("not zero");
        let QueuedVerdict::Launch(mut claim) = case.verdict() else {
            panic!("it is launched");
        };
        let mut requests = 0;
        for kind in answers {
            if claim.state != ClaimState::Wanted {
                break;
            }
            requests += 1;
            let before = claim.spec.capacity;
            claim = answer(claim, [no_spot(), unclear(), refused(), LaunchAnswer::Throttled][usize::from(kind)].clone());
            prop_assert!(before == Capacity::Spot || claim.spec.capacity == Capacity::OnDemand);
            prop_assert!(number == 1 || claim.spec.capacity == Capacity::OnDemand);
            prop_assert_eq!(claim.due.is_some(), claim.state == ClaimState::Wanted);
        }
        prop_assert!(requests <= Rules::default().launch_tries + 1);
        let is_given_up = matches!(claim.state, ClaimState::GivenUp { .. });
        prop_assert!(is_given_up);
    }
}

/// The facts of a queued job, owned.
struct Queued {
    job: Job,
    repository_allowed: bool,
    labels: Result<Option<JobLabels>, LabelErrors>,
    claim: Option<LaunchClaim>,
    fleet: Option<FleetOffer>,
    pools: Pools,
}

impl Default for Queued {
    fn default() -> Self {
        Self {
            job: Job {
                status: JobStatus::Queued,
                conclusion: None,
                runner_name: None,
                ..job(1, "build")
            },
            repository_allowed: true,
            labels: labels("runs-on=1"),
            claim: None,
            fleet: Some(offer()),
            pools: Pools::default(),
        }
    }
}

impl Queued {
    fn labelled(label: &str) -> Self {
        let mut case = Self::default();
        case.job.labels = vec![label.to_owned()];
        case.labels = labels(label);
        case
    }

    fn verdict(&self) -> QueuedVerdict {
        self.verdict_at(at(0))
    }

    fn verdict_at(&self, now: Timestamp) -> QueuedVerdict {
        let repository = repository();
        let facts = QueuedFacts {
            repository: &repository,
            job: &self.job,
            repository_allowed: self.repository_allowed,
            labels: &self.labels,
            policy: RetryPolicy::USUAL,
            past: Past {
                asked_by_us: false,
                ran_before: false,
                advised: None,
            },
            claim: self.claim.as_ref(),
            fleet: self.fleet.as_ref(),
            ec2: &Ec2Facts::default(),
            pools: &self.pools,
        };
        queued(&facts, &Rules::default(), now)
    }
}

/// What a message gets that finds this claim.
fn found(claim: LaunchClaim, seconds: i64) -> QueuedVerdict {
    let case = Queued {
        claim: Some(claim),
        ..Queued::default()
    };
    case.verdict_at(at(seconds))
}

fn labels(label: &str) -> Result<Option<JobLabels>, LabelErrors> {
    parse(&[label.to_owned()])
}

fn offer() -> FleetOffer {
    let debian = ImageOffer {
        source: ImageSource::Ami("ami-0123abcd".parse().expect("an id")),
        architecture: Architecture::X64,
    };
    let types = vec![two_vcpus("c7a.large"), two_vcpus("m7a.large")];
    FleetOffer {
        images: BTreeMap::from([("debian".parse().expect("a name"), debian)]),
        ..FleetOffer::of_types(here(), types)
    }
}

fn two_vcpus(name: &str) -> InstanceType {
    InstanceType {
        name: name.to_owned(),
        cpu: 2,
        ram: 4,
    }
}

fn spot_claim() -> LaunchClaim {
    match Queued::default().verdict() {
        QueuedVerdict::Launch(claim) => claim,
        QueuedVerdict::Ignore(_)
        | QueuedVerdict::Refuse(_)
        | QueuedVerdict::Read(_)
        | QueuedVerdict::Wait(_) => {
            panic!("it is launched")
        }
    }
}

/// The same, as it is stored before EC2 is asked.
fn held_claim() -> LaunchClaim {
    LaunchClaim {
        held_until: Some(due::held_until(at(0))),
        ..spot_claim()
    }
}

fn answer(claim: LaunchClaim, answer: LaunchAnswer) -> LaunchClaim {
    answered(claim, answer, at(0), MIDDLE, &Rules::default())
}

fn launched() -> LaunchAnswer {
    let instance: InstanceId = instance().id;
    LaunchAnswer::Launched {
        instance,
        capacity: Capacity::Spot,
    }
}

fn no_spot() -> LaunchAnswer {
    LaunchAnswer::NoCapacity {
        codes: vec!["InsufficientInstanceCapacity".to_owned()],
        served: 0,
    }
}

fn refused() -> LaunchAnswer {
    LaunchAnswer::Refused {
        fault: LaunchFault::Authorisation,
        message: "UnauthorizedOperation: you may not".to_owned(),
        served: 0,
    }
}

fn quota() -> LaunchAnswer {
    LaunchAnswer::Refused {
        fault: LaunchFault::Quota,
        message: "MaxSpotInstanceCountExceeded: ask for more".to_owned(),
        served: 0,
    }
}

fn unclear() -> LaunchAnswer {
    LaunchAnswer::Unclear {
        message: "the connection was reset".to_owned(),
    }
}
