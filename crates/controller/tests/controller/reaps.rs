//! Instances that no event ended are ended all the same, and no others.

use std::slice;

use reprise_model::ids::JobId;
use reprise_model::instance::InstanceState;
use reprise_model::job::{Conclusion, Job};
use reprise_model::webhook::JobAction;

use crate::fakes::house::{House, Running};
use crate::fakes::samples::{RUN, ended, queued, running};

const HOUR: u64 = 3_600;

#[tokio::test(start_paused = true)]
async fn an_instance_whose_jobs_end_nobody_told_of_is_ended_and_one_at_work_is_not() {
    let house = House::new();
    let controller = house.start();
    let host = launched(&house).await;
    let job = running(queued(1, "build"), &host, house.now());
    house.github.begin(slice::from_ref(&job));
    house.pass(4 * HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Running);
    assert!(
        house.github.jobs_reads() <= 20,
        "{}",
        house.github.jobs_reads()
    );
    house.end_silently(job, Conclusion::Success);
    house.github.complete(RUN);
    house.pass(HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
    assert!(ended_for(&controller, "job-ended"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_job_was_cancelled_before_it_began_is_ended() {
    let house = House::new();
    let controller = house.start();
    let host = launched(&house).await;
    house.github.begin(&[queued(1, "build")]);
    let cancelled = ended(queued(1, "build"), Conclusion::Cancelled, house.now());
    house.github.put(&cancelled);
    house.github.complete(RUN);
    house.send_job(JobAction::Completed, &cancelled);
    house.pass(540).await;
    assert_eq!(
        house.cloud.state_of(&host),
        InstanceState::Running,
        "it was launched a moment ago"
    );
    house.pass(180).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
    assert!(ended_for(&controller, "never-needed"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_runner_took_another_job_is_ended_after_that_one() {
    let house = House::new();
    let controller = house.start();
    let host = launched(&house).await;
    let other = Job {
        id: JobId(2),
        ..queued(2, "test")
    };
    let jobs = [
        running(queued(1, "build"), "i-0123456789abcdef1", house.now()),
        running(other, &host, house.now()),
    ];
    house.github.begin(&jobs);
    let [own, stolen] = jobs;
    house.end_silently(own, Conclusion::Success);
    house.pass(HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Running);
    house.end_silently(stolen, Conclusion::Failure);
    house.pass(HOUR).await;
    assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
    assert!(ended_for(&controller, "job-ended"));
    controller.stop().await;
}

/// The host that was launched for job 1.
async fn launched(house: &House) -> String {
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    house.cloud.only_launched()
}

fn ended_for(controller: &Running, reason: &str) -> bool {
    controller.shows(&format!(
        r#"reprise_terminations_total{{reason="{reason}"}} 1"#
    ))
}
