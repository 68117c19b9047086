//! A job that is not interrupted costs two writes: its launch claim, and EC2's answer to it.

use std::slice;

use reprise_model::instance::InstanceState;
use reprise_model::job::{Conclusion, Job};
use reprise_model::webhook::JobAction;

use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, queued, running, settings};

#[tokio::test(start_paused = true)]
async fn a_job_that_is_not_interrupted_costs_two_writes_however_it_ends() {
    for (labels, conclusion) in [
        ("runs-on=900", Conclusion::Success),
        ("runs-on=900", Conclusion::Failure),
        // As by a person.
        ("runs-on=900", Conclusion::Cancelled),
        ("runs-on=900/retry=false", Conclusion::Failure),
        ("runs-on=900/spot=false", Conclusion::Success),
        ("runs-on=900/spot=false", Conclusion::Failure),
    ] {
        let case = format!("{labels}: {conclusion:?}");
        let house = House::new();
        let controller = house.start();
        let job = Job {
            labels: vec![labels.to_owned()],
            ..queued(1, "build")
        };
        house.send_job(JobAction::Queued, &job);
        house
            .until("launched", async || !house.cloud.launched().is_empty())
            .await;
        let host = house.cloud.only_launched();
        let job = running(job, &host, house.now());
        house.github.begin(slice::from_ref(&job));
        house.pass(300).await;
        house.end(job, conclusion);
        house.end_run(RUN);
        house.until_quiet().await;
        house.pass(3_600).await;
        assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
        assert_eq!(house.store.writes(), 2, "{case}");
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn on_somebody_elses_fleet_a_job_that_fails_by_itself_costs_two_writes_and_one_that_passes_none()
 {
    for (conclusion, writes) in [(Conclusion::Failure, 2), (Conclusion::Success, 0)] {
        let house = House::new();
        let controller = house.start_with(settings(false), 10);
        let job = house.job_on_spot(1, "build");
        house.end(job, conclusion);
        house.end_run(RUN);
        house.until_quiet().await;
        house.pass(3_600).await;
        assert_eq!(house.cloud.state_of(HOST), InstanceState::Running);
        assert_eq!(house.store.writes(), writes);
        controller.stop().await;
    }
}
