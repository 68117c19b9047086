//! The runner of an idle instance leaves GitHub before the instance ends, and what nobody can tell
//! anything of is ended in the end.

use std::slice;
use std::time::Duration;

use reprise_engine::strays::ListedRunner;
use reprise_model::ids::{JobId, RunnerId, RunnerName};
use reprise_model::instance::{Capacity, InstanceState};
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{ClaimKey, LaunchClaim};
use reprise_model::webhook::JobAction;
use reprise_store::{Change, Expect, Store};

use crate::fakes::house::{House, Running};
use crate::fakes::samples::{HOST, RUN, ended, queued, repository, running, secs, settings};

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

/// A job that any run's runner of this kind may get.
fn unbound(id: u64) -> Job {
    Job {
        labels: vec!["runs-on=linux/family=c7a".to_owned()],
        ..queued(id, "build")
    }
}

/// The host that was launched for a job, which is then cancelled before it begins; its run goes on.
async fn launched_in_vain(house: &House, job: &Job) -> String {
    house.send_job(JobAction::Queued, job);
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    house.github.begin(slice::from_ref(job));
    let cancelled = ended(job.clone(), Conclusion::Cancelled, house.now());
    house.github.put(&cancelled);
    house.send_job(JobAction::Completed, &cancelled);
    house.cloud.only_launched()
}

async fn claim(house: &House, id: u64) -> LaunchClaim {
    let key = ClaimKey {
        repository: repository(),
        job_id: JobId(id),
    };
    let found = house.store.claim(&key).await.expect("readable");
    found.expect("it is there").record
}

fn ended_for(controller: &Running, reason: &str) -> bool {
    controller.shows(&format!(
        r#"reprise_terminations_total{{reason="{reason}"}} 1"#
    ))
}

#[tokio::test(start_paused = true)]
async fn an_idle_instance_that_any_run_may_use_is_ended_after_its_runner_was_taken_out() {
    let house = House::new();
    let controller = house.start_giving_runners();
    let host = launched_in_vain(&house, &unbound(1)).await;
    let runner = claim(&house, 1).await.runner.expect("it was handed over");
    assert_eq!(runner.id, RunnerId(1));
    assert_eq!(runner.name, house.runners.made()[0].name);
    house.pass(14 * MINUTE).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Running);
    assert_eq!(house.runners.removed(), []);
    house.pass(5 * MINUTE).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
    assert_eq!(house.runners.removed(), [RunnerId(1)]);
    assert!(ended_for(&controller, "never-needed"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_whose_runner_has_another_runs_job_is_kept_until_that_is_over() {
    let house = House::new();
    let controller = house.start_giving_runners();
    let host = launched_in_vain(&house, &unbound(1)).await;
    house.runners.is_busy(RunnerId(1), true);
    house.pass(3 * HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Running);
    house.runners.is_busy(RunnerId(1), false);
    house.pass(HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_whose_launch_was_asked_for_twice_is_found_by_the_names_that_github_lists() {
    let house = House::new();
    let host = {
        let controller = house.start_giving_runners();
        let host = launched_in_vain(&house, &unbound(1)).await;
        controller.crash().await;
        host
    };
    let key = ClaimKey {
        repository: repository(),
        job_id: JobId(1),
    };
    // As somebody leaves it who hands a runner over for the second time.
    let found = house.store.claim(&key).await.expect("readable");
    let found = found.expect("it is there");
    let mut runner = found.record.runner.clone().expect("it was handed over");
    runner.is_only = false;
    let change = Change::PutClaim {
        claim: LaunchClaim {
            runner: Some(runner),
            ..found.record
        },
        expect: Expect::At(found.version),
        expires_at: jiff::Timestamp::MAX,
    };
    house.store.commit(vec![change]).await.expect("written");
    let listed = |id| ListedRunner {
        id: RunnerId(id),
        name: RunnerName::new(format!("reprise--{host}--0000000{id}")),
        is_online: true,
        is_busy: false,
    };
    house.runners.lists(vec![listed(7), listed(8)]);
    house.runners.is_busy(RunnerId(8), true);
    let controller = house.start_giving_runners();
    house.pass(2 * HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Running);
    house.runners.is_busy(RunnerId(8), false);
    house.pass(HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
    assert_eq!(house.runners.removed(), [RunnerId(7), RunnerId(8)]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_an_instance_brought_along_is_found_by_its_name() {
    let house = House::new();
    let controller = house.start_with_registry();
    let host = launched_in_vain(&house, &unbound(1)).await;
    house.runners.lists(vec![ListedRunner {
        id: RunnerId(5),
        name: RunnerName::new(format!("spot-{host}")),
        is_online: true,
        is_busy: false,
    }]);
    house.pass(20 * MINUTE).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
    assert_eq!(house.runners.removed(), [RunnerId(5)]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_runner_nobody_knows_is_ended_past_its_maximum_run_time() {
    let house = House::new();
    let controller = house.start_with_registry();
    let host = launched_in_vain(&house, &unbound(1)).await;
    house.cloud.add(HOST, Capacity::Spot);
    house.pass(6 * 24 * HOUR).await;
    assert_eq!(house.cloud.alive(), 2, "nobody can tell what they are for");
    house.pass(25 * HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
    assert_eq!(house.cloud.state_of(HOST), InstanceState::Terminated);
    assert!(controller.shows(r#"reprise_terminations_total{reason="past-max-run-time"} 2"#));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_job_runs_outlives_its_maximum_run_time() {
    let house = House::new();
    let mut settings = settings(true);
    settings.rules.max_run_time = secs(3_600);
    let controller = house.start_with(settings, 100);
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    let host = house.cloud.only_launched();
    let job = running(queued(1, "build"), &host, house.now());
    house.github.begin(slice::from_ref(&job));
    house.pass(5 * 24 * HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Running);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_is_ended() {
    let house = House::new();
    let controller = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.stop(HOST);
    house.pass(59 * MINUTE).await;
    assert_eq!(house.cloud.state_of(HOST), InstanceState::Stopped);
    house.pass(3 * MINUTE).await;
    assert_eq!(house.cloud.state_of(HOST), InstanceState::Terminated);
    assert!(ended_for(&controller, "stopped"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn three_hundred_orphans_of_a_crash_are_gone_after_two_sweeps_and_few_calls() {
    let house = House::new();
    house.cloud.ends_take(Duration::from_millis(200));
    let controller = house.start();
    let jobs: Vec<Job> = (1..=300).map(|id| queued(id, "build")).collect();
    for job in &jobs {
        house.send_job(JobAction::Queued, job);
    }
    house
        .until("launched", async || house.cloud.launched().len() == 300)
        .await;
    house.until_quiet().await;
    controller.crash().await;
    house.github.begin(&jobs);
    for job in jobs {
        house.end_silently(job, Conclusion::Cancelled);
    }
    house.github.complete(RUN);
    house.pass(30 * MINUTE).await;
    let controller = house.start();
    house.pass(2 * MINUTE + 30).await;
    assert_eq!(house.cloud.alive(), 0);
    assert_eq!(house.cloud.terminate_calls(), 300, "each is asked for once");
    let calls = house.cloud.moments_of_ends();
    assert!(calls <= 5, "{calls} calls");
    controller.stop().await;
}
