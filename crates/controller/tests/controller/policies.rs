//! Jobs come back whose policy re-runs failures, wherever they ran.

use jiff::SignedDuration;
use reprise_config::Settings;
use reprise_config::policies::{Policies, PolicyRule};
use reprise_model::ids::{JobId, RunnerName};
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::ledger::{RerunTarget, TrackedState, Why};
use reprise_model::policy::FailurePolicy;
use wildmatch::WildMatch;

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

fn hosted(house: &House, label: &str) -> Job {
    let job = Job {
        labels: vec![label.to_owned()],
        status: JobStatus::InProgress,
        runner_name: Some(RunnerName::new("GitHub Actions 7")),
        started_at: Some(house.now()),
        ..queued(1, "e2e")
    };
    house.github.begin(std::slice::from_ref(&job));
    job
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
