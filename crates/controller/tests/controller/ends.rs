//! Queued jobs that get no machine end visibly.

use reprise_config::Settings;
use reprise_model::ending::Telling;
use reprise_model::ids::JobId;
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{ClaimKey, ClaimState, LaunchClaim};
use reprise_model::policy::OnLaunchExhausted;
use reprise_model::webhook::JobAction;
use reprise_store::Store;

use crate::fakes::github::ChangeFault;
use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, queued, repository, settings};

/// A controller's settings that give a launch up after two tries.
fn impatient(then: OnLaunchExhausted) -> Settings {
    let mut settings = settings(true);
    settings.rules.launch_tries = 2;
    settings.rules.on_launch_exhausted = then;
    settings
}

async fn claim(house: &House, job: u64) -> Option<LaunchClaim> {
    let key = ClaimKey {
        repository: repository(),
        job_id: JobId(job),
    };
    let found = house.store.claim(&key).await.expect("readable");
    found.map(|found| found.record)
}

async fn told(house: &House, job: u64) -> Option<Telling> {
    claim(house, job).await?.end.map(|end| end.check)
}

async fn is_given_up(house: &House, job: u64) -> bool {
    let claim = claim(house, job).await;
    claim.is_some_and(|claim| matches!(claim.state, ClaimState::GivenUp { .. }))
}

/// A job that is queued at a GitHub which says so, while EC2 does not answer.
fn queue_in_vain(house: &House) -> Job {
    house.cloud.no_launch_answers(true);
    let job = queued(1, "build");
    house.github.begin(std::slice::from_ref(&job));
    house.send_job(JobAction::Queued, &job);
    job
}

#[tokio::test(start_paused = true)]
async fn a_job_that_gets_no_machine_has_a_failed_check_run_that_says_why() {
    let house = House::new();
    let running = house.start_with(impatient(OnLaunchExhausted::LeaveQueued), 100);
    queue_in_vain(&house);
    house
        .until("told", async || {
            told(&house, 1).await == Some(Telling::Done)
        })
        .await;
    let checks = house.github.checks();
    assert_eq!(checks.len(), 1);
    assert_eq!(
        checks[0].text.title,
        "No machine could be launched for build"
    );
    assert!(
        checks[0].text.summary.contains("no answer came"),
        "{checks:?}"
    );
    assert!(house.github.cancelled().is_empty());
    house.pass(3_600).await;
    assert_eq!(house.github.check_posts(), 1);
    assert!(
        running
            .shows("reprise_jobs_without_machine_total{answer=\"accepted\",what=\"check-run\"} 1")
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn its_run_is_cancelled_where_that_is_configured_and_the_ledger_says_that_it_was_us() {
    let house = House::new();
    let running = house.start_with(impatient(OnLaunchExhausted::CancelRun), 100);
    queue_in_vain(&house);
    house
        .until("cancelled", async || !house.github.cancelled().is_empty())
        .await;
    house.pass(600).await;
    assert_eq!(house.github.cancelled(), [RUN]);
    assert_eq!(house.github.checks().len(), 1);
    let claim = claim(&house, 1).await.expect("there is one");
    assert!(claim.end.is_some_and(|end| end.cancels()));
    assert_eq!(claim.due, None);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_check_run_whose_answer_was_lost_is_looked_for_before_it_is_written_again() {
    for (faults, posts) in [
        ([ChangeFault::Done].as_slice(), 1),
        ([ChangeFault::Lost, ChangeFault::Lost].as_slice(), 3),
    ] {
        let house = House::new();
        house.github.fail_next_changes(faults);
        let running = house.start_with(impatient(OnLaunchExhausted::LeaveQueued), 100);
        queue_in_vain(&house);
        house
            .until("told", async || {
                told(&house, 1).await == Some(Telling::Done)
            })
            .await;
        assert_eq!(house.github.checks().len(), 1, "{faults:?}");
        assert_eq!(house.github.check_posts(), posts, "{faults:?}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_untold_is_told_by_another_replica() {
    let house = House::new();
    let running = house.start_with(impatient(OnLaunchExhausted::LeaveQueued), 100);
    house.github.reads_take(std::time::Duration::from_secs(5));
    queue_in_vain(&house);
    house
        .until("given up", async || is_given_up(&house, 1).await)
        .await;
    running.crash().await;
    assert_eq!(house.github.check_posts(), 0);
    let other = house.start();
    house
        .until("told", async || {
            told(&house, 1).await == Some(Telling::Done)
        })
        .await;
    assert_eq!(house.github.checks().len(), 1);
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_replicas_tell_of_a_job_once() {
    let house = House::new();
    let rule = OnLaunchExhausted::LeaveQueued;
    let replicas = [
        house.start_with(impatient(rule), 100),
        house.start_with(impatient(rule), 100),
    ];
    queue_in_vain(&house);
    house
        .until("told", async || {
            told(&house, 1).await == Some(Telling::Done)
        })
        .await;
    house.pass(600).await;
    assert_eq!(house.github.check_posts(), 1);
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_permission_there_is_no_check_run_and_the_run_is_cancelled_all_the_same() {
    let house = House::new();
    house.github.may_not_check();
    let running = house.start_with(impatient(OnLaunchExhausted::CancelRun), 100);
    queue_in_vain(&house);
    house
        .until("cancelled", async || !house.github.cancelled().is_empty())
        .await;
    assert_eq!(house.github.check_posts(), 0);
    assert!(matches!(told(&house, 1).await, Some(Telling::Refused(_))));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_job_of_a_run_that_we_cancelled_is_settled_by_that_and_not_by_a_person() {
    let house = House::new();
    let running = house.start_with(impatient(OnLaunchExhausted::CancelRun), 100);
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.no_launch_answers(true);
    let interrupted = crate::fakes::samples::running(queued(2, "test"), HOST, house.now());
    let in_vain = queued(1, "build");
    house.github.begin(&[in_vain.clone(), interrupted.clone()]);
    house.cloud.tag_interrupted(HOST);
    house.end(interrupted, Conclusion::Failure);
    house.send_job(JobAction::Queued, &in_vain);
    house
        .until("cancelled", async || !house.github.cancelled().is_empty())
        .await;
    house.send_run(RUN);
    house
        .until("settled", async || {
            house.reason(2).await == Some("cancelled-by-us")
        })
        .await;
    assert_eq!(house.github.posts(), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_another_runner_took_meanwhile_is_not_told_of() {
    let house = House::new();
    house.github.reads_take(std::time::Duration::from_secs(5));
    let running = house.start_with(impatient(OnLaunchExhausted::CancelRun), 100);
    let job = queue_in_vain(&house);
    house
        .until("given up", async || is_given_up(&house, 1).await)
        .await;
    let taken = crate::fakes::samples::running(job, "i-0fedcba9876543210", house.now());
    house.github.put(&taken);
    house.pass(600).await;
    assert!(house.github.checks().len() <= 1);
    assert!(house.github.cancelled().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_with_a_bad_label_reads_what_is_wrong_with_it_and_its_run_goes_on() {
    let house = House::new();
    let running = house.start_with(impatient(OnLaunchExhausted::CancelRun), 100);
    let job = Job {
        labels: vec!["runs-on=900/cpu=lots".to_owned()],
        ..queued(1, "build")
    };
    house.github.begin(std::slice::from_ref(&job));
    house.send_job(JobAction::Queued, &job);
    house.send_job(JobAction::Queued, &job);
    house
        .until("told", async || {
            told(&house, 1).await == Some(Telling::Done)
        })
        .await;
    house.pass(600).await;
    let checks = house.github.checks();
    assert_eq!(checks.len(), 1);
    assert!(checks[0].text.summary.contains("cpu=lots"), "{checks:?}");
    assert!(house.github.cancelled().is_empty());
    assert!(house.cloud.launched().is_empty());
    running.stop().await;
}
