//! The consoles of machines that died or never had a runner.

use reprise_controller::operator::Operator;
use reprise_model::console::{ConsoleCause, ConsoleTail};
use reprise_model::ids::JobId;
use reprise_model::instance::Capacity;
use reprise_model::ledger::{ClaimKey, ClaimState};
use reprise_model::view::{Line, LineKind, Subject};
use reprise_model::webhook::JobAction;
use reprise_store::Store;

use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, queued, repository, settings, settings_that_search};

/// What a machine wrote.
const WORDS: &str =
    "\u{1b}[0;32m[  OK  ]\u{1b}[0m Started agent\r\nregistered with ghs_0123456789abcdefghij\r\n";

impl House {
    async fn console(&self, id: &str) -> Option<ConsoleTail> {
        self.known(id).await?.console
    }

    /// A spot instance of the stack that EC2 has taken.
    fn lost_spot(&self) {
        self.cloud.add(HOST, Capacity::Spot);
        self.cloud.take_by_interruption(HOST);
    }

    /// The instance that was launched for a job last, unless another one is to be.
    async fn launched_for(&self, job: u64) -> Option<String> {
        let key = ClaimKey {
            repository: repository(),
            job_id: JobId(job),
        };
        let claim = self.store.claim(&key).await.expect("readable")?;
        match claim.record.state {
            ClaimState::Launched { instance, .. } => Some(instance.to_string()),
            ClaimState::Wanted | ClaimState::GivenUp { .. } => None,
        }
    }

    async fn told_consoles(&self, job: u64) -> Vec<Line> {
        let settings = settings(true);
        let operator = Operator::new(&self.store, Some(&settings));
        let subject = Subject {
            repository: repository(),
            run: RUN,
            job: Some(JobId(job)),
        };
        let told = operator.explain(&subject, self.now()).await.expect("known");
        let mut story = told.story;
        story.retain(|line| line.kind == LineKind::Console);
        story
    }
}

#[tokio::test(start_paused = true)]
async fn the_console_of_an_instance_that_ec2_took_is_kept_once_and_harmless() {
    let house = House::new();
    house.lost_spot();
    house.cloud.console_says(HOST, WORDS);
    let running = house.start();
    house
        .until("kept", async || house.console(HOST).await.is_some())
        .await;
    let kept = house.console(HOST).await.expect("kept");
    assert_eq!(kept.cause, ConsoleCause::Died);
    assert_eq!(
        kept.lines,
        ["[  OK  ] Started agent", "registered with ***"]
    );
    house.pass(600).await;
    running.stop().await;
    // Another one finds it in the list again.
    let running = house.start();
    house.pass(600).await;
    assert_eq!(house.cloud.console_reads().len(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_waited_for_and_the_lack_of_any_is_kept_too() {
    for (answers, lines) in [(["", "late"].as_slice(), vec!["late"]), (&[], vec![])] {
        let house = House::new();
        house.lost_spot();
        for answer in answers {
            house.cloud.console_says(HOST, answer);
        }
        let running = house.start();
        house
            .until("kept", async || house.console(HOST).await.is_some())
            .await;
        assert_eq!(house.console(HOST).await.expect("kept").lines, lines);
        house.pass(3_600).await;
        let reads = house.cloud.console_reads();
        assert_eq!(
            reads.len(),
            if lines.is_empty() { 3 } else { 2 },
            "{reads:?}"
        );
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_ec2_does_not_tell_it_is_given_up_and_nothing_else_is_held_up() {
    let house = House::new();
    house.lost_spot();
    house.cloud.no_consoles();
    let running = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("a launch", async || house.cloud.launched().len() == 1)
        .await;
    house.pass(3_600).await;
    assert_eq!(house.cloud.console_reads().len(), 3);
    assert_eq!(house.console(HOST).await, None);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_instances_taken_at_once_are_asked_about_one_after_the_other_and_not_all_of_them() {
    let house = House::new();
    for number in 0..200 {
        let id = format!("i-{number:017x}");
        house.cloud.add(&id, Capacity::Spot);
        house.cloud.take_by_interruption(&id);
        house.cloud.console_says(&id, "gone");
    }
    let running = house.start();
    house.pass(3_000).await;
    let reads = house.cloud.console_reads();
    assert!((64..=128).contains(&reads.len()), "{}", reads.len());
    let pauses = reads
        .windows(2)
        .map(|two| two[1].0.duration_since(two[0].0));
    assert!(pauses.min().is_some_and(|least| least.as_secs() >= 2));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_runner_never_came_is_explained_by_its_console() {
    let house = House::new();
    let running = house.start_with(settings_that_search(true), 100);
    let job = queued(1, "build");
    house.github.begin(std::slice::from_ref(&job));
    house.send_job(JobAction::Queued, &job);
    house
        .until("a launch", async || house.launched_for(1).await.is_some())
        .await;
    let first = house.launched_for(1).await.expect("launched");
    house
        .cloud
        .console_says(&first, "reprise-agent: no row came");
    house
        .until("kept", async || house.console(&first).await.is_some())
        .await;
    let kept = house.console(&first).await.expect("kept");
    assert_eq!(kept.cause, ConsoleCause::NeverRegistered);
    assert_ne!(house.launched_for(1).await, Some(first.clone()));
    let told = house.told_consoles(1).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].rule.as_deref(), Some("never-registered"));
    assert_eq!(
        told[0].text,
        format!("{first} wrote to its console at last:\n    reprise-agent: no row came")
    );
    running.stop().await;
}
