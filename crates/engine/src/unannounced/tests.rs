use reprise_model::labels;

use super::*;
use crate::samples;
use crate::samples::at;

const EVERY: SignedDuration = SignedDuration::from_mins(15);

fn repository(name: &str) -> Repository {
    format!("acme/{name}").parse().expect("valid")
}

fn run(name: &str, id: u64, status: RunStatus) -> Run {
    Run {
        id: RunId(id),
        repository: repository(name),
        status,
        conclusion: None,
        ..samples::run()
    }
}

/// Plays one turn in which each repository has two runs that go on.
fn turn(round: &mut Round, repositories: usize, now: i64) -> Vec<String> {
    let mut told = Vec::new();
    round.begin();
    loop {
        match round.next(EVERY, Some(5_000), at(now)) {
            Question::Repositories => {
                told.push("repositories".to_owned());
                let all = (0..repositories).map(|n| repository(&format!("r{n}")));
                round.found_repositories(all);
            }
            Question::Runs(of) => {
                told.push(of.name().to_owned());
                let runs = [1, 2].map(|id| run(of.name(), id, RunStatus::InProgress));
                round.found_runs(runs);
            }
            Question::Jobs(of, run, _) => told.push(format!("{} {run}", of.name())),
            Question::Rest { why, until } => {
                let pause = until.duration_since(at(now)).as_secs();
                told.push(format!("{} for {pause}", why.as_str()));
                return told;
            }
        }
    }
}

#[test]
fn a_round_asks_for_repositories_then_each_ones_runs_and_their_jobs() {
    let mut round = Round::default();
    assert_eq!(
        turn(&mut round, 2, 0),
        [
            "repositories",
            "r0",
            "r0 1",
            "r0 2",
            "r1",
            "r1 1",
            "r1 2",
            "round-is-over for 900"
        ]
    );
}

#[test]
fn a_long_round_goes_on_where_it_was_and_the_next_begins_when_it_is_over() {
    let mut round = Round::default();
    let first = turn(&mut round, 4, 0);
    assert_eq!(first.last().expect("a rest"), "asked-enough for 60");
    assert_eq!(first.len(), 11);
    assert_eq!(
        turn(&mut round, 4, 60),
        ["r3", "r3 1", "r3 2", "round-is-over for 840"]
    );
    assert_eq!(turn(&mut round, 4, 900)[0], "repositories");
}

#[test]
fn a_round_that_took_longer_than_its_time_is_followed_after_a_turn() {
    let mut round = Round::default();
    let mut now = 0;
    while turn(&mut round, 100, now).last().expect("a rest") == "asked-enough for 60" {
        now += 60;
    }
    assert!(now > 900);
    let mut round = Round::default();
    turn(&mut round, 4, 0);
    let last = turn(&mut round, 4, 5_000);
    assert_eq!(last.last().expect("a rest"), "round-is-over for 60");
}

#[test]
fn runs_that_wait_for_something_else_than_a_machine_are_not_asked_about() {
    let mut round = Round::default();
    round.begin();
    round.found_repositories([]);
    let runs = [
        run("r", 1, RunStatus::Waiting),
        run("r", 2, RunStatus::Pending),
        run("r", 3, RunStatus::Completed),
        run("r", 4, RunStatus::Queued),
    ];
    round.found_runs(runs);
    let first = round.next(EVERY, None, at(0));
    let jobs = Question::Jobs(repository("r"), RunId(4), RunAttempt::FIRST);
    assert_eq!(first, jobs);
    let rest = round.next(EVERY, None, at(0));
    assert!(matches!(rest, Question::Rest { .. }), "{rest:?}");
}

#[test]
fn one_thing_at_a_time_is_asked_while_the_rate_limit_is_low() {
    let mut round = Round::default();
    round.begin();
    let asked = round.next(EVERY, Some(999), at(0));
    assert_eq!(asked, Question::Repositories);
    round.found_repositories([repository("r")]);
    let why = RestReason::RateIsLow;
    let until = at(60);
    assert_eq!(
        round.next(EVERY, Some(999), at(0)),
        Question::Rest { why, until }
    );
    let asked = round.next(EVERY, Some(1_000), at(0));
    assert_eq!(asked, Question::Runs(repository("r")));
}

#[test]
fn repositories_that_could_not_be_listed_are_asked_for_again() {
    let mut round = Round::default();
    for now in [0, 60] {
        round.begin();
        assert_eq!(round.next(EVERY, None, at(now)), Question::Repositories);
    }
    round.found_repositories([]);
    let why = RestReason::RoundIsOver;
    let until = at(960);
    assert_eq!(
        round.next(EVERY, None, at(60)),
        Question::Rest { why, until }
    );
}

#[test]
fn a_job_of_ours_that_waited_for_five_minutes_goes_the_way_of_its_event() {
    let waits = |labels: &str, status, created| {
        let job = Job {
            status,
            labels: vec![labels.to_owned()],
            created_at: created,
            ..samples::job(1, "build")
        };
        judge(&job, &labels::parse(&job.labels), at(400))
    };
    let queued = || JobStatus::Queued;
    assert_eq!(waits("runs-on=1", queued(), Some(at(100))), Found::Announce);
    assert_eq!(waits("runs-on=1", queued(), Some(at(101))), Found::Young);
    assert_eq!(waits("runs-on=1", queued(), None), Found::Young);
    assert_eq!(waits("linux", queued(), Some(at(0))), Found::NotOurs);
    let running = waits("runs-on=1", JobStatus::InProgress, Some(at(0)));
    assert_eq!(running, Found::NotQueued);
    let wrong = waits("runs-on=1/spot=perhaps", queued(), Some(at(0)));
    assert_eq!(wrong, Found::Announce, "its refusal is to be told");
}
