//! There are never more instances than configured, and nobody who waits for one is forgotten.

use std::time::Duration;

use reprise_config::Settings;
use reprise_engine::room::InstanceLimits;
use reprise_model::ending::Telling;
use reprise_model::ids::{Repository, RunId};
use reprise_model::instance::{Capacity, InstanceState};
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{ClaimKey, ClaimState, Due, LaunchClaim};
use reprise_model::webhook::JobAction;
use reprise_store::Store;

use crate::fakes::github::Fault;
use crate::fakes::house::House;
use crate::fakes::samples::{RUN, ended, queued, repository, settings, settings_that_search};

const MANY: InstanceLimits = InstanceLimits {
    stack: 1_000,
    repository: 500,
    run: 256,
};

#[tokio::test(start_paused = true)]
async fn of_two_thousand_jobs_of_one_run_as_many_as_allowed_get_machines_and_all_others_an_end() {
    let house = House::new();
    let running = house.start_with(limited(MANY), 2_000);
    let jobs: Vec<Job> = (1..=2_000).map(|id| queued(id, &named(id))).collect();
    house.github.begin(&jobs);
    // Twenty pages take a while.
    house.github.reads_take(Duration::from_secs(5));
    for job in &jobs {
        house.send_job(JobAction::Queued, job);
    }
    house.until_quiet().await;
    house.pass(300).await;
    // The jobs once, and for each check run itself and a list of those there are.
    let requests = house.github.requests();
    assert!(requests <= 100, "{requests}");
    // From here on it is asked why those that have machines still wait.
    house.pass(1_500).await;
    let requests = house.github.requests();
    assert!(requests <= 250, "{requests}");
    assert_eq!(house.cloud.launched().len(), 256);
    let claims = claims(&house, 2_000).await;
    let refused: Vec<&LaunchClaim> = claims.iter().filter(|claim| is_refused(claim)).collect();
    assert_eq!(refused.len(), 2_000 - 256);
    for claim in &refused {
        assert_eq!(claim.due, None, "{claim:?}");
    }
    let told = refused.iter().filter(|claim| is_told(claim)).count();
    assert_eq!(told, 20);
    let checks = house.github.checks();
    assert_eq!(checks.len(), 20);
    for check in &checks {
        assert!(
            check
                .title
                .contains("asks for a machine that it cannot have"),
            "{check:?}"
        );
        let why = "limits.instances_per_run is 256";
        assert!(check.summary.contains(why), "{check:?}");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_full_is_refused_in_words() {
    let house = House::new();
    let limits = InstanceLimits { run: 1, ..MANY };
    let running = house.start_with(limited(limits), 100);
    send(&house, 1).await;
    send(&house, 2).await;
    let refused = r#"reprise_messages_total{outcome="launch-refused",queue="webhooks"} 1"#;
    assert!(running.shows(refused), "{}", running.metrics());
    let other = Job {
        run_id: RunId(901),
        ..queued(3, "build")
    };
    house.send_job(JobAction::Queued, &other);
    house.until_quiet().await;
    assert_eq!(house.cloud.launched().len(), 2, "another run has its own");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_refused_is_not_launched_for_by_the_search_for_queued_jobs() {
    let house = House::new();
    let limits = InstanceLimits { run: 1, ..MANY };
    let running = house.start_with(with_limits(settings_that_search(true), limits), 100);
    let jobs = [queued(1, "build"), queued(2, "test")];
    house.github.begin(&jobs);
    for job in &jobs {
        house.send_job(JobAction::Queued, job);
        house.until_quiet().await;
    }
    // There is room again, and the job still waits while rounds of the search go by.
    house.cloud.take(&house.cloud.only_launched());
    house
        .github
        .put(&ended(jobs[0].clone(), Conclusion::Success, house.now()));
    house.pass(4_000).await;
    assert_eq!(house.cloud.launched().len(), 1);
    let state = state(&house, 2).await;
    assert!(
        matches!(&state, Some(ClaimState::GivenUp { why }) if why.contains("instances_per_run is 1")),
        "{state:?}"
    );
    assert_eq!(house.github.checks().len(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_is_made_by_one_of_those_who_wait_for_it() {
    let house = House::new();
    let limits = InstanceLimits { run: 1, ..MANY };
    let running = house.start_with(limited(limits), 100);
    let jobs: Vec<Job> = (1..=21).map(|id| queued(id, &named(id))).collect();
    house.github.begin(&jobs);
    house.github.reads_take(Duration::from_secs(5));
    house.github.fail_reads(Some(Fault::Down));
    for job in &jobs {
        house.send_job(JobAction::Queued, job);
    }
    house
        .until("a look", async || house.github.jobs_reads() > 0)
        .await;
    house.pass(6).await;
    assert_eq!(house.github.jobs_reads(), 1);
    house.github.fail_reads(None);
    house.pass(300).await;
    assert_eq!(house.github.checks().len(), 20);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_search_asks_about_all_jobs_of_a_run_with_a_few_looks_at_it() {
    let house = House::new();
    let running = house.start_with(with_limits(settings_that_search(true), MANY), 250);
    let jobs: Vec<Job> = (1..=200).map(|id| queued(id, &named(id))).collect();
    house.github.begin(&jobs);
    house.github.reads_take(Duration::from_secs(2));
    for job in &jobs {
        house.send_job(JobAction::Queued, job);
    }
    house.until_quiet().await;
    house.pass(1_000).await;
    let asked = r#"reprise_launched_jobs_asked_about_total{reason="runner-never-came"} 200"#;
    assert!(running.shows(asked), "{}", running.metrics());
    let reads = house.github.jobs_reads();
    assert!(reads <= 10, "{reads}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_waits_while_the_stack_is_full_and_is_launched_when_a_machine_ends() {
    let house = House::new();
    let limits = InstanceLimits { stack: 1, ..MANY };
    let running = house.start_with(limited(limits), 100);
    send(&house, 1).await;
    send(&house, 2).await;
    house.github.begin(&[queued(2, "build")]);
    house.pass(600).await;
    assert_eq!(house.cloud.launched().len(), 1);
    assert_eq!(state(&house, 2).await, Some(ClaimState::Wanted));
    let waits = running.metrics();
    assert!(waits.contains(r#"reprise_launch_waits_total{reason="stack-is-full"}"#));
    house.cloud.take(&house.cloud.only_launched());
    house.pass(310).await;
    assert!(is_launched(&house, 2).await);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_room_for_six_hours_is_given_up_and_told_of() {
    let house = House::new();
    let limits = InstanceLimits { stack: 1, ..MANY };
    let running = house.start_with(limited(limits), 100);
    house
        .github
        .begin(&[queued(1, "build"), queued(2, "build")]);
    send(&house, 1).await;
    let host = house.cloud.only_launched();
    let one = crate::fakes::samples::running(queued(1, "build"), &host, house.now());
    house.github.put(&one);
    send(&house, 2).await;
    house.pass(5 * 3_600).await;
    assert_eq!(state(&house, 2).await, Some(ClaimState::Wanted));
    house.pass(3_600 + 700).await;
    let why = "limits.longest_wait";
    let state = state(&house, 2).await;
    assert!(
        matches!(&state, Some(ClaimState::GivenUp { why: words }) if words.contains(why)),
        "{state:?}"
    );
    let checks = house.github.checks();
    assert_eq!(checks.len(), 1);
    assert!(checks[0].summary.contains(why), "{:?}", checks[0]);
    assert!(running.shows(r#"reprise_launches_total{answer="given-up",capacity="spot"} 1"#));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_launch_goes_before_all_that_is_to_be_told_of_refused_jobs() {
    let house = House::new();
    let limits = InstanceLimits { run: 1, ..MANY };
    let running = house.start_with(limited(limits), 100);
    // Each in a run of its own, whose jobs take long to read.
    let jobs: Vec<Job> = (1..=40)
        .map(|run| Job {
            run_id: RunId(2_000 + run),
            ..queued(100 + run, "build")
        })
        .collect();
    house.github.reads_take(Duration::from_secs(20));
    for job in &jobs {
        let first = Job {
            id: reprise_model::ids::JobId(job.id.0 + 1_000),
            ..job.clone()
        };
        house.github.begin(&[first.clone(), job.clone()]);
        house.send_job(JobAction::Queued, &first);
        house.until_quiet().await;
        house.send_job(JobAction::Queued, job);
        house.until_quiet().await;
    }
    // All of them are due by then, and none is told of yet but those that were begun.
    house
        .until("a telling", async || house.github.jobs_reads() > 0)
        .await;
    let wanted = LaunchClaim {
        key: key(1),
        run_id: RUN,
        due: Some(Due::now(house.now())),
        state: ClaimState::Wanted,
        queued_at: None,
        end: None,
        lost: 0,
        ..claim_of(&house, 1_101).await
    };
    let put = reprise_store::Change::PutClaim {
        claim: wanted,
        expect: reprise_store::Expect::Absent,
        expires_at: jiff::Timestamp::MAX,
    };
    house.store.commit(vec![put]).await.expect("commits");
    house.pass(8).await;
    assert!(house.github.checks().len() < 10);
    assert!(is_launched(&house, 1).await);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_repository_waits_while_another_one_launches() {
    let house = House::new();
    let limits = InstanceLimits {
        repository: 1,
        ..MANY
    };
    let running = house.start_with(limited(limits), 100);
    send(&house, 1).await;
    send(&house, 2).await;
    let other: Repository = "acme/other".parse().expect("valid");
    house.send_job_of(&other, JobAction::Queued, &queued(3, "build"));
    house.until_quiet().await;
    assert_eq!(house.cloud.launched(), [Capacity::Spot; 2]);
    assert_eq!(state(&house, 2).await, Some(ClaimState::Wanted));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ended_while_it_waited_gets_no_machine() {
    let house = House::new();
    let limits = InstanceLimits { stack: 1, ..MANY };
    let running = house.start_with(limited(limits), 100);
    send(&house, 1).await;
    send(&house, 2).await;
    let cancelled = ended(queued(2, "build"), Conclusion::Cancelled, house.now());
    house.github.begin(&[cancelled]);
    house.cloud.take(&house.cloud.only_launched());
    house.pass(600).await;
    assert_eq!(house.cloud.launched().len(), 1);
    let state = state(&house, 2).await;
    assert!(
        matches!(state, Some(ClaimState::GivenUp { .. })),
        "{state:?}"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_another_replica_launched_counts() {
    let house = House::new();
    let limits = InstanceLimits { stack: 2, ..MANY };
    let first = house.start_with(limited(limits), 100);
    send(&house, 1).await;
    send(&house, 2).await;
    first.stop().await;
    let second = house.start_with(limited(limits), 100);
    send(&house, 3).await;
    house.pass(60).await;
    assert_eq!(house.cloud.launched().len(), 2);
    assert_eq!(state(&house, 3).await, Some(ClaimState::Wanted));
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_launch_nobody_heard_of_does_not_stand_in_its_own_jobs_way() {
    let house = House::new();
    let limits = InstanceLimits { stack: 1, ..MANY };
    let first = house.start_with(limited(limits), 100);
    send(&house, 1).await;
    first.crash().await;
    // As if the answer had been lost: the claim is as it was before it.
    let key = key(1);
    let found = house
        .store
        .claim(&key)
        .await
        .expect("reads")
        .expect("is there");
    let lost = reprise_model::ledger::LaunchClaim {
        state: ClaimState::Wanted,
        due: Some(reprise_model::ledger::Due::now(house.now())),
        ..found.record
    };
    let put = reprise_store::Change::PutClaim {
        claim: lost,
        expect: reprise_store::Expect::At(found.version),
        expires_at: jiff::Timestamp::MAX,
    };
    house.store.commit(vec![put]).await.expect("commits");
    let second = house.start_with(limited(limits), 100);
    house.pass(10).await;
    assert!(is_launched(&house, 1).await);
    assert_eq!(house.cloud.launched().len(), 1);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn far_from_every_limit_nothing_is_listed_but_by_the_sweep() {
    let house = House::new();
    let running = house.start_with(limited(MANY), 100);
    house.pass(10).await;
    let swept = house.cloud.lists();
    for job in 1..=30 {
        send(&house, job).await;
    }
    assert_eq!(house.cloud.launched().len(), 30);
    assert_eq!(house.cloud.lists(), swept);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_ends_makes_room_though_ec2_still_shows_it() {
    let house = House::new();
    let limits = InstanceLimits { stack: 1, ..MANY };
    let running = house.start_with(limited(limits), 100);
    send(&house, 1).await;
    let id = house.cloud.only_launched();
    house.cloud.take(&id);
    assert_eq!(house.cloud.state_of(&id), InstanceState::Terminated);
    house.pass(61).await;
    send(&house, 2).await;
    assert_eq!(house.cloud.launched().len(), 2);
    running.stop().await;
}

async fn claim_of(house: &House, job: u64) -> LaunchClaim {
    let found = house.store.claim(&key(job)).await.expect("readable");
    found.expect("it has one").record
}

fn named(job: u64) -> String {
    format!("build-{job}")
}

async fn claims(house: &House, jobs: u64) -> Vec<LaunchClaim> {
    let mut claims = Vec::new();
    for job in 1..=jobs {
        let found = house.store.claim(&key(job)).await.expect("readable");
        claims.push(found.expect("each has one").record);
    }
    claims
}

fn is_refused(claim: &LaunchClaim) -> bool {
    matches!(&claim.state, ClaimState::GivenUp { why } if why.contains("limits.instances_per_run is 256"))
}

fn is_told(claim: &LaunchClaim) -> bool {
    let end = claim.end.as_ref();
    end.is_some_and(|end| end.check == Telling::Done)
}

async fn send(house: &House, job: u64) {
    house.send_job(JobAction::Queued, &queued(job, "build"));
    house.until_quiet().await;
}

async fn state(house: &House, job: u64) -> Option<ClaimState> {
    let found = house.store.claim(&key(job)).await.expect("readable");
    found.map(|found| found.record.state)
}

async fn is_launched(house: &House, job: u64) -> bool {
    matches!(state(house, job).await, Some(ClaimState::Launched { .. }))
}

fn key(job: u64) -> ClaimKey {
    ClaimKey {
        repository: repository(),
        job_id: reprise_model::ids::JobId(job),
    }
}

fn limited(instances: InstanceLimits) -> Settings {
    assert_eq!(queued(1, "build").run_id, RUN);
    with_limits(settings(true), instances)
}

fn with_limits(mut settings: Settings, instances: InstanceLimits) -> Settings {
    let fleet = settings.fleet.as_mut().expect("a fleet");
    fleet.offer.limits.instances = instances;
    settings
}
