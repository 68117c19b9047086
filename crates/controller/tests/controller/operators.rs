//! Operators: what they are shown, and a fresh chance for what was given up.

use reprise_config::Settings;
use reprise_controller::operator::{Operator, Trouble, Wish};
use reprise_engine::run::NotPossible;
use reprise_model::ids::JobId;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{RerunTarget, TrackedState};
use reprise_model::view::{Line, LineKind, RetryFilter, RetryState, RetryView, Subject};
use reprise_model::webhook::JobAction;
use wildmatch::WildMatch;

use crate::fakes::github::PostFault;
use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, repository, running, settings};

/// The job's id in the second attempt.
const SECOND: u64 = 1_001;

/// The same in the third.
const THIRD: u64 = 2_001;

fn subject(job: Option<u64>) -> Subject {
    Subject {
        repository: repository(),
        run: RUN,
        job: job.map(JobId),
    }
}

impl House {
    async fn wishes(&self, wish: Wish, job: Option<u64>) -> Result<Vec<RetryView>, Trouble> {
        let settings = settings(true);
        let operator = Operator::new(&self.store, Some(&settings));
        operator.wish(wish, &subject(job), self.now()).await
    }

    async fn listed(&self, states: &[RetryState]) -> Vec<RetryView> {
        let filter = RetryFilter {
            states: states.to_vec(),
            ..RetryFilter::default()
        };
        let operator = Operator::new(&self.store, None);
        operator
            .list(&filter, self.now())
            .await
            .expect("a list")
            .retries
    }

    /// A job is interrupted, and its run completes; the re-run was taken.
    async fn comes_back(&self) -> Job {
        let job = self.job_on_spot(1, "build");
        self.pass(30).await;
        self.cloud.tag_interrupted(HOST);
        self.end(job, Conclusion::Failure);
        self.until_quiet().await;
        self.end_run(RUN);
        self.until("asked", async || self.is_asked().await).await;
        self.github.latest(RUN).remove(0)
    }

    /// The newest attempt of the run executes the job on a new machine, with this end.
    async fn executes(&self, conclusion: Conclusion) {
        let job = self.github.latest(RUN).remove(0);
        let launched = self.cloud.launched().len();
        self.send_job(JobAction::Queued, &job);
        self.until("launched", async || self.cloud.launched().len() > launched)
            .await;
        let host = self.cloud.last_launched();
        self.end(running(job, &host, self.now()), conclusion);
        self.end_run(RUN);
    }

    /// A job that came back once and failed again.
    async fn is_exhausted(&self) {
        self.comes_back().await;
        self.executes(Conclusion::Failure).await;
        self.until("exhausted", async || {
            self.reason(1).await == Some("failed-again")
        })
        .await;
        self.until_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_job_is_left_alone_until_a_person_gives_it_one_fresh_chance() {
    let house = House::new();
    let controller = house.start();
    house.is_exhausted().await;
    house.pass(3_600).await;
    assert_eq!(house.github.posts(), 1, "nobody picks it up by itself");
    let listed = house.listed(&[]).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state, RetryState::Exhausted);
    assert_eq!((listed[0].attempt.get(), listed[0].limit), (2, Some(2)));
    assert!(listed[0].seconds_since_failure >= Some(3_600));

    let wished = house.wishes(Wish::Requeue, None).await.expect("possible");
    assert_eq!(wished.len(), 1);
    assert_eq!(wished[0].state, RetryState::Due);
    house
        .until("asked once more", async || house.github.posts() == 2)
        .await;
    assert_eq!(
        house.github.accepted(),
        [RerunTarget::Job(JobId(1)), RerunTarget::Job(JobId(SECOND))]
    );
    house.executes(Conclusion::Success).await;
    house
        .until("recovered", async || {
            house.reason(SECOND).await == Some("recovered")
        })
        .await;
    house.pass(3_600).await;
    assert_eq!(house.github.posts(), 2, "the chance was taken once");
    assert_eq!(house.listed(&[]).await, []);
    let recovered = house.listed(&[RetryState::Recovered]).await;
    assert_eq!(
        (recovered[0].attempt.get(), recovered[0].limit),
        (3, Some(3))
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_chance_is_asked_for_twice_and_taken_once() {
    let house = House::new();
    let controller = house.start();
    house.is_exhausted().await;
    house
        .wishes(Wish::Requeue, Some(1))
        .await
        .expect("possible");
    let again = house.wishes(Wish::Requeue, Some(1)).await;
    let Err(Trouble::NotPossible { why, .. }) = again else {
        panic!("{again:?}")
    };
    assert_eq!(why, NotPossible::AskedAlready);
    house
        .until("asked once more", async || house.github.posts() == 2)
        .await;
    house.executes(Conclusion::Failure).await;
    house
        .until("exhausted", async || {
            house.reason(SECOND).await == Some("failed-again")
        })
        .await;
    house.pass(3_600).await;
    assert_eq!(house.github.posts(), 2);
    let listed = house.listed(&[RetryState::Exhausted]).await;
    let ids: Vec<JobId> = listed.iter().map(|view| view.job).collect();
    assert_eq!(
        ids,
        [JobId(SECOND)],
        "the chance took the place of the first"
    );
    assert_eq!(house.github.latest(RUN).remove(0).id, JobId(THIRD));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_chance_whose_answer_was_lost_is_not_asked_for_before_the_run_was_read() {
    let house = House::new();
    let controller = house.start();
    house.is_exhausted().await;
    house.github.fail_next_post(PostFault::Done);
    house.wishes(Wish::Requeue, None).await.expect("possible");
    house
        .until("asked once more", async || house.github.posts() == 2)
        .await;
    house.executes(Conclusion::Success).await;
    house
        .until("recovered", async || {
            house.reason(SECOND).await == Some("recovered")
        })
        .await;
    assert_eq!(house.github.posts(), 2);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn guards_and_the_present_configuration_hold_for_a_chance() {
    let house = House::new();
    let controller = house.start();
    house.is_exhausted().await;
    controller.stop().await;
    house.wishes(Wish::Requeue, None).await.expect("possible");
    let nobody = Settings {
        repositories: vec![WildMatch::new("acme/other")],
        ..settings(true)
    };
    let controller = house.start_with(nobody, 100);
    house
        .until("answered", async || {
            let record = house.record().await.expect("kept");
            record.notes.requeued.is_empty()
        })
        .await;
    house.pass(600).await;
    assert_eq!(house.github.posts(), 1, "it is not served any more");
    assert_eq!(house.reason(1).await, Some("failed-again"));
    let operator = Operator::new(&house.store, None);
    let told = operator.explain(&subject(None), house.now()).await;
    let told = told.expect("known");
    let is_denied = |line: &Line| line.rule.as_deref() == Some("policy-false");
    assert!(told.story.iter().any(is_denied), "{told:#?}");
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_or_unknown_gets_no_chance_and_says_why() {
    let house = House::new();
    let controller = house.start();
    let told = house
        .wishes(Wish::Requeue, None)
        .await
        .expect_err("nothing");
    assert!(matches!(told, Trouble::UnknownRun(_)), "{told}");
    house.comes_back().await;
    let told = house
        .wishes(Wish::Requeue, Some(1))
        .await
        .expect_err("under way");
    assert!(told.to_string().contains("under way by itself"), "{told}");
    let told = house.wishes(Wish::Requeue, None).await.expect_err("none");
    assert!(matches!(told, Trouble::NoneExhausted(_)), "{told}");
    let told = house
        .wishes(Wish::Dismiss, Some(77))
        .await
        .expect_err("none");
    assert!(told.to_string().contains("it has 1 (build)"), "{told}");
    assert!(matches!(
        house.state(1).await,
        Some(TrackedState::Asked { .. })
    ));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_dismissed_is_listed_no_more_and_still_explained() {
    let house = House::new();
    let controller = house.start();
    house.is_exhausted().await;
    house.wishes(Wish::Dismiss, None).await.expect("possible");
    assert_eq!(house.listed(&[RetryState::Exhausted]).await, []);
    let operator = Operator::new(&house.store, None);
    let told = operator.explain(&subject(Some(1)), house.now()).await;
    let told = told.expect("known");
    let kinds: Vec<LineKind> = told.story.iter().map(|line| line.kind).collect();
    let order = [
        LineKind::Evidence,
        LineKind::Verdict,
        LineKind::Effect,
        LineKind::Answer,
        LineKind::Verdict,
        LineKind::Operator,
    ];
    let mut kinds = kinds.into_iter().filter(|kind| order.contains(kind));
    assert!(
        order.iter().all(|kind| kinds.any(|one| one == *kind)),
        "{told:#?}"
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_does_not_hide_the_others() {
    let house = House::new();
    let controller = house.start();
    house.is_exhausted().await;
    house.store.break_run(RUN);
    let operator = Operator::new(&house.store, None);
    let list = operator.list(&RetryFilter::default(), house.now()).await;
    let list = list.expect("a list");
    assert_eq!(list.unreadable.len(), 1, "{list:?}");
    assert!(
        list.unreadable[0].contains("run the version that wrote it"),
        "{list:?}"
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn retries_are_counted_by_policy_outcome_attempt_repository_and_family() {
    let house = House::new();
    let controller = house.start();
    house.is_exhausted().await;
    house.wishes(Wish::Requeue, None).await.expect("possible");
    house
        .until("asked once more", async || house.github.posts() == 2)
        .await;
    house.executes(Conclusion::Success).await;
    house
        .until("recovered", async || {
            house.reason(SECOND).await == Some("recovered")
        })
        .await;
    house.pass(1).await;
    let place = "family=\"c7a\",repository=\"acme/shop\"";
    let all = controller.metrics();
    for line in [
        format!("reprise_interruptions_total{{{place}}} 1"),
        "reprise_exhausted_total{family=\"c7a\",reason=\"failed-again\",repository=\"acme/shop\"} 1"
            .to_owned(),
        format!("reprise_recoveries_total{{attempt=\"3\",{place}}} 1"),
        format!("reprise_unverified_interruptions_total{{{place}}} 1"),
        format!("reprise_interruption_to_green_seconds_count{{{place}}} 1"),
    ] {
        assert!(controller.shows(&line), "{line}\n{all}");
    }
    let policy = "policy=\"when-interrupted\",repository=\"acme/shop\"";
    for outcome in ["failed-again", "recovered"] {
        let line =
            format!("reprise_retries_total{{family=\"c7a\",outcome=\"{outcome}\",{policy}}} 1");
        assert!(controller.shows(&line), "{line}\n{all}");
    }
    controller.stop().await;
}
