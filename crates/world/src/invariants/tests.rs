use jiff::SignedDuration;
use reprise_model::ids::Repository;
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;

use super::*;
use crate::ec2::Call;
use crate::fate::Fate;
use crate::scenario::{self, Scenario};
use crate::testbed::{self, TinyController, at, launch, played, start};

fn named(name: &str) -> Scenario {
    scenario::find(name).expect("listed")
}

/// Plays a scenario with a controller that may do something wrong.
fn played_by(scenario: &Scenario, spoil: impl FnOnce(&mut TinyController)) -> World {
    let mut world = testbed::world();
    world.play(start(), scenario);
    let mut controller = TinyController::new(&mut world);
    spoil(&mut controller);
    controller.run(&mut world);
    world
}

/// Posts to the only run of a world; `{run}` and `{job}` stand for it and its job of that name.
fn post(world: &mut World, what: &str, job: &str) -> u16 {
    let run = world.github().runs().next().expect("a run");
    let repository: Repository = run.spec.repository.clone();
    let id = run
        .current()
        .jobs
        .values()
        .find(|record| record.name == job)
        .expect("a job")
        .id;
    let what = what
        .replace("{run}", &run.id.to_string())
        .replace("{job}", &id.to_string());
    let controller = TinyController::new(world);
    let now = world.now();
    controller.call(world, now, "POST", &repository, &what)
}

fn broken(world: &World, scenario: &Scenario) -> Vec<u8> {
    let mut numbers: Vec<u8> = check(world, scenario)
        .iter()
        .map(|broken| broken.invariant)
        .collect();
    numbers.dedup();
    numbers
}

#[test]
fn nothing_is_wrong_with_a_controller_that_does_everything_right() {
    let scenario = named("all");
    let world = played(&scenario);
    assert_eq!(check(&world, &scenario), []);
    assert!(is_quiet(&world, world.now()));
}

#[test]
fn a_second_re_run_of_a_job_breaks_the_first() {
    let mut scenario = named("interrupted");
    let e2e = scenario.runs[0].fates.get_mut("e2e").expect("a job");
    e2e[1] = Fate::fails(SignedDuration::from_secs(60));
    let mut world = played(&scenario);
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "e2e"), 201);
    let texts = reruns::never_past_the_limit(&world);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        texts[0].starts_with("e2e of run 9000000001 in acme/shop was re-run after execution 2")
    );
}

#[test]
fn a_re_run_of_what_was_not_interrupted_breaks_the_second() {
    for (what, job) in [
        ("jobs/{job}/rerun", "contract"),
        ("jobs/{job}/rerun", "lint"),
        ("runs/{run}/rerun-failed-jobs", "contract"),
        ("runs/{run}/rerun", "contract"),
    ] {
        let mut world = played(&named("real-failure"));
        assert_eq!(reruns::only_of_what_was_interrupted(&world), [""; 0]);
        assert_eq!(post(&mut world, what, job), 201);
        assert_eq!(
            reruns::only_of_what_was_interrupted(&world).len(),
            1,
            "{what} {job}"
        );
    }
}

#[test]
fn a_re_run_of_what_opted_out_breaks_the_second() {
    let mut world = played(&named("opted-out"));
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "preview"), 201);
    let texts = reruns::only_of_what_was_interrupted(&world);
    assert!(texts[0].contains("nothing asked for it"), "{texts:?}");
}

#[test]
fn real_failures_may_come_along_only_where_several_jobs_are_wanted() {
    let mut scenario = named("two-interrupted");
    scenario.runs[0].fates.insert(
        "build".to_owned(),
        vec![Fate::fails(SignedDuration::from_secs(9))],
    );
    let several = played(&scenario);
    assert_eq!(reruns::only_of_what_was_interrupted(&several), [""; 0]);

    scenario.runs[0].fates.insert(
        "ios".to_owned(),
        vec![Fate::passes(SignedDuration::from_secs(9))],
    );
    let mut one = played_by(&scenario, |controller| controller.reruns = false);
    assert_eq!(
        post(&mut one, "runs/{run}/rerun-failed-jobs", "android"),
        201
    );
    let texts = reruns::only_of_what_was_interrupted(&one);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].starts_with("build of run"), "{texts:?}");
}

#[test]
fn a_later_attempt_on_spot_breaks_the_third() {
    let scenario = named("two-interrupted");
    let world = played_by(&scenario, |controller| controller.retries_on_spot = true);
    assert_eq!(broken(&world, &scenario), [3]);
    assert_eq!(fleet::later_attempts_are_on_demand(&world).len(), 2);
}

#[test]
fn an_interrupted_job_that_is_left_alone_breaks_the_fourth() {
    let scenario = named("interrupted");
    let world = played_by(&scenario, |controller| controller.reruns = false);
    let told = check(&world, &scenario);
    let texts: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "invariant 4: run 9000000001 in acme/shop has 1 attempts instead of 2",
            "invariant 4: run 9000000001 in acme/shop ended failure instead of success",
            "invariant 4: e2e of run 9000000001 in acme/shop should have failed once and then \
             passed, but its executions ended [failure]",
        ]
    );
}

#[test]
fn a_run_that_was_not_pushed_or_not_completed_breaks_the_fourth() {
    let scenario = named("real-failure");
    let mut world = testbed::world();
    assert!(outcome::runs_end_as_expected(&world, &scenario)[0].ends_with("was never pushed"));
    world.play(start(), &scenario);
    world.advance(at(10));
    assert!(outcome::runs_end_as_expected(&world, &scenario)[0].ends_with("is not completed"));
}

#[test]
fn two_changes_without_a_look_in_between_break_the_fifth() {
    let mut world = played(&named("real-failure"));
    post(&mut world, "jobs/{job}/rerun", "contract");
    assert_eq!(reruns::never_without_reading_in_between(&world), [""; 0]);
    assert_eq!(
        post(&mut world, "runs/{run}/rerun-failed-jobs", "lint"),
        403,
        "it is active"
    );
    assert_eq!(reruns::never_without_reading_in_between(&world).len(), 1);
}

#[test]
fn the_end_of_a_foreign_or_a_working_instance_breaks_the_sixth() {
    for (stack, seconds, wrong) in [
        ("reprise", 5, 0),
        ("other", 5, 1),
        ("reprise", 40, 1),
        ("other", 40, 2),
    ] {
        let mut world = testbed::world();
        world.play(start(), &named("opted-out"));
        world.advance(at(0));
        let labels = world.github().queued_jobs(None)[0].labels.clone();
        launch(&mut world, at(0), &labels, Capacity::OnDemand, stack);
        let id = world.machines().next().expect("a machine").id.clone();
        let call = Call::by_account(at(seconds));
        world
            .ec2_mut(at(seconds))
            .terminate_instances(&call, &[id])
            .expect("known");
        world.advance(at(seconds));
        let texts = fleet::only_ours_and_idle_are_terminated(&world);
        assert_eq!(texts.len(), wrong, "{stack} after {seconds} s: {texts:?}");
    }
}

#[test]
fn an_instance_that_is_left_breaks_the_seventh() {
    let scenario = named("real-failure");
    let world = played_by(&scenario, |controller| controller.terminates = false);
    assert_eq!(broken(&world, &scenario), [7]);
    assert!(!is_quiet(&world, world.now()));
}

#[test]
fn more_than_two_launches_for_a_job_break_the_seventh() {
    let scenario = named("opted-out");
    let mut world = testbed::world();
    world.play(start(), &scenario);
    world.advance(at(0));
    let labels = world.github().queued_jobs(None)[0].labels.clone();
    for (launches, wrong) in [(1, 0), (2, 0), (3, 1)] {
        launch(&mut world, at(0), &labels, Capacity::Spot, "reprise");
        let texts = fleet::nothing_outlives_its_job(&world);
        let launch_texts = texts
            .iter()
            .filter(|text| text.contains("launches for 1 queued jobs"));
        assert_eq!(
            launch_texts.count(),
            wrong,
            "{launches} launches: {texts:?}"
        );
    }
}

#[test]
fn a_world_is_quiet_only_some_time_after_the_last_thing_happened() {
    let mut world = played(&named("real-failure"));
    let rest = world.last_change() + QUIET_FOR;
    assert!(is_quiet(&world, rest));
    assert!(!is_quiet(&world, rest - SignedDuration::from_secs(1)));
    let now = world.now();
    world
        .sqs_mut(now)
        .send(now, "webhooks", "a late one")
        .expect("a queue");
    assert!(!is_quiet(&world, now), "a message waits");
}

#[test]
fn the_summary_names_every_job_of_every_attempt() {
    let world = played(&named("interrupted"));
    let rows = summary(&world);
    let cells: Vec<String> = rows
        .iter()
        .map(|row| {
            let capacity = row.capacity.map_or("-", Capacity::as_str);
            let ends = row.conclusion.as_ref().map_or("-", Conclusion::as_str);
            let carried = if row.carried_over {
                " carried over"
            } else {
                ""
            };
            format!("{} {} {capacity} {ends}{carried}", row.attempt, row.job)
        })
        .collect();
    assert_eq!(
        cells,
        [
            "1 unit spot success",
            "1 e2e spot failure",
            "1 docs spot success",
            "2 unit spot success carried over",
            "2 e2e on-demand success",
            "2 docs spot success carried over",
        ]
    );
    assert!(
        rows.iter()
            .all(|row| row.instance.is_some() && row.repository.to_string() == "acme/shop")
    );
}
