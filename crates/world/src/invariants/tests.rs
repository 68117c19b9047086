mod gates;

use jiff::SignedDuration;
use reprise_model::ids::{Repository, RunId};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::policy::EvidenceRule;
use reprise_model::reason::SettleReason;

use super::*;
use crate::ec2::Call;
use crate::fate::{Fate, Stroke};
use crate::github::{JobSpec, Mutation, MutationKind, RunSpec};
use crate::scenario::{self, Scenario};
use crate::testbed::{self, TinyController, at, launch, played, start};
use crate::world::ByHand;

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
fn more_re_runs_in_an_hour_than_may_be_break_the_twelfth() {
    let mut scenario = named("interrupted");
    let e2e = scenario.runs[0].fates.get_mut("e2e").expect("a job");
    e2e[1] = Fate::fails(SignedDuration::from_secs(60));
    let mut world = played(&scenario);
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "e2e"), 201);
    let broken = |most_an_hour| {
        let mandate = Mandate {
            most_an_hour,
            ..Mandate::default()
        };
        budget::never_over_budget(world.github(), mandate, 0)
    };
    assert_eq!(broken(None), Vec::<String>::new());
    assert_eq!(broken(Some(300)), Vec::<String>::new());
    let texts = broken(Some(1));
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].starts_with("2 jobs of acme/shop"), "{texts:?}");
}

#[test]
fn a_second_re_run_of_a_job_breaks_the_first() {
    let mut scenario = named("interrupted");
    let e2e = scenario.runs[0].fates.get_mut("e2e").expect("a job");
    e2e[1] = Fate::fails(SignedDuration::from_secs(60));
    let mut world = played(&scenario);
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "e2e"), 201);
    let texts = reruns::never_past_the_limit(&world, Mandate::default(), 0);
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
        assert_eq!(
            reruns::only_as_policies_say(&world, Mandate::default(), 0),
            [""; 0]
        );
        assert_eq!(post(&mut world, what, job), 201);
        assert_eq!(
            reruns::only_as_policies_say(&world, Mandate::default(), 0).len(),
            1,
            "{what} {job}"
        );
    }
}

#[test]
fn a_re_run_of_a_failure_that_would_not_pass_breaks_the_second() {
    let mandate = Mandate {
        labels_may_name_failures: true,
        ..Mandate::default()
    };
    let mut world = played(&named("transient"));
    let texts = reruns::only_as_policies_say(&world, mandate, 0);
    assert_eq!(texts, [""; 0]);
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "sums"), 201);
    let texts = reruns::only_as_policies_say(&world, mandate, 0);
    assert!(texts[0].contains("nothing asked for it"), "{texts:?}");
}

#[test]
fn a_re_run_of_what_opted_out_breaks_the_second() {
    let mut world = played(&named("opted-out"));
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "preview"), 201);
    let texts = reruns::only_as_policies_say(&world, Mandate::default(), 0);
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
    assert_eq!(
        reruns::only_as_policies_say(&several, Mandate::default(), 0),
        [""; 0]
    );

    scenario.runs[0].fates.insert(
        "ios".to_owned(),
        vec![Fate::passes(SignedDuration::from_secs(9))],
    );
    let mut one = played_by(&scenario, |controller| controller.reruns = false);
    assert_eq!(
        post(&mut one, "runs/{run}/rerun-failed-jobs", "android"),
        201
    );
    let texts = reruns::only_as_policies_say(&one, Mandate::default(), 0);
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
fn each_cancel_of_a_run_needs_a_read_of_its_own_and_may_be_asked_for_beside_another() {
    let changed = |what, reads_before| Mutation {
        at: at(0),
        what,
        repository: "acme/shop".parse().expect("a repository"),
        run: Some(RunId(1)),
        job: None,
        attempt: None,
        reads_before,
        answer: 202,
        message: String::new(),
        acted: true,
    };
    let wrong = |changes: &[(MutationKind, u64)]| {
        let mut reads = reruns::Reads::default();
        let mut wrong = changes.iter();
        wrong.any(|(what, before)| reads.unread(&changed(*what, *before)).is_some())
    };
    let (cancel, rerun) = (MutationKind::CancelRun, MutationKind::RerunJob);
    assert!(!wrong(&[(cancel, 2), (cancel, 2)]), "each has read it");
    assert!(wrong(&[(cancel, 1), (cancel, 1)]));
    assert!(wrong(&[(cancel, 2), (cancel, 2), (cancel, 2)]));
    assert!(wrong(&[(cancel, 2), (rerun, 2)]));
    assert!(wrong(&[(rerun, 2), (rerun, 2)]));
    assert!(!wrong(&[(rerun, 2), (cancel, 3), (rerun, 4)]));
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
        let texts = fleet::only_ours_and_idle_are_terminated(&world, 0);
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

/// A run with one job, executed on spot with this fate, and what its label says of retries.
fn one_job(fate: Fate, retry: &str, seconds: i64) -> World {
    let mut settings = testbed::settings();
    settings.usual_fate = fate;
    let mut world = World::new(settings).expect("a world");
    let labels = vec![format!("runs-on=1-test/spot=true{retry}")];
    let spec = RunSpec::new(
        "acme/shop".parse().expect("valid"),
        vec![JobSpec::new("test", labels.clone())],
    );
    world.push(start(), &spec, Vec::new());
    launch(&mut world, start(), &labels, Capacity::Spot, "reprise");
    world.advance(at(seconds));
    world
}

fn forger(fate: Fate) -> Fate {
    Fate {
        forges_after: Some(SignedDuration::from_secs(5)),
        ..fate
    }
}

fn looked(world: &World) -> Vec<u8> {
    let broken = Watch::default().look(world);
    broken.iter().map(|one| one.invariant).collect()
}

#[test]
fn a_tag_is_a_claim_that_brings_back_a_failure_once_and_a_success_never() {
    let minute = SignedDuration::from_secs(60);
    for (fate, retry, broken) in [
        (forger(Fate::fails(minute)), "", vec![]),
        (forger(Fate::fails(minute)), "/retry=false", vec![2]),
        (forger(Fate::passes(minute)), "", vec![2]),
        (Fate::fails(minute), "", vec![2]),
    ] {
        let mut world = one_job(fate.clone(), retry, 200);
        assert_eq!(post(&mut world, "jobs/{job}/rerun", "test"), 201);
        assert_eq!(looked(&world), broken, "{fate:?} {retry}");
    }
}

#[test]
fn where_proof_is_asked_for_a_liar_is_never_re_run() {
    let proof = Mandate {
        evidence: EvidenceRule::Proof,
        ..Mandate::default()
    };
    let minute = SignedDuration::from_secs(60);
    let taken = Fate::interrupted(SignedDuration::from_secs(10));
    for (fate, broken) in [(forger(Fate::fails(minute)), vec![2]), (taken, vec![])] {
        let mut world = one_job(fate.clone(), "", 400);
        assert_eq!(post(&mut world, "jobs/{job}/rerun", "test"), 201);
        let found = Watch::of(proof).look(&world);
        let found: Vec<u8> = found.iter().map(|one| one.invariant).collect();
        assert_eq!(found, broken, "{fate:?}");
    }
}

#[test]
fn a_dead_host_is_no_interruption() {
    let fate = Fate::interrupted(SignedDuration::from_secs(10)).by(Stroke::HostDies);
    let mut world = one_job(fate, "", 2_000);
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "test"), 201);
    assert_eq!(looked(&world), [2]);
}

#[test]
fn what_a_person_re_runs_is_not_automatic_and_uses_up_an_execution() {
    let mut world = one_job(forger(Fate::fails(SignedDuration::from_secs(60))), "", 200);
    let run = world.nth_run(0).expect("pushed");
    world
        .person_reruns(at(200), run, ByHand::WholeRun, "mona")
        .expect("completed");
    assert_eq!(looked(&world), [0; 0]);
    launch(
        &mut world,
        at(200),
        &["runs-on=1-test/spot=true".to_owned()],
        Capacity::Spot,
        "reprise",
    );
    world.advance(at(400));
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "test"), 201);
    assert_eq!(looked(&world), [1]);
}

#[test]
fn a_run_that_a_person_cancelled_is_not_re_run() {
    let mut world = one_job(Fate::interrupted(SignedDuration::from_secs(10)), "", 100);
    let run = world.nth_run(0).expect("pushed");
    world.person_cancels(at(100), run, "mona");
    world.advance(at(400));
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "test"), 201);
    assert_eq!(looked(&world), [2]);
}

#[test]
fn a_run_is_not_re_run_beside_a_newer_one_that_has_been_there_for_a_while() {
    for (pushed_at, broken) in [(300, vec![]), (200, vec![2])] {
        let mut world = one_job(
            Fate::interrupted(SignedDuration::from_secs(10)),
            "",
            pushed_at,
        );
        let spec = world.github().runs().next().expect("a run").spec.clone();
        world.push(at(pushed_at), &spec, Vec::new());
        world.advance(at(330));
        assert_eq!(post(&mut world, "jobs/{job}/rerun", "test"), 201);
        assert_eq!(looked(&world), broken, "{pushed_at}");
    }
}

#[test]
fn a_look_judges_what_is_new_and_nothing_twice() {
    let mut world = one_job(Fate::fails(SignedDuration::from_secs(60)), "", 200);
    let mut watch = Watch::default();
    assert_eq!(watch.look(&world), []);
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "test"), 201);
    assert_eq!(watch.look(&world).len(), 1);
    assert_eq!(watch.look(&world), []);
    assert_eq!(post(&mut world, "runs/{run}/rerun", "test"), 403);
    let broken = watch.look(&world);
    assert_eq!(
        broken.iter().map(|one| one.invariant).collect::<Vec<_>>(),
        [5]
    );
}

#[test]
fn a_sibling_that_fail_fast_cancelled_comes_along_and_may_be_asked_for_when_it_was_left_behind() {
    let (mut world, run) = fail_fast(false);
    let along = post(&mut world, "runs/{run}/rerun-failed-jobs", "test (1)");
    assert_eq!((along, looked(&world)), (201, vec![]));
    let ledger = Ledger::default();
    relaunch(&mut world, run, 700);
    let left = check_at_rest(&world, Mandate::default(), &ledger);
    assert!(
        left.iter()
            .any(|one| one.what.contains("did not come back")),
        "{left:?}"
    );
    let controller = TinyController::new(&mut world);
    let repository = "acme/shop".parse().expect("a repository");
    controller.call(
        &mut world,
        at(700),
        "GET",
        &repository,
        &format!("runs/{run}"),
    );
    let again = post(&mut world, "jobs/{job}/rerun", "test (2)");
    assert_eq!((again, looked(&world)), (201, vec![]));
    relaunch(&mut world, run, 1_400);
    let left = check_at_rest(&world, Mandate::default(), &ledger);
    assert!(left.iter().all(|one| one.invariant == 7), "{left:?}");
}

#[test]
fn a_sibling_may_stay_behind_where_a_notice_alone_spoke_for_the_other_part_and_nobody_heard_it() {
    let (mut world, run) = failed_after_a_notice();
    let part = world.job_at(run, 1).expect("build (1)");
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "test"), 201);
    relaunch(&mut world, run, 700);
    let stays_behind_wrongly = |ledger: Ledger| {
        let left = check_at_rest(&world, Mandate::default(), &ledger);
        left.iter()
            .any(|one| one.what.starts_with("build (2)") && one.what.contains("did not come back"))
    };
    assert!(!stays_behind_wrongly(Ledger::default()), "nobody heard it");
    let heard = Verdict::Settled(SettleReason::Recovered);
    assert!(stays_behind_wrongly(Ledger::from([(part, heard)])), "heard");
}

/// An interrupted job beside a matrix of two whose first part failed by itself after a notice. Its
/// instance was ended before EC2 took it.
fn failed_after_a_notice() -> (World, RunId) {
    let mut world = World::new(testbed::settings()).expect("a world");
    let labels = |n: u32| vec![format!("runs-on=1-{n}/spot=true")];
    let part = |n: u32| JobSpec::new(format!("build ({n})"), labels(n)).matrix("build", true);
    let jobs = vec![JobSpec::new("test", labels(0)), part(1), part(2)];
    let failed = Fate {
        interrupted_after: Some(SignedDuration::from_secs(1)),
        ..Fate::fails(SignedDuration::from_secs(5))
    };
    let short = Fate::passes(SignedDuration::from_secs(30));
    let fates = vec![
        vec![Fate::interrupted(SignedDuration::from_secs(10)), short],
        vec![failed],
        vec![Fate::passes(SignedDuration::from_mins(20))],
    ];
    let spec = RunSpec::new("acme/shop".parse().expect("valid"), jobs);
    let run = world.push(start(), &spec, fates);
    for n in [0, 1, 2] {
        launch(&mut world, start(), &labels(n), Capacity::Spot, "reprise");
    }
    world.advance(at(60));
    let id = world.instance_at(run, 1).expect("it ran");
    world
        .ec2_mut(at(60))
        .terminate_instances(&Call::by_account(at(60)), &[id])
        .expect("known");
    world.advance(at(400));
    assert!(!world.github().run(run).expect("a run").is_active());
    (world, run)
}

/// A matrix of two whose first part was interrupted and whose second fail-fast then cancelled.
fn fail_fast(takes_cancelled: bool) -> (World, RunId) {
    let mut settings = testbed::settings();
    settings.github.rerun_failed_takes_cancelled = takes_cancelled;
    let mut world = World::new(settings).expect("a world");
    let part = |n: u32| {
        JobSpec::new(format!("test ({n})"), [format!("runs-on=1-{n}/spot=true")])
            .matrix("test", true)
    };
    let spec = RunSpec::new("acme/shop".parse().expect("valid"), vec![part(1), part(2)]);
    let long = Fate::passes(SignedDuration::from_mins(20));
    let short = Fate::passes(SignedDuration::from_secs(30));
    let fates = vec![
        vec![
            Fate::interrupted(SignedDuration::from_secs(10)),
            short.clone(),
        ],
        vec![long, short],
    ];
    let run = world.push(start(), &spec, fates);
    for n in [1, 2] {
        let labels = [format!("runs-on=1-{n}/spot=true")];
        launch(&mut world, start(), &labels, Capacity::Spot, "reprise");
    }
    world.advance(at(400));
    assert!(!world.github().run(run).expect("a run").is_active());
    (world, run)
}

/// Machines for whatever is queued, and time until it has ended.
fn relaunch(world: &mut World, run: RunId, until: i64) {
    let queued = world.github().queued_jobs(None);
    let labels: Vec<Vec<String>> = queued.iter().map(|job| job.labels.clone()).collect();
    let now = world.now();
    for labels in labels {
        launch(world, now, &labels, Capacity::OnDemand, "reprise");
    }
    world.advance(at(until));
    assert!(!world.github().run(run).expect("a run").is_active());
}

#[test]
fn an_interrupted_job_that_is_not_re_run_must_be_given_up_for_a_true_reason() {
    let world = one_job(Fate::interrupted(SignedDuration::from_secs(10)), "", 400);
    let job = world
        .job_at(world.nth_run(0).expect("pushed"), 0)
        .expect("a job");
    let said = |verdict: Option<Verdict>| -> Vec<String> {
        let ledger = verdict.map(|verdict| (job, verdict)).into_iter().collect();
        let broken = check_at_rest(&world, Mandate::default(), &ledger);
        broken.into_iter().map(|one| one.what).collect()
    };
    assert!(said(None)[0].ends_with("was interrupted and is forgotten"));
    assert!(said(Some(Verdict::Open))[0].ends_with("was interrupted and still waits"));
    for reason in [
        SettleReason::Cancelled,
        SettleReason::AlreadyRerun,
        SettleReason::Recovered,
    ] {
        let texts = said(Some(Verdict::Settled(reason)));
        assert!(texts[0].ends_with("which is not so"), "{texts:?}");
    }
}

#[test]
fn an_interrupted_job_that_came_back_or_may_not_needs_no_reason() {
    let fate = Fate::interrupted(SignedDuration::from_secs(10));
    let opted_out = one_job(fate.clone(), "/retry=false", 400);
    assert_eq!(
        check_at_rest(&opted_out, Mandate::default(), &Ledger::default()),
        []
    );
    let mut by_hand = one_job(fate, "", 400);
    let run = by_hand.nth_run(0).expect("pushed");
    by_hand
        .person_reruns(at(400), run, ByHand::FailedJobs, "mona")
        .expect("completed");
    by_hand.person_cancels(at(410), run, "mona");
    by_hand.advance(at(500));
    assert_eq!(
        check_at_rest(&by_hand, Mandate::default(), &Ledger::default()),
        []
    );
}

#[test]
fn a_cancel_and_a_newer_run_are_true_reasons_where_they_happened() {
    let mut cancelled = one_job(Fate::interrupted(SignedDuration::from_secs(10)), "", 100);
    let run = cancelled.nth_run(0).expect("pushed");
    cancelled.person_cancels(at(100), run, "mona");
    cancelled.advance(at(400));
    let job = cancelled.job_at(run, 0).expect("a job");
    let settled = |reason| Ledger::from([(job, Verdict::Settled(reason))]);
    // It was stopped before EC2 took its machine, so it was not interrupted at all.
    assert_eq!(
        check_at_rest(&cancelled, Mandate::default(), &Ledger::default()),
        []
    );
    assert_eq!(
        check_at_rest(
            &cancelled,
            Mandate::default(),
            &settled(SettleReason::Cancelled)
        ),
        []
    );

    let mut superseded = one_job(Fate::interrupted(SignedDuration::from_secs(10)), "", 400);
    assert_eq!(
        check_at_rest(
            &superseded,
            Mandate::default(),
            &settled(SettleReason::Superseded)
        )
        .len(),
        1
    );
    let spec = superseded
        .github()
        .runs()
        .next()
        .expect("a run")
        .spec
        .clone();
    let newer = superseded.push(at(400), &spec, Vec::new());
    superseded.person_cancels(at(401), newer, "mona");
    superseded.advance(at(500));
    assert_eq!(
        check_at_rest(
            &superseded,
            Mandate::default(),
            &settled(SettleReason::Superseded)
        ),
        []
    );
}

#[test]
fn an_instance_may_not_outlive_its_job_by_more_than_the_grace() {
    for (ended_at, broken) in [(90 + 44 * 60, 0), (90 + 46 * 60, 1)] {
        let mut world = one_job(Fate::passes(SignedDuration::from_secs(60)), "", 200);
        let id = world.launches()[0].clone();
        world.instance_gone(at(ended_at), &id).expect("known");
        let texts = check_at_rest(&world, Mandate::default(), &Ledger::default());
        assert_eq!(texts.len(), broken, "{texts:?}");
    }
}

#[test]
fn a_spot_instance_for_a_later_attempt_and_a_third_one_for_a_job_are_seen_at_their_launch() {
    let mut world = one_job(forger(Fate::fails(SignedDuration::from_secs(60))), "", 200);
    let run = world.nth_run(0).expect("pushed");
    let first = world.job_at(run, 0).expect("a job");
    assert_eq!(post(&mut world, "jobs/{job}/rerun", "test"), 201);
    let second = world.job_at(run, 0).expect("a job");
    for (job, capacity, broken) in [
        (first, Capacity::Spot, vec![]),
        (first, Capacity::Spot, vec![]),
        (first, Capacity::Spot, vec![7]),
        (second, Capacity::OnDemand, vec![]),
        (second, Capacity::Spot, vec![3]),
    ] {
        let mut watch = Watch::default();
        watch.look(&world);
        testbed::launch_for(&mut world, at(200), job, capacity);
        let told: Vec<u8> = watch.look(&world).iter().map(|one| one.invariant).collect();
        assert_eq!(told, broken, "{job} {capacity:?}");
    }
}
