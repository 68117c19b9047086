//! What merge queues and people are told.

use jiff::Timestamp;
use reprise_model::check::{CheckRunOrder, CheckState, CheckText, GATE_NAME};
use reprise_model::ids::{CheckRunId, RunId};

use super::*;
use crate::invariants::unconcluded;

fn write(world: &mut World, now: Timestamp, name: &str, state: CheckState) -> CheckRunId {
    let run = world.nth_run(0).expect("pushed");
    let head = world
        .github()
        .run(run)
        .expect("a run")
        .spec
        .head_sha
        .clone();
    let order = CheckRunOrder {
        head,
        name: name.to_owned(),
        external_id: run.to_string(),
        text: CheckText {
            state,
            title: "What people read".to_owned(),
            summary: String::new(),
        },
    };
    let shop = "acme/shop".parse().expect("valid");
    let known = world.github().check_runs().next().map(|check| check.id);
    let github = world.github_mut(now);
    let (_, id) = github.write_check_run(now, &shop, known, &order);
    id.expect("written")
}

fn only_run(world: &World) -> RunId {
    world.nth_run(0).expect("pushed")
}

#[test]
fn a_gate_that_is_opened_before_its_run_has_passed_breaks_the_eleventh() {
    let minute = SignedDuration::from_secs(60);
    let name = format!("{GATE_NAME} (ci.yml)");
    for (fate, written_at, broken) in [
        (Fate::passes(minute), 200, vec![]),
        (Fate::passes(SignedDuration::from_mins(20)), 200, vec![11]),
        (Fate::fails(minute), 200, vec![11]),
    ] {
        let mut world = one_job(fate.clone(), "", written_at);
        write(&mut world, at(written_at), &name, CheckState::InProgress);
        let mut watch = Watch::default();
        assert!(watch.look(&world).is_empty(), "{fate:?}");
        write(&mut world, at(written_at), &name, CheckState::Success);
        let found: Vec<u8> = watch.look(&world).iter().map(|one| one.invariant).collect();
        assert_eq!(found, broken, "{fate:?}");
    }
}

#[test]
fn a_gate_that_was_opened_in_time_may_be_passed_by_a_person_who_re_runs() {
    let mut world = one_job(Fate::passes(SignedDuration::from_secs(60)), "", 200);
    let run = only_run(&world);
    let name = format!("{GATE_NAME} (ci.yml)");
    world
        .github_mut(at(300))
        .rerun(at(300), crate::github::Rerun::WholeRun(run), "mona")
        .expect("it is over");
    write(&mut world, at(301), &name, CheckState::Success);
    assert_eq!(looked(&world), [] as [u8; 0], "it was read a moment before");
    write(&mut world, at(500), &name, CheckState::Success);
    assert_eq!(looked(&world), [11]);
}

#[test]
fn people_are_told_to_the_end_of_a_run_or_it_is_said() {
    let mut world = one_job(Fate::passes(SignedDuration::from_secs(60)), "", 200);
    let run = only_run(&world);
    assert!(unconcluded(&world, run).is_some(), "nobody is told");
    write(&mut world, at(200), "Reprise", CheckState::InProgress);
    assert!(unconcluded(&world, run).is_some(), "not to the end");
    write(&mut world, at(201), "Reprise", CheckState::Neutral);
    assert_eq!(unconcluded(&world, run), None);
    world.github_mut(at(202)).faults_mut().no_checks_read = true;
    assert_eq!(unconcluded(&world, run), None);
}
