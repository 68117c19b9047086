//! Jobs come back whose policy re-runs failures, wherever they ran.

use jiff::SignedDuration;
use reprise_config::Settings;
use reprise_config::policies::{Policies, PolicyRule};
use reprise_model::ids::{JobId, RunAttempt, RunnerName};
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::ledger::{RerunTarget, TrackedState, Why};
use reprise_model::policy::FailurePolicy;
use wildmatch::WildMatch;

use crate::fakes::github::Fault;
use crate::fakes::house::House;
use crate::fakes::samples::{RUN, queued, settings};

#[tokio::test(start_paused = true)]
async fn a_failed_job_on_githubs_machine_comes_back_after_the_pause_of_its_policy() {
    let house = House::new();
    let controller = house.start_with(with_rule("when-failed", &[60]), 10);
    let job = hosted(&house, "ubuntu-latest");
    house.end(job, Conclusion::Failure);
    house.until_quiet().await;
    assert_eq!(house.state(1).await, Some(TrackedState::Awaiting));
    house.end_run(RUN);
    house.pass(40).await;
    assert_eq!(house.github.posts(), 0, "its pause is not over");
    house.pass(40).await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    let tracked = &house.record().await.expect("kept").jobs[&JobId(1)];
    assert_eq!((tracked.why, &tracked.instance), (Why::Failed, &None));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_whose_event_was_lost_is_found_by_the_end_of_its_run() {
    let house = House::new();
    let controller = house.start_with(with_rule("when-failed", &[]), 10);
    let job = hosted(&house, "ubuntu-latest");
    house.end_silently(job, Conclusion::Failure);
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_label_asks_for_it_in_vain_unless_configuration_allows_it() {
    for allowed in [false, true] {
        let house = House::new();
        let mut settings = settings(true);
        if allowed {
            settings.policies.allowed.insert(FailurePolicy::WhenFailed);
        }
        let controller = house.start_with(settings, 10);
        let job = hosted(&house, "runs-on=4242/retry=when-failed");
        house.end(job, Conclusion::Failure);
        house.end_run(RUN);
        house.pass(300).await;
        assert_eq!(house.github.posts(), u32::from(allowed));
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_would_pass_comes_back_after_its_pause_with_the_line_that_decided() {
    let house = House::new();
    let controller = house.start_with(with_rule("when-transient", &[60]), 10);
    let job = hosted(&house, "ubuntu-latest");
    let reset = "curl: (56) Recv failure: Connection reset by peer";
    house.github.printed(job.id, reset);
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(40).await;
    assert_eq!(house.github.posts(), 0, "its pause is not over");
    house.pass(60).await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    let tracked = &house.record().await.expect("kept").jobs[&JobId(1)];
    assert_eq!(tracked.why, Why::Transient);
    let told = tracked.told.as_ref().expect("it was judged by its log");
    assert_eq!(told.line, reset);
    assert!(controller.shows(r#"reprise_failures_judged_total{class="transient"} 1"#));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_would_not_pass_is_kept_with_its_reason_and_judged_once() {
    // A log that is not there yet may be a moment later.
    for (log, reason, reads) in [
        (
            Some("assertion `left == right` failed"),
            "permanent-failure",
            1,
        ),
        (None, "unknown-failure", 2),
    ] {
        let house = House::new();
        let controller = house.start_with(with_rule("when-transient", &[]), 10);
        let job = hosted(&house, "ubuntu-latest");
        if let Some(log) = log {
            house.github.printed(job.id, log);
        }
        house.end(job, Conclusion::Failure);
        house.until_quiet().await;
        assert_eq!(house.reason(1).await, Some(reason));
        house.end_run(RUN);
        house.pass(300).await;
        assert_eq!(house.github.posts(), 0);
        assert_eq!(house.github.failure_reads(), reads, "{reason}");
        let record = house.record().await.expect("kept");
        let tracked = &record.jobs[&JobId(1)];
        assert_eq!((record.due, tracked.told.is_some()), (None, log.is_some()));
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_cannot_be_read_now_is_judged_when_it_can() {
    let house = House::new();
    let controller = house.start_with(with_rule("when-transient", &[]), 10);
    let job = hosted(&house, "ubuntu-latest");
    house.github.printed(
        job.id,
        "fatal: unable to access 'https://example.test/': Connection refused",
    );
    house.github.fail_reads(Some(Fault::Down));
    house.end(job, Conclusion::Failure);
    house.pass(20).await;
    assert_eq!(house.state(1).await, None);
    house.github.fail_reads(None);
    house
        .until("judged", async || house.state(1).await.is_some())
        .await;
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_had_its_attempts_is_kept_with_its_limit() {
    let house = House::new();
    let controller = house.start_with(with_rule("when-failed:2", &[]), 10);
    let job = hosted(&house, "ubuntu-latest");
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    let again = Job {
        id: JobId(1_001),
        run_attempt: RunAttempt::FIRST.next(),
        started_at: Some(house.now()),
        status: JobStatus::InProgress,
        runner_name: Some(RunnerName::new("GitHub Actions 8")),
        ..hosted_job(&house, "ubuntu-latest")
    };
    house.github.put(&again);
    house.end(again, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(300).await;
    assert_eq!(house.reason(1).await, Some("failed-again"));
    assert_eq!(house.reason(1_001).await, Some("attempt-limit"));
    let tracked = &house.record().await.expect("kept").jobs[&JobId(1_001)];
    assert_eq!(tracked.attempt, RunAttempt::FIRST.next());
    assert_eq!(
        tracked.policy,
        Some("when-failed:2".parse().expect("a policy"))
    );
    controller.stop().await;
}

fn hosted(house: &House, label: &str) -> Job {
    let job = hosted_job(house, label);
    house.github.begin(std::slice::from_ref(&job));
    job
}

fn hosted_job(house: &House, label: &str) -> Job {
    Job {
        labels: vec![label.to_owned()],
        status: JobStatus::InProgress,
        runner_name: Some(RunnerName::new("GitHub Actions 7")),
        started_at: Some(house.now()),
        ..queued(1, "e2e")
    }
}

fn with_rule(retry: &str, delays: &[i64]) -> Settings {
    let delays = delays.iter().copied().map(SignedDuration::from_secs);
    let rule = PolicyRule {
        repository: WildMatch::new("*"),
        workflow: WildMatch::new("*"),
        job: WildMatch::new("e2e"),
        retry: retry.parse().expect("a policy"),
        delays: Some(delays.collect()),
    };
    Settings {
        policies: Policies {
            rules: vec![rule],
            ..Policies::default()
        },
        ..settings(true)
    }
}
