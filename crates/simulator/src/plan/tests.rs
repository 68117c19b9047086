use std::collections::BTreeSet;

use reprise_world::ec2::{CarriedOut, InterruptionAction};
use reprise_world::github::Condition;

use super::*;

/// As many as the continuous integration plays.
const SEEDS: u64 = 2_000;

fn plans() -> impl Iterator<Item = Plan> {
    (0..SEEDS).map(Plan::draw)
}

fn pushes(plan: &Plan) -> impl Iterator<Item = &Push> {
    plan.steps.iter().filter_map(|step| step.what.push())
}

#[test]
fn the_same_seed_draws_the_same_plan() {
    for seed in 0..200 {
        assert_eq!(Plan::draw(seed), Plan::draw(seed));
        assert_ne!(Plan::draw(seed), Plan::draw(seed + 1));
    }
}

#[test]
fn a_plan_begins_with_a_push_and_is_in_order_and_within_bounds() {
    for plan in plans() {
        let seed = plan.seed;
        assert!(plan.steps.is_sorted_by_key(|step| step.at), "seed {seed}");
        assert!((1..=12).contains(&pushes(&plan).count()), "seed {seed}");
        assert!((1..=3).contains(&plan.replicas), "seed {seed}");
        let last = plan.steps.last().expect("a step").at;
        assert!(plan.calm_after >= last, "seed {seed}");
        let jobs: usize = pushes(&plan).map(|push| push.spec.jobs.len()).sum();
        assert!(jobs <= 60, "seed {seed}: {jobs} jobs");
        for push in pushes(&plan) {
            assert_eq!(push.spec.jobs.len(), push.fates.len(), "seed {seed}");
            assert!(
                push.fates.iter().all(|fates| !fates.is_empty()),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn a_prefix_keeps_the_first_steps_and_grows_calm_where_the_next_would_be() {
    let plan = plans().find(|plan| plan.steps.len() > 5).expect("a plan");
    let prefix = plan.prefix(3);
    assert_eq!(prefix.steps, plan.steps[..3]);
    assert_eq!(prefix.calm_after, plan.steps[3].at);
    assert_eq!(plan.prefix(1_000), plan);
}

#[test]
fn webhooks_are_given_up_only_where_a_search_and_a_sweep_find_what_they_told() {
    let is_down = |plan: &Plan| {
        let mut steps = plan.steps.iter();
        steps.any(|step| matches!(step.what, Action::AddressDown { .. }))
    };
    for plan in plans() {
        let found_without = plan.search && plan.world.labels_are_bound;
        assert!(found_without || !is_down(&plan), "seed {}", plan.seed);
        assert!(!(plan.search && plan.world.mandate.retries_only));
    }
    let (searched, not): (Vec<Plan>, Vec<Plan>) = plans().partition(|plan| plan.search);
    assert!(searched.iter().any(is_down));
    let with_fleet = not.iter().filter(|plan| !plan.world.mandate.retries_only);
    assert!(with_fleet.count() > searched.len() / 2);
}

#[test]
fn every_kind_of_step_is_drawn_often_enough() {
    let mut words: Vec<&str> = Vec::new();
    for plan in plans() {
        let kinds: BTreeSet<&str> = plan.steps.iter().map(|step| kind(&step.what)).collect();
        words.extend(kinds);
    }
    for kind in [
        "push",
        "cancel",
        "re-run",
        "waits to cancel",
        "waits to re-run",
        "strike",
        "rebalance",
        "shortage",
        "early",
        "ping",
        "address down",
        "lie: completed",
        "lie: queued",
        "lie: warning",
        "lie: garbage",
        "crash before",
        "crash after",
        "drain",
        "requeue",
        "stranger",
    ] {
        let count = words.iter().filter(|word| **word == kind).count();
        assert!(count >= 50, "{kind}: {count} of {SEEDS} seeds");
    }
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::Push(_) => "push",
        Action::CancelByPerson { .. } => "cancel",
        Action::RerunByPerson { .. } => "re-run",
        Action::PersonWaits { deed, .. } => match deed {
            Deed::Cancel => "waits to cancel",
            Deed::DeleteRepository => "waits to delete",
            Deed::Rerun(_) => "waits to re-run",
        },
        Action::Strike { .. } => "strike",
        Action::Rebalance { .. } => "rebalance",
        Action::Shortage { .. } => "shortage",
        Action::EarlyCompleted { .. } => "early",
        Action::DeleteRepository { .. } => "deletion",
        Action::Ping => "ping",
        Action::AddressDown { .. } => "address down",
        Action::Forge(forgery) => match forgery.says {
            Lie::Completed { .. } => "lie: completed",
            Lie::Queued { .. } => "lie: queued",
            Lie::Warning { .. } => "lie: warning",
            Lie::Garbage => "lie: garbage",
        },
        Action::Crash { after_effect, .. } => match after_effect {
            false => "crash before",
            true => "crash after",
        },
        Action::Drain { .. } => "drain",
        Action::Requeue { .. } => "requeue",
        Action::Stranger { .. } => "stranger",
    }
}

#[test]
fn every_fault_is_switched_on_in_many_seeds_and_off_in_many() {
    let on = |switched_on: &dyn Fn(&Plan) -> bool| plans().filter(|plan| switched_on(plan)).count();
    let drawn = |rate: &dyn Fn(&Plan) -> Chance| on(&|plan| rate(plan).0 > 0);
    let counts = [
        ("slow", drawn(&|plan| plan.rates.latency.slow)),
        (
            "store repeats",
            drawn(&|plan| plan.rates.store.repeats_conflict),
        ),
        (
            "store collides",
            drawn(&|plan| plan.rates.store.transactions_collide),
        ),
        ("store fails", drawn(&|plan| plan.rates.store.fails)),
        ("store lost", drawn(&|plan| plan.rates.store.lost_answers)),
        ("due lags", drawn(&|plan| plan.rates.store.due_lags)),
        ("github fails", drawn(&|plan| plan.rates.github.fails)),
        (
            "github after",
            drawn(&|plan| plan.rates.github.fails_after_acting),
        ),
        ("github lost", drawn(&|plan| plan.rates.github.lost_answers)),
        ("github limited", drawn(&|plan| plan.rates.github.limited)),
        (
            "github fresh",
            drawn(&|plan| plan.rates.github.fresh_not_found),
        ),
        ("ec2 throttled", drawn(&|plan| plan.rates.ec2.throttled)),
        ("no spot", drawn(&|plan| plan.rates.ec2.no_spot)),
        ("no on-demand", drawn(&|plan| plan.rates.ec2.no_on_demand)),
        ("ec2 lost", drawn(&|plan| plan.rates.ec2.lost_answers)),
        ("terminate", drawn(&|plan| plan.rates.ec2.terminate_fails)),
        ("sqs receive", drawn(&|plan| plan.rates.sqs.receive_fails)),
        ("sqs twice", drawn(&|plan| plan.rates.sqs.received_twice)),
        ("sqs fails", drawn(&|plan| plan.rates.sqs.fails)),
        ("sqs lost", drawn(&|plan| plan.rates.sqs.lost_answers)),
        ("post lost", drawn(&|plan| plan.post.lost)),
        ("post for good", drawn(&|plan| plan.post.lost_for_good)),
        ("ec2 for good", drawn(&|plan| plan.post.ec2_lost_for_good)),
        ("doubled", drawn(&|plan| plan.post.doubled)),
        ("delayed", drawn(&|plan| plan.post.delayed)),
        ("agent missing", drawn(&|plan| plan.agents.missing)),
        ("agent dies", drawn(&|plan| plan.agents.dies)),
        ("agent slow", drawn(&|plan| plan.agents.slow)),
        ("tag fails", drawn(&|plan| plan.agents.tag_fails)),
        (
            "list delay",
            on(&|plan| plan.world.list_delay > SignedDuration::ZERO),
        ),
        (
            "list varies",
            on(&|plan| plan.world.list_delay_varies_by > SignedDuration::ZERO),
        ),
        (
            "job lists",
            on(&|plan| plan.world.job_lists_lag > SignedDuration::ZERO),
        ),
        (
            "cancelled left",
            on(&|plan| !plan.world.rerun_failed_takes_cancelled),
        ),
    ];
    for (fault, count) in counts {
        assert!(
            (500..1_500).contains(&count),
            "{fault}: {count} of {SEEDS} seeds"
        );
    }
    assert!(on(&|plan| plan.world.no_checks_read) >= 20);
    assert!(on(&|plan| plan.world.no_actions_write) >= 10);
    let calm = on(&|plan| {
        plan.rates
            == Rates {
                latency: plan.rates.latency,
                ..plan.rates.clone()
            }
            && plan.post.doubled.0 == 0
            && plan.agents.missing.0 == 0
            && plan.rates.sqs.fails.0 == 0
    });
    assert!(calm >= 100, "few faults: {calm}");
}

#[test]
fn everything_that_a_workflow_file_can_say_is_pushed() {
    let many = |what: &str, least: usize, says: &dyn Fn(&Push) -> bool| {
        let count = plans().filter(|plan| pushes(plan).any(says)).count();
        assert!(count >= least, "{what}: {count} of {SEEDS} seeds");
    };
    let any = |push: &Push, says: &dyn Fn(&reprise_world::github::JobSpec) -> bool| {
        push.spec.jobs.iter().any(says)
    };
    let fail_fast = |push: &Push, wanted| {
        any(push, &|job| {
            job.matrix
                .as_ref()
                .is_some_and(|one| one.fail_fast == wanted)
        })
    };
    many("fail-fast", 400, &|push| fail_fast(push, true));
    many("no fail-fast", 100, &|push| fail_fast(push, false));
    many("needs", 400, &|push| {
        any(push, &|job| !job.needs.is_empty())
    });
    many("always", 100, &|push| {
        any(push, &|job| job.condition == Condition::Always)
    });
    many("merge group", 200, &|push| push.spec.event == "merge_group");
    many("pull request", 200, &|push| {
        push.spec.event == "pull_request"
    });
    many("group", 100, &|push| push.spec.concurrency.is_some());
    many("cancels in progress", 100, &|push| {
        push.spec
            .concurrency
            .as_ref()
            .is_some_and(|group| group.cancel_in_progress)
    });
    many("retry=false", 200, &|push| {
        any(push, &|job| job.labels[0].contains("retry=false"))
    });
    many("spot=false", 200, &|push| {
        any(push, &|job| job.labels[0].contains("spot=false"))
    });
    many("one job", 300, &|push| push.spec.jobs.len() == 1);
    many("big", 20, &|push| push.spec.jobs.len() >= 20);
    many("equal names", 20, &|push| {
        let names: BTreeSet<&String> = push.spec.jobs.iter().map(|job| &job.name).collect();
        names.len() < push.spec.jobs.len()
    });
}

#[test]
fn every_stroke_of_fate_is_drawn() {
    let fates: Vec<Fate> = plans()
        .flat_map(|plan| {
            pushes(&plan)
                .flat_map(|push| push.fates.concat())
                .collect::<Vec<_>>()
        })
        .collect();
    let many = |what: &str, is: &dyn Fn(&Fate) -> bool| {
        let count = fates.iter().filter(|fate| is(fate)).count();
        assert!(count >= 50, "{what}: {count} of {} fates", fates.len());
    };
    let struck = |fate: &Fate| fate.interrupted_after.is_some();
    let kind = |fate: &Fate, is: &dyn Fn(&Stroke) -> bool| struck(fate) && is(&fate.stroke);
    many("usual", &|fate| {
        kind(fate, &|stroke| *stroke == Stroke::Usual)
    });
    many("host dies", &|fate| {
        kind(fate, &|stroke| *stroke == Stroke::HostDies)
    });
    many("powers off", &|fate| {
        kind(fate, &|stroke| *stroke == Stroke::PowersOff)
    });
    let interrupted = |fate: &Fate, is: &dyn Fn(&reprise_world::ec2::Interruption) -> bool| {
        kind(fate, &|stroke| match stroke {
            Stroke::Interruption { interruption, .. } => is(interruption),
            Stroke::Usual | Stroke::HostDies | Stroke::PowersOff => false,
        })
    };
    many("no notice", &|fate| {
        interrupted(fate, &|one| one.notice.is_none())
    });
    many("never", &|fate| {
        interrupted(fate, &|one| one.carried_out == CarriedOut::Never)
    });
    many("stop", &|fate| {
        interrupted(fate, &|one| one.action == InterruptionAction::Stop)
    });
    many("hibernate", &|fate| {
        interrupted(fate, &|one| one.action == InterruptionAction::Hibernate)
    });
    many("resumes", &|fate| match fate.stroke {
        Stroke::Interruption { resumes_after, .. } => resumes_after.is_some(),
        Stroke::Usual | Stroke::HostDies | Stroke::PowersOff => false,
    });
    many("forges and fails", &|fate| {
        fate.forges_after.is_some() && fate.ends == Conclusion::Failure
    });
    many("forges and passes", &|fate| {
        fate.forges_after.is_some() && fate.ends == Conclusion::Success
    });
    many("never ended", &|fate| {
        fate.when_taken == Some(WhenTaken::IsNeverEnded)
    });
}

#[test]
fn a_plan_reads_as_a_story() {
    let text = Plan::draw(3).to_string();
    assert!(text.starts_with("seed 3, replicas: "), "{text}");
    assert!(text.contains("somebody pushes acme/"), "{text}");
    for plan in plans().take(200) {
        for step in &plan.steps {
            assert!(step.to_string().starts_with("after "));
        }
    }
}
