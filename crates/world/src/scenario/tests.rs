use super::*;
use crate::invariants::check;
use crate::testbed;

#[test]
fn every_scenario_can_be_found_by_its_name_and_says_what_it_shows() {
    for listed in all() {
        let scenario = find(listed.name).expect("listed");
        assert_eq!(scenario, listed.scenario());
        assert!(!scenario.about.is_empty());
        assert!(!scenario.runs.is_empty());
    }
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest_one() {
    let near = find("interupted").expect_err("misspelt");
    assert_eq!(
        near.to_string(),
        "there is no scenario \"interupted\"; did you mean \"interrupted\"?"
    );
    let far = find("kubernetes").expect_err("unknown");
    assert!(
        far.to_string().contains("choose one of all, interrupted"),
        "{far}"
    );
}

#[test]
fn every_job_has_a_fate_and_an_expectation_and_no_others_are_told() {
    for run in all().iter().flat_map(|listed| listed.scenario().runs) {
        let mut names: Vec<&String> = run.spec.jobs.iter().map(|job| &job.name).collect();
        names.sort();
        assert!(names.iter().copied().eq(run.fates.keys()));
        assert!(names.iter().copied().eq(run.expect.jobs.keys()));
    }
}

#[test]
fn all_runs_the_next_four_scenarios_side_by_side() {
    let together = find("all").expect("listed").runs;
    let alone: Vec<PlannedRun> = all()[1..5]
        .iter()
        .flat_map(|listed| listed.scenario().runs)
        .collect();
    let spec = |run: &PlannedRun| run.spec.clone();
    assert!(together.iter().map(spec).eq(alone.iter().map(spec)));
    let mut starts: Vec<_> = together.iter().map(|run| run.starts_after).collect();
    starts.dedup();
    assert_eq!(starts.len(), together.len());
}

#[test]
fn a_seed_varies_durations_and_nothing_else() {
    let plain = find("all").expect("listed");
    assert_eq!(plain.clone().varied(0), plain);
    let varied = plain.clone().varied(5);
    assert_ne!(varied, plain);
    assert_eq!(varied, plain.clone().varied(5));
    for (one, other) in varied.runs.iter().zip(&plain.runs) {
        assert_eq!((&one.spec, &one.expect), (&other.spec, &other.expect));
    }
}

#[test]
fn every_scenario_ends_as_it_says_within_a_quarter_of_an_hour() {
    for listed in all() {
        let world = testbed::played(&listed.scenario());
        assert_eq!(check(&world, &listed.scenario()), [], "{}", listed.name);
        let took = world.now().duration_since(testbed::start());
        assert!(
            took < SignedDuration::from_mins(15),
            "{}: {took:#}",
            listed.name
        );
    }
}

#[test]
fn no_seed_changes_the_outcome() {
    for seed in 1..=20 {
        let scenario = find("all").expect("listed").varied(seed);
        let world = testbed::played(&scenario);
        assert_eq!(check(&world, &scenario), [], "seed {seed}");
    }
}

/// The scenario `resume` with something changed, and what is then broken of its expectations.
fn resumed(change: impl FnOnce(&mut PlannedRun)) -> Vec<String> {
    let scenario = find("resume").expect("listed");
    let mut changed = scenario.clone();
    change(&mut changed.runs[0]);
    let world = testbed::played(&changed);
    let broken = check(&world, &scenario);
    broken.iter().map(ToString::to_string).collect()
}

fn resumption(run: &mut PlannedRun) -> &mut Resumption {
    run.resumption.as_mut().expect("it resumes")
}

#[test]
fn a_job_that_the_manifest_does_not_name_never_runs_and_is_missed() {
    assert_eq!(resumed(|_| {}), Vec::<String>::new());
    let broken = resumed(|run| {
        let manifest = &mut resumption(run).manifest;
        *manifest = manifest.replace("\"Index\"", "\"Contents\"");
    });
    let wish = "Index of run 9000000001 in acme/ruby should have passed at once, but its executions ended []";
    assert!(broken.iter().any(|one| one.contains(wish)), "{broken:#?}");
}

#[test]
fn without_a_plan_nothing_runs_and_all_is_missed() {
    let broken = resumed(|run| resumption(run).plan = "no such job".to_owned());
    let missed = broken
        .iter()
        .filter(|one| one.contains("executions ended []"));
    assert_eq!(missed.count(), 11, "{broken:#?}");
}

#[test]
fn without_a_notice_the_interrupted_job_begins_anew_and_is_missed() {
    let broken = resumed(|run| {
        let fates = run
            .fates
            .get_mut("Build [ubuntu-24.04/3.3]")
            .expect("a job");
        fates[0].stroke = crate::fate::Stroke::HostDies;
    });
    let wish = "and then worked only for what was left";
    assert!(broken.iter().any(|one| one.contains(wish)), "{broken:?}");
}
