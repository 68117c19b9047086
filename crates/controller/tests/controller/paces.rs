//! EC2 and GitHub are asked no more than they take, and nothing is lost for it.

use reprise_engine::pace::Ec2Action;
use reprise_model::ids::Region;
use reprise_model::instance::InstanceState;
use reprise_model::job::Conclusion;
use reprise_model::webhook::JobAction;

use crate::fakes::FOR_EVER;
use crate::fakes::github::Fault;
use crate::fakes::house::House;
use crate::fakes::runners::Wrong;
use crate::fakes::samples::{HOST, REGION, RUN, queued, secs, settings};

fn queue(house: &House, jobs: std::ops::Range<u64>) {
    for number in jobs {
        house.send_job(JobAction::Queued, &queued(number, "build"));
    }
}

async fn until_all_launched(house: &House, jobs: usize) {
    house
        .until("launched", async || house.cloud.launched().len() == jobs)
        .await;
}

#[tokio::test(start_paused = true)]
async fn when_ec2_throttles_for_a_minute_less_is_asked_and_every_job_gets_its_machine_after_it() {
    let house = House::new();
    let running = house.start_with(settings(true), 1_000);
    house.cloud.throttles_for(60);
    queue(&house, 1..201);
    house.pass(30).await;
    let calls = house.cloud.launch_calls();
    house.pass(29).await;
    let more = house.cloud.launch_calls() - calls;
    assert!(calls < 80, "{calls} calls in half a minute");
    assert!(more < 30, "{more} more in the next");
    assert!(house.webhooks.is_empty(), "what waits is in the store");
    house.pass(150).await;
    assert_eq!(house.cloud.launched().len(), 200);
    assert!(running.metrics().contains("reprise_throttled_total"));
    assert!(!running.metrics().contains("given-up"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_launches_at_once_keep_to_the_rate_of_a_full_bucket() {
    let house = House::new();
    let running = house.start_with(settings(true), 1_000);
    queue(&house, 1..301);
    house.pass(10).await;
    let calls = house.cloud.launch_calls();
    assert!((90..=101).contains(&calls), "{calls} calls in ten seconds");
    until_all_launched(&house, 300).await;
    assert_eq!(house.cloud.launch_calls(), 300);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_is_put_off_survives_a_crash() {
    let house = House::new();
    house.cloud.throttles_for(60);
    let first = house.start_with(settings(true), 1_000);
    queue(&house, 1..51);
    house
        .until("put off", async || house.webhooks.is_empty())
        .await;
    first.crash().await;
    let second = house.start();
    until_all_launched(&house, 50).await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn five_hundred_launches_that_are_due_do_not_delay_a_re_run() {
    let house = House::new();
    house.cloud.throttles_for(50);
    let first = house.start_with(settings(true), 1_000);
    queue(&house, 101..601);
    house
        .until("put off", async || house.webhooks.is_empty())
        .await;
    first.crash().await;
    // All of them are due, and each call hangs.
    house.pass(120).await;
    house.cloud.launches_take(FOR_EVER);
    let calls = house.cloud.launch_calls();
    let second = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.pass(30).await;
    let under_way = house.cloud.launch_calls() - calls;
    assert!((1..32).contains(&under_way), "{under_way} calls hang");
    let ended_at = house.now();
    house.end_run(RUN);
    house.until("asked", async || house.is_asked().await).await;
    let took = house.now().duration_since(ended_at);
    assert!(took <= secs(1), "{took:#}");
    second.crash().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_throttled_comes_again_and_less_often() {
    let house = House::new();
    let running = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.throttles_for(60);
    house.end(job, Conclusion::Success);
    house
        .until("ended", async || {
            house.cloud.state_of(HOST) == InstanceState::Terminated
        })
        .await;
    house.until_quiet().await;
    assert!(running.metrics().contains("action=\"end\",service=\"ec2\""));
    assert!(house.cloud.terminate_calls() < 10);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn tags_for_people_give_way_to_those_of_interruptions() {
    let house = House::new();
    let running = house.start();
    let region = Region::new(REGION);
    let tags = |running: &crate::fakes::house::Running| {
        running.controller.try_take(&region, Ec2Action::BindTags)
    };
    assert!(tags(&running));
    for number in 0..60 {
        house.send_warning(&format!("i-{number:017}"));
    }
    house.until_quiet().await;
    assert!(!tags(&running));
    house.pass(60).await;
    assert!(tags(&running));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_github_wants_to_be_left_alone_nobody_asks_and_a_re_run_goes_first_after_it() {
    let house = House::new();
    let running = house.start_giving_runners();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.pass(5).await;
    house.github.fail_reads(Some(Fault::RateLimited(secs(60))));
    house.end_run(RUN);
    let reads = house.github.run_reads();
    house
        .until("limited", async || house.github.run_reads() > reads)
        .await;
    let limited_at = house.now();
    house.github.fail_reads(None);
    let reads = house.github.run_reads() + house.github.jobs_reads();
    queue(&house, 101..151);
    house.pass(55).await;
    let asked = house.github.run_reads() + house.github.jobs_reads();
    assert_eq!(asked, reads, "nobody asks");
    assert_eq!(house.runners.made().len(), 0);
    house.until("asked", async || house.is_asked().await).await;
    let waited = house.now().duration_since(limited_at);
    assert!(waited <= secs(62), "{waited:#}");
    assert_eq!(house.runners.made().len(), 0, "the re-run is the first");
    house
        .until("equipped", async || house.runners.rows().len() == 50)
        .await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_machine_is_launched_that_would_wait_for_its_runner_in_vain() {
    let house = House::new();
    let running = house.start_giving_runners();
    house.runners.goes_wrong(&[Wrong::Limited(3_600)]);
    queue(&house, 1..2);
    house.pass(5).await;
    assert_eq!(house.cloud.launched().len(), 1);
    queue(&house, 2..52);
    house.pass(3_000).await;
    assert!(house.webhooks.is_empty());
    assert_eq!(house.cloud.launched().len(), 1, "GitHub makes no runner");
    house
        .until("equipped", async || house.runners.rows().len() == 51)
        .await;
    assert!(!running.metrics().contains("given-up"));
    running.stop().await;
}
