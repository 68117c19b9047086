//! Jobs that were launched for and still wait; jobs that runners took; runners that are left at GitHub.

use reprise_engine::strays::ListedRunner;
use reprise_model::ids::{JobId, RunAttempt, RunId, RunnerId};
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{ClaimKey, ClaimState, LaunchClaim};
use reprise_model::runner_row::runner_name;
use reprise_model::webhook::JobAction;
use reprise_store::Store;

use crate::fakes::house::House;
use crate::fakes::samples::{
    HOST, ended, queued, repository, running as on, settings, settings_that_search,
};

async fn claim(house: &House, job: u64) -> Option<LaunchClaim> {
    let key = ClaimKey {
        repository: repository(),
        job_id: JobId(job),
    };
    let found = house.store.claim(&key).await.expect("readable");
    found.map(|found| found.record)
}

async fn is_launched(house: &House, job: u64) -> bool {
    let claim = claim(house, job).await;
    claim.is_some_and(|claim| matches!(claim.state, ClaimState::Launched { .. }))
}

/// A job that waits, and its machine.
async fn launched(house: &House, job: Job) -> (Job, String) {
    house.github.begin(std::slice::from_ref(&job));
    house.send_job(JobAction::Queued, &job);
    house
        .until("launched", async || is_launched(house, job.id.0).await)
        .await;
    let claim = claim(house, job.id.0).await.expect("there is one");
    let ClaimState::Launched { instance, .. } = claim.state else {
        panic!("{:?}", claim.state);
    };
    (job, instance.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_machine_ec2_takes_before_it_runs_gets_another_one() {
    let house = House::new();
    let running = house.start();
    let (_, instance) = launched(&house, queued(1, "build")).await;
    house.cloud.take_by_interruption(&instance);
    house
        .until("two launches", async || house.cloud.launched().len() == 2)
        .await;
    house.pass(600).await;
    assert_eq!(house.cloud.launched().len(), 2);
    assert_eq!(claim(&house, 1).await.map(|claim| claim.lost), Some(1));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_runner_never_comes_gets_other_machines_and_ends_visibly() {
    let house = House::new();
    let running = house.start_with(settings_that_search(true), 100);
    launched(&house, queued(1, "build")).await;
    house
        .until("told", async || !house.github.checks().is_empty())
        .await;
    assert_eq!(house.cloud.launched().len(), 3, "as many as may be");
    let checks = house.github.checks();
    assert!(
        checks[0].summary.contains("3 instances were launched"),
        "{checks:?}"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_runs_is_not_launched_for_again_though_its_machine_looks_dead() {
    let house = House::new();
    let running = house.start();
    let (job, instance) = launched(&house, queued(1, "build")).await;
    house.github.put(&on(job, &instance, house.now()));
    house.cloud.take_by_interruption(&instance);
    house.pass(1_200).await;
    assert_eq!(house.cloud.launched().len(), 1);
    assert_eq!(claim(&house, 1).await.map(|claim| claim.lost), Some(0));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_runner_was_taken_by_another_runs_job_gets_another_machine_at_its_end() {
    let house = House::new();
    let running = house.start();
    let (_, instance) = launched(&house, queued(1, "build")).await;
    let thief = Job {
        run_id: RunId(901),
        ..queued(2, "steal")
    };
    house.github.begin(std::slice::from_ref(&thief));
    let thief = on(thief, &instance, house.now());
    house.send_job(JobAction::InProgress, &thief);
    let thief = ended(thief, Conclusion::Success, house.now());
    house.github.put(&thief);
    house.send_job(JobAction::Completed, &thief);
    house
        .until("two launches", async || house.cloud.launched().len() == 2)
        .await;
    assert_eq!(claim(&house, 1).await.map(|claim| claim.lost), Some(1));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_told_the_job_that_its_runner_took() {
    let house = House::new();
    let running = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    let job = on(queued(1, "build"), HOST, house.now());
    house.send_job(JobAction::InProgress, &job);
    house.until_quiet().await;
    let tag = |key| house.cloud.tag_of(HOST, key);
    assert_eq!(tag("runs-on-workflow-job-id").as_deref(), Some("1"));
    assert_eq!(
        tag("runs-on-workflow-job-started"),
        Some(job.started_at.expect("it has begun").to_string())
    );
    assert_eq!(house.cloud.tag_calls(), 1);
    assert_eq!(house.cloud.looks(), 0, "EC2's last list shows whose it is");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_somebody_else_is_told_nothing_though_a_runner_bears_its_name() {
    let house = House::new();
    let running = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.remove_tag(HOST, "runs-on-stack-name");
    house.send_job(
        JobAction::InProgress,
        &on(queued(1, "build"), HOST, house.now()),
    );
    house.until_quiet().await;
    assert_eq!(house.cloud.tag_calls(), 0);
    assert!(running.shows("reprise_job_tags_total{result=\"not-ours\"} 1"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_ec2_does_not_take_holds_up_nothing() {
    let house = House::new();
    house.cloud.no_tags();
    let running = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    house.send_job(
        JobAction::InProgress,
        &on(queued(1, "build"), HOST, house.now()),
    );
    house.until_quiet().await;
    house.pass(60).await;
    assert_eq!(house.cloud.tag_calls(), 1);
    assert!(running.shows("reprise_job_tags_total{result=\"failed\"} 1"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn tags_of_jobs_may_be_switched_off_and_a_watched_fleet_has_none() {
    for with_fleet in [true, false] {
        let house = House::new();
        let mut settings = settings(with_fleet);
        if let Some(fleet) = &mut settings.fleet {
            fleet.tag_jobs = false;
        }
        let running = house.start_with(settings, 100);
        house.cloud.add(HOST, Capacity::Spot);
        house.send_job(
            JobAction::InProgress,
            &on(queued(1, "build"), HOST, house.now()),
        );
        house.until_quiet().await;
        assert_eq!(house.cloud.tag_calls(), 0);
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_attempt_that_lands_on_spot_after_all_is_counted() {
    let house = House::new();
    let running = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    let later = Job {
        run_attempt: RunAttempt::FIRST.next(),
        ..queued(1, "build")
    };
    house.send_job(JobAction::Queued, &later);
    house
        .until("launched", async || is_launched(&house, 1).await)
        .await;
    let own = house.cloud.only_launched();
    house.send_job(JobAction::InProgress, &on(later.clone(), &own, house.now()));
    house.until_quiet().await;
    assert!(running.shows("reprise_later_attempts_on_spot_total 0"));
    house.send_job(JobAction::InProgress, &on(later, HOST, house.now()));
    house.until_quiet().await;
    assert!(running.shows("reprise_later_attempts_on_spot_total 1"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_runner_whose_machine_is_gone_is_taken_out_of_github_and_no_other_one() {
    let house = House::new();
    house.cloud.add(HOST, Capacity::Spot);
    let runner = |id, instance: &str, is_online| ListedRunner {
        id: RunnerId(id),
        name: runner_name(&instance.parse().expect("an id"), 7),
        is_online,
        is_busy: false,
    };
    let gone = "i-0fedcba9876543210";
    house.runners.lists(vec![
        runner(1, HOST, false),
        runner(2, gone, false),
        runner(3, gone, true),
    ]);
    let running = house.start_giving_runners();
    house
        .until("removed", async || !house.runners.removed().is_empty())
        .await;
    house.pass(3_600).await;
    assert_eq!(house.runners.removed(), [RunnerId(2)]);
    assert!(running.shows("reprise_stray_runners_total{result=\"machine-gone\"} 1"));
    running.stop().await;
}
