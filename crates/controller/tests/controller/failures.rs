//! The world fails, the process ends, a part panics: nothing is lost and nothing is done twice.

use reprise_engine::job::Grounds;
use reprise_engine::run;
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::ids::{JobId, RunId};
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{RerunAnswer, RerunTarget, RunKey, TrackedState, Why};
use reprise_model::policy::RetryPolicy;
use reprise_model::webhook::JobAction;
use reprise_store::{Change, Expect, Store};

use crate::fakes::github::{Fault, PostFault};
use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, ended, instance, queued, repository, running, secs};

#[tokio::test(start_paused = true)]
async fn while_ec2_does_not_answer_the_message_comes_again() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.cloud.no_looks(true);
    house.end(job, Conclusion::Failure);
    house.pass(45).await;
    assert_eq!(
        house.webhooks.receives(),
        3,
        "at once, after 10 s, after 30 s more"
    );
    assert_eq!(house.record().await, None);
    house.cloud.no_looks(false);
    house.until_quiet().await;
    assert_eq!(house.state(1).await, Some(TrackedState::Awaiting));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_github_does_not_answer_the_run_is_read_later() {
    let house = House::new();
    let controller = house.start();
    house.github.fail_reads(Some(Fault::Down));
    interrupt(&house);
    house.end_run(RUN);
    house.until_quiet().await;
    house.pass(60).await;
    assert_eq!(house.state(1).await, Some(TrackedState::Awaiting));
    house.github.fail_reads(None);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.github.posts(), 1);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_respected_to_its_end() {
    let house = House::new();
    let controller = house.start();
    house
        .github
        .fail_reads(Some(Fault::RateLimited(secs(1_800))));
    let limited_at = house.now();
    interrupt(&house);
    house
        .until("awaiting", async || house.state(1).await.is_some())
        .await;
    house.pass(1).await;
    house.github.complete(RUN);
    house.github.fail_reads(None);
    let due = house
        .record()
        .await
        .and_then(|record| record.due)
        .expect("due");
    assert!(
        due.at.duration_since(limited_at) >= secs(1_800),
        "{}",
        due.at
    );
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert!(house.now().duration_since(limited_at) >= secs(1_800));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_github_does_not_show_any_more_settles_its_jobs() {
    let house = House::new();
    let controller = house.start();
    house.github.fail_reads(Some(Fault::Gone));
    interrupt(&house);
    house
        .until("settled", async || house.reason(1).await.is_some())
        .await;
    assert_eq!(house.reason(1).await, Some("refused-not-found"));
    assert_eq!(house.github.posts(), 0);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_later_attempt_of_a_run_that_is_gone_is_a_final_outcome_too() {
    let house = House::new();
    let controller = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.tag_interrupted(HOST);
    house.github.fail_reads(Some(Fault::Gone));
    let job = Job {
        run_attempt: reprise_model::ids::RunAttempt::FIRST.next(),
        ..running(queued(1_001, "build"), HOST, house.now())
    };
    house.send_job(
        JobAction::Completed,
        &ended(job, Conclusion::Failure, house.now()),
    );
    house.until_quiet().await;
    assert!(controller.shows(r#"reprise_job_verdicts_total{reason="refused-not-found"} 1"#));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_re_run_is_asked_again_only_once_the_run_was_read() {
    let house = House::new();
    let controller = house.start();
    house.github.fail_next_post(PostFault::Lost);
    let before = house.now();
    interrupt(&house);
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.github.posts(), 2);
    assert!(
        house.now().duration_since(before) >= secs(10),
        "the run was read in between"
    );
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_re_run_that_took_place_though_its_answer_was_lost_is_not_asked_again() {
    let house = House::new();
    let controller = house.start();
    house.github.fail_next_post(PostFault::Done);
    interrupt(&house);
    house.end_run(RUN);
    house.until("asked", async || house.is_asked().await).await;
    house.pass(600).await;
    assert_eq!(house.github.posts(), 1);
    assert_eq!(house.github.accepted().len(), 1);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_re_run_that_is_never_answered_is_cut_off_before_the_run_is_read() {
    let house = House::new();
    let controller = house.start();
    house.github.fail_next_post(PostFault::Hangs);
    interrupt(&house);
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.github.posts(), 2);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_no_because_the_run_is_still_active_is_waited_out() {
    let house = House::new();
    let controller = house.start();
    house.github.fail_next_post(PostFault::StillRunning);
    interrupt(&house);
    house.end_run(RUN);
    house.until("asked", async || house.is_asked().await).await;
    assert_eq!(house.github.posts(), 2);
    let record = house.record().await.expect("a record");
    assert_eq!(record.reruns.len(), 1, "what was put off leaves no trace");
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_the_order_and_its_answer_asks_once() {
    for took_place in [false, true] {
        let house = House::new();
        let first = house.start();
        house.github.fail_next_post(PostFault::Hangs);
        interrupt(&house);
        house.end_run(RUN);
        house
            .until("posted", async || house.github.posts() == 1)
            .await;
        first.crash().await;
        let record = house.record().await.expect("a record");
        assert_eq!(record.reruns[0].answer, RerunAnswer::Unclear);
        if took_place {
            house.github.rerun_now(RUN, RerunTarget::Job(JobId(1)));
        }
        let second = house.start();
        house.until("asked", async || house.is_asked().await).await;
        house.pass(600).await;
        assert_eq!(house.github.accepted().len(), 1);
        assert_eq!(house.github.posts(), if took_place { 1 } else { 2 });
        second.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_the_message_is_acknowledged_repeats_it_harmlessly() {
    let house = House::new();
    let first = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    let job = house.end(job, Conclusion::Failure);
    house
        .until("awaiting", async || house.state(1).await.is_some())
        .await;
    first.crash().await;
    house.send_job(JobAction::Completed, &job);
    let second = house.start();
    house.end_run(RUN);
    house.until_quiet().await;
    house.pass(600).await;
    assert_eq!(house.github.posts(), 1);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_replicas_over_one_ledger_ask_once() {
    let house = House::new();
    let replicas = [house.start(), house.start()];
    interrupt(&house);
    house.end_run(RUN);
    house.until("asked", async || house.is_asked().await).await;
    house.pass(600).await;
    assert_eq!(house.github.posts(), 1);
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_takes_nothing_with_it() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.cloud.panics_at(HOST, true);
    house.end(job, Conclusion::Failure);
    house.send_job(JobAction::Queued, &queued(2, "lint"));
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    assert_eq!(house.webhooks.receives(), 1, "it waits to come again");
    assert!(controller.shows(r#"reprise_messages_total{outcome="failed",queue="webhooks"} 1"#));
    house.cloud.panics_at(HOST, false);
    house.until_quiet().await;
    assert_eq!(house.state(1).await, Some(TrackedState::Awaiting));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_due_record_whose_work_panics_is_tried_again() {
    let house = House::new();
    let controller = house.start();
    let other_host = "i-0123456789abcdef1";
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.add(other_host, Capacity::Spot);
    house.cloud.panics_at(other_host, true);
    let jobs = [
        running(queued(1, "build"), HOST, house.now()),
        running(queued(2, "test"), other_host, house.now()),
    ];
    house.github.begin(&jobs);
    let [interrupted, failed] = jobs;
    house.cloud.tag_interrupted(HOST);
    house.end(interrupted, Conclusion::Failure);
    house.end_silently(failed, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(120).await;
    assert_eq!(house.state(1).await, Some(TrackedState::Awaiting));
    house.cloud.panics_at(other_host, false);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_read_hold_up_no_others() {
    let house = House::new();
    for number in 1..=200 {
        await_run(&house, RunId(number)).await;
        house.store.break_run(RunId(number));
    }
    let controller = house.start();
    house.pass(1).await;
    interrupt(&house);
    house.end_run(RUN);
    let before = house.now();
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert!(house.now().duration_since(before) < secs(1));
    house.pass(60).await;
    let failures = failures(&controller.metrics());
    assert!(
        (400..1_000).contains(&failures),
        "each rests longer and longer: {failures}"
    );
    controller.stop().await;
}

/// The only job of [`RUN`] loses its instance and fails.
fn interrupt(house: &House) {
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
}

/// A record that is due already.
async fn await_run(house: &House, run: RunId) {
    let job = Job {
        run_id: run,
        ..ended(
            running(queued(1, "build"), HOST, house.now()),
            Conclusion::Failure,
            house.now(),
        )
    };
    let key = RunKey {
        repository: repository(),
        run_id: run,
    };
    let grounds = Grounds {
        why: Why::Interrupted,
        policy: RetryPolicy::USUAL,
        instance: Some(instance(HOST)),
        evidence: vec![Evidence {
            source: EvidenceSource::Tag,
            first_seen_at: house.now(),
        }],
        told: None,
        advice: None,
        pause: secs(0),
    };
    let put = Change::PutRun {
        entry: run::await_job(None, key, &job, grounds, house.now()),
        expect: Expect::Absent,
        expires_at: house.now() + secs(86_400),
    };
    house.store.commit(vec![put]).await.expect("written");
}

fn failures(metrics: &str) -> u32 {
    let line = metrics
        .lines()
        .find(|line| line.starts_with("reprise_work_failures_total "));
    let (_, count) = line
        .and_then(|line| line.split_once(' '))
        .expect("the counter");
    count.parse().expect("a number")
}
