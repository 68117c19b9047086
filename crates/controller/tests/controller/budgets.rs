//! A repository re-runs so much in an hour, and no more.

use jiff::SignedDuration;
use reprise_config::Settings;
use reprise_config::policies::{Policies, PolicyRule};
use reprise_model::budget::{Budget, Grant};
use reprise_model::check::CheckState;
use reprise_model::ids::{RunAttempt, RunId, RunnerName};
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::ledger::{RunEntry, RunKey};
use reprise_store::{Change, Expect, Store};
use wildmatch::WildMatch;

use crate::fakes::github::PostFault;
use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, queued, repository, secs, settings};

const OTHER: RunId = RunId(4_243);

#[tokio::test(start_paused = true)]
async fn what_is_over_the_hours_budget_is_parked_and_released_later() {
    let house = House::new();
    let controller = house.start_with(most_an_hour(1), 10);
    fail(&house, 1, RUN);
    house
        .until("asked", async || house.github.posts() == 1)
        .await;
    let asked_at = house.now();
    fail(&house, 2, OTHER);
    house
        .until("parked", async || is_parked(&house).await)
        .await;
    assert!(
        controller.shows(r#"reprise_parked_jobs_total{family="unknown",repository="acme/shop"} 1"#)
    );
    house.pass(3_600).await;
    assert_eq!(house.github.posts(), 1);
    assert!(is_parked(&house).await);
    house
        .until("released", async || house.github.posts() == 2)
        .await;
    let waited = house.now().duration_since(asked_at);
    assert!(waited < SignedDuration::from_mins(70), "{waited:#}");
    assert!(!is_parked(&house).await);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_there_is_no_room_github_is_asked_nothing_of_what_is_parked() {
    let house = House::new();
    spend(&house, 1).await;
    let controller = house.start_with(most_an_hour(1), 10);
    fail(&house, 2, OTHER);
    house
        .until("parked", async || is_parked(&house).await)
        .await;
    // Another re-run takes the room of the hour that follows.
    house.pass(3_000).await;
    spend_again(&house, 1).await;
    let reads = house.github.run_reads();
    house.pass(3_000).await;
    assert!(is_parked(&house).await);
    assert_eq!(house.github.run_reads(), reads);
    let until = other(&house).await.and_then(|entry| entry.notes.parked);
    assert!(until.is_some_and(|parked| parked.until > house.now()));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_re_run_that_github_puts_off_is_paid_for_once() {
    let house = House::new();
    let controller = house.start_with(most_an_hour(2), 10);
    house.github.fail_next_post(PostFault::StillRunning);
    fail(&house, 1, RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(spent(&house).await, 1);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_that_spend_at_the_same_time_one_reads_again() {
    let house = House::new();
    let controller = house.start_with(most_an_hour(2), 10);
    fail_silently(&house, 1, RUN);
    // Before the claim, and then before the budget's own commit.
    house.store.write_before_commit(1, put(grant(&house, 9, 1)));
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(spent(&house).await, 2);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn people_are_told_on_the_commit_that_a_re_run_waits() {
    let house = House::new();
    spend(&house, 1).await;
    let controller = house.start_with(most_an_hour(1), 10);
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    let tells = |house: &House| {
        let checks = house.github.checks();
        let text = checks.first().map(|check| check.text.title.clone());
        text.is_some_and(|title| title.contains("the hour's re-runs are used up"))
    };
    house.until("told", async || tells(&house)).await;
    assert_eq!(house.check_state(), Some(CheckState::InProgress));
    controller.stop().await;
}

/// Everything that fails in the repository is re-run, and so many jobs an hour.
fn most_an_hour(jobs: u32) -> Settings {
    let mut settings = settings(true);
    settings.rules.most_jobs_an_hour = jobs;
    settings.policies = Policies {
        rules: vec![PolicyRule {
            repository: WildMatch::new("*"),
            workflow: WildMatch::new("*"),
            job: WildMatch::new("*"),
            retry: "when-failed".parse().expect("a policy"),
            delays: None,
        }],
        ..Policies::default()
    };
    settings
}

/// A job fails on GitHub's machine, and its run ends.
fn fail(house: &House, id: u64, run: RunId) {
    fail_silently(house, id, run);
    house.end_run(run);
}

fn fail_silently(house: &House, id: u64, run: RunId) {
    let job = Job {
        run_id: run,
        labels: vec!["ubuntu-latest".to_owned()],
        status: JobStatus::InProgress,
        runner_name: Some(RunnerName::new("GitHub Actions 7")),
        started_at: Some(house.now()),
        ..queued(id, "build")
    };
    house.github.begin(std::slice::from_ref(&job));
    house.end(job, Conclusion::Failure);
}

async fn other(house: &House) -> Option<RunEntry> {
    let key = RunKey {
        repository: repository(),
        run_id: OTHER,
    };
    let found = house.store.run(&key).await.expect("readable");
    found.map(|found| found.record)
}

async fn is_parked(house: &House) -> bool {
    let entry = other(house).await;
    entry.is_some_and(|entry| entry.notes.parked.is_some())
}

fn grant(house: &House, run: u64, jobs: u32) -> Budget {
    let mut budget = Budget::unspent(repository());
    budget.granted.push(Grant {
        run: RunId(run),
        from: RunAttempt::FIRST,
        at: house.now(),
        jobs,
    });
    budget
}

fn put(budget: Budget) -> Change {
    put_on(budget, Expect::Absent)
}

fn put_on(budget: Budget, expect: Expect) -> Change {
    let at = budget.granted.last().expect("a grant").at;
    Change::PutBudget {
        budget,
        expect,
        expires_at: at + secs(7_200),
    }
}

/// Another replica re-runs so much.
async fn spend(house: &House, jobs: u32) {
    let change = put(grant(house, 8, jobs));
    house.store.commit(vec![change]).await.expect("commits");
}

async fn spend_again(house: &House, jobs: u32) {
    let found = house.store.budget(&repository()).await.expect("readable");
    let expect = Expect::At(found.expect("is there").version);
    let change = put_on(grant(house, 9, jobs), expect);
    house.store.commit(vec![change]).await.expect("commits");
}

/// How many jobs the record counts.
async fn spent(house: &House) -> u32 {
    let found = house.store.budget(&repository()).await.expect("readable");
    let granted = found.expect("is there").record.granted;
    granted.iter().map(|one| one.jobs).sum()
}
