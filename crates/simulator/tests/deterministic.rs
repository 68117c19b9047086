//! A seed tells one story, whoever plays it and whenever.

use reprise_simulator::plan::Plan;
use reprise_simulator::run::{Played, play};

#[expect(clippy::expect_used, reason = "a test's own helper")]
fn played(seed: u64) -> Played {
    play(&Plan::draw(seed), true).expect("a simulation")
}

fn story(played: Played) -> Vec<String> {
    let lines = played.trace.lines.iter();
    lines.map(ToString::to_string).collect()
}

#[test]
fn the_same_seed_tells_the_same_story_twice_and_in_another_thread() {
    for seed in [1, 2, 3] {
        let here = played(seed);
        let again = played(seed);
        let there = std::thread::spawn(move || played(seed));
        let there = there.join().expect("no panic");
        assert_eq!(here.trace.hash, again.trace.hash, "seed {seed}");
        assert_eq!(here.trace.hash, there.trace.hash, "seed {seed}");
        assert_eq!(story(here), story(there), "seed {seed}");
    }
}

#[test]
fn a_story_is_the_same_whether_or_not_it_is_kept() {
    let plan = Plan::draw(1);
    let kept = play(&plan, true).expect("a simulation").trace;
    let forgotten = play(&plan, false).expect("a simulation").trace;
    assert!(!kept.lines.is_empty() && forgotten.lines.is_empty());
    assert_eq!(kept.hash, forgotten.hash);
    assert_eq!(kept.coverage, forgotten.coverage);
}

#[test]
fn a_prefix_of_a_plan_plays_like_the_whole_up_to_the_first_step_left_out() {
    let plan = Plan::draw(1);
    let steps = plan.steps.len() / 2;
    let until = plan.steps[steps].at;
    let lines = |plan: &Plan| -> Vec<String> {
        let played = play(plan, true).expect("a simulation");
        let early = played
            .trace
            .lines
            .into_iter()
            .filter(|line| line.at < until);
        early.map(|line| line.to_string()).collect()
    };
    assert_eq!(lines(&plan), lines(&plan.prefix(steps)));
}

#[test]
fn other_seeds_tell_other_stories() {
    assert_ne!(played(1).trace.hash, played(2).trace.hash);
}
