//! The instance of a job that passed is ended by what EC2 listed; that of any other is looked at.

use reprise_model::instance::{Capacity, InstanceState};
use reprise_model::job::{Conclusion, Job};

use crate::fakes::house::House;
use crate::fakes::samples::{queued, running};

/// Jobs on spot instances of their own.
fn jobs(house: &House, count: u64) -> Vec<(String, Job)> {
    let numbers = 1..=count;
    let jobs = numbers.map(|number| {
        let host = format!("i-{number:017}");
        house.cloud.add(&host, Capacity::Spot);
        let job = running(queued(number, "build"), &host, house.now());
        (host, job)
    });
    let jobs: Vec<(String, Job)> = jobs.collect();
    let all: Vec<Job> = jobs.iter().map(|(_, job)| job.clone()).collect();
    house.github.begin(&all);
    jobs
}

#[tokio::test(start_paused = true)]
async fn jobs_that_pass_beside_each_other_cost_a_list_for_all_of_them() {
    let house = House::new();
    let jobs = jobs(&house, 40);
    let controller = house.start();
    house.pass(5).await;
    let lists = house.cloud.lists();
    for (_, job) in &jobs {
        house.end(job.clone(), Conclusion::Success);
    }
    house.until_quiet().await;
    for (host, _) in &jobs {
        assert_eq!(house.cloud.state_of(host), InstanceState::Terminated);
    }
    assert_eq!(house.cloud.looks(), 0);
    assert!(house.cloud.lists() <= lists + 1, "{}", house.cloud.lists());
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_younger_than_the_list_is_looked_at() {
    let house = House::new();
    let controller = house.start();
    house.pass(5).await;
    let jobs = jobs(&house, 1);
    let (host, job) = &jobs[0];
    house.end(job.clone(), Conclusion::Success);
    house.until_quiet().await;
    assert_eq!(house.cloud.state_of(host), InstanceState::Terminated);
    assert_eq!(house.cloud.looks(), 1);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_failed_is_judged_by_what_ec2_says_now() {
    let house = House::new();
    let jobs = jobs(&house, 1);
    let (host, job) = &jobs[0];
    let controller = house.start();
    house.pass(5).await;
    house.cloud.tag_interrupted(host);
    house.end(job.clone(), Conclusion::Failure);
    house
        .until("judged", async || house.cloud.looks() > 0)
        .await;
    house.until_quiet().await;
    assert_eq!(house.cloud.state_of(host), InstanceState::Running);
    controller.stop().await;
}
