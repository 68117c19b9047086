//! What the hour's budget of a repository does to a re-run that everything else allows.

use reprise_model::budget::{Budget, Grant};

use super::*;

const LIMIT: u32 = 10;

#[test]
fn what_is_over_budget_is_parked_and_asked_for_when_there_is_room() {
    let mut world = storm();
    assert_eq!(world.step(), RunStep::Wait(WaitReason::OverBudget));
    let parked = world.entry.notes.parked.expect("it is parked");
    let room = at(NOW - 60) + secs(65 * 60);
    assert_eq!((parked.until, parked.jobs, parked.limit), (room, 1, LIMIT));
    assert_eq!(parked.since, at(NOW));
    assert_eq!(world.due(), room + secs(30));
    assert_eq!(world.entry.jobs[&JobId(1)].state, TrackedState::Awaiting);
    world.now = world.due();
    assert_eq!(world.still_parked(), None);
    assert_eq!(world.step(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
    assert_eq!(world.entry.notes, Notes::default());
}

#[test]
fn what_happens_to_a_run_while_it_is_parked_decides_when_it_is_released() {
    let mut world = storm();
    assert_eq!(world.step(), RunStep::Wait(WaitReason::OverBudget));
    world.now = world.due();
    world.rival = Rival::Run(RunId(901));
    assert_eq!(world.step(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::Superseded);
    assert_eq!(world.entry.notes.parked, None);
}

#[test]
fn a_parked_run_of_which_nothing_was_heard_needs_no_look_at_github_while_there_is_no_room() {
    let mut world = storm();
    assert_eq!(world.step(), RunStep::Wait(WaitReason::OverBudget));
    let since = world.now;
    world.now = world.due();
    world.spend(2, 10);
    let still = world.still_parked().expect("it stays");
    let parked = still.notes.parked.expect("it is parked");
    assert_eq!(
        (parked.since, parked.until),
        (since, world.now + secs(65 * 60))
    );
    assert!(still.due.is_some_and(|due| due.at > parked.until));
    assert_eq!(still.jobs, world.entry.jobs);
}

#[test]
fn what_is_parked_for_hours_is_looked_at_whether_or_not_there_is_room() {
    let mut world = storm();
    assert_eq!(world.step(), RunStep::Wait(WaitReason::OverBudget));
    world.now = at(NOW + 4 * 3_600);
    world.spend(2, 10);
    assert_eq!(world.still_parked(), None);
    assert_eq!(world.step(), RunStep::Wait(WaitReason::OverBudget));
    world.rival = Rival::Run(RunId(901));
    assert_eq!(world.step(), RunStep::Done);
}

#[test]
fn a_parked_run_that_is_woken_is_looked_at() {
    let mut world = storm();
    assert_eq!(world.step(), RunStep::Wait(WaitReason::OverBudget));
    world.now = at(NOW + 10);
    world.entry = woken(world.entry, world.now).expect("it is open");
    assert_eq!(world.still_parked(), None);
    let since = world.entry.notes.parked.expect("parked").since;
    assert_eq!(world.step(), RunStep::Wait(WaitReason::OverBudget));
    assert_eq!(world.entry.notes.parked.expect("parked").since, since);
}

#[test]
fn the_budget_is_read_last_and_only_where_something_is_to_be_re_run() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    let mut facts = world.facts();
    facts.spent = Spent::Unread;
    let decide = |facts| decide(&facts, at(NOW), MIDDLE, &Rules::default()).step;
    assert_eq!(decide(facts), RunStep::ReadBudget);
    facts.rival = Rival::Run(RunId(901));
    assert_eq!(decide(facts), RunStep::Done);
    facts.rival = Rival::Unread;
    assert_eq!(decide(facts), RunStep::ReadRival);
}

#[test]
fn a_crash_between_the_grant_and_the_order_is_not_paid_for_again() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    let RunStep::Spend(granted) = world.decision().step else {
        panic!("it is granted first");
    };
    world.budget = Some(granted.clone());
    world.now = at(NOW + 45);
    assert!(matches!(world.step(), RunStep::Ask(_)));
    assert_eq!(world.budget, Some(granted));
    let paid = world.entry.notes.paid.expect("it tells when");
    assert_eq!(paid.at, at(NOW));
}

#[test]
fn a_re_run_that_github_puts_off_is_paid_for_once_and_without_another_look() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    assert!(matches!(world.step(), RunStep::Ask(_)));
    let granted = world.budget.clone();
    world.answer(RerunAnswer::NotNow);
    world.now = world.due();
    let mut facts = world.facts();
    facts.spent = Spent::Unread;
    let step = decide(&facts, world.now, MIDDLE, &Rules::default()).step;
    assert!(matches!(step, RunStep::Ask(_)), "{step:?}");
    // Much later it counts from then on, and still once.
    world.now += secs(1_200);
    assert!(matches!(world.step(), RunStep::Ask(_)));
    assert_ne!(world.budget, granted);
    let budget = world.budget.expect("spent");
    assert_eq!(budget.granted.len(), 1);
    assert_eq!(budget.granted[0].at, world.now);
}

#[test]
fn what_a_re_run_left_behind_was_paid_for_with_it() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.await_jobs(&[1, 2]);
    assert_eq!(world.go(), ask(RerunTarget::FailedJobs, &[1, 2], &[]));
    world.answer(RerunAnswer::Accepted);
    world.spend(2, 300);
    let granted = world.budget.clone();
    let came = Job {
        started_at: Some(at(NOW + 10)),
        completed_at: Some(at(NOW + 20)),
        ..passed(11, "a")
    };
    world.next_attempt(vec![came, job(12, "b")]);
    world.now = at(NOW + 900);
    let RunStep::Ask(order) = world.go() else {
        panic!("it is asked for by itself");
    };
    assert_eq!(order.target, RerunTarget::Job(JobId(12)));
    assert_eq!(world.budget, granted);
}

#[test]
fn real_failures_and_siblings_that_come_along_count() {
    let mut world = World::with(&[job(1, "a"), job(2, "b"), job(3, "lint")]);
    world.await_jobs(&[1, 2]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    let granted = world.budget.expect("spent").granted;
    assert_eq!(granted.iter().map(|one| one.jobs).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_re_run_bigger_than_the_budget_goes_when_nothing_else_counts() {
    let mut world = World::with(&[job(1, "a"), job(2, "b"), job(3, "c")]);
    world.await_jobs(&[1, 2, 3]);
    world.rules.most_jobs_an_hour = 2;
    assert!(matches!(world.go(), RunStep::Ask(_)));
}

/// An interrupted job in a repository that has just had its re-runs of the hour.
fn storm() -> World {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    world.rules.most_jobs_an_hour = LIMIT;
    world.now = at(NOW - 60);
    world.spend(1, LIMIT);
    world.now = at(NOW);
    world
}

impl World {
    /// Another run of the repository re-runs so many jobs.
    fn spend(&mut self, run: u64, jobs: u32) {
        let repository = self.entry.key.repository.clone();
        let mut budget = self.budget.take().unwrap_or(Budget::unspent(repository));
        budget.granted.push(Grant {
            run: RunId(run),
            from: RunAttempt::FIRST,
            at: self.now,
            jobs,
        });
        self.budget = Some(budget);
    }

    fn still_parked(&self) -> Option<RunEntry> {
        let spent = self.budget.as_ref();
        still_parked(&self.entry, spent, self.now, MIDDLE, &self.rules)
    }
}
