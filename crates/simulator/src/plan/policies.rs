//! What labels and configuration say of re-runs beyond yes and no, and jobs on GitHub's own machines.

use std::collections::BTreeMap;

use reprise_model::policy::RetryPolicy;
use reprise_world::github::JobSpec;
use reprise_world::invariants::Mandate;
use reprise_world::world::HOSTED;

use super::{Action, AskRates, Chance, Dice, Step};

/// What configuration says of failures.
pub(super) fn mandate(dice: &mut Dice, ask_dice: &mut Dice, mandate: Mandate) -> Mandate {
    let policy = |text: &str| text.parse::<RetryPolicy>().ok();
    let workflows = [
        (120, Some("ci").zip(policy("when-failed:2"))),
        (80, Some("ci").zip(policy("when-failed"))),
        (80, Some("lint").zip(policy("when-failed"))),
        (120, Some("ci").zip(policy("when-transient"))),
        (60, Some("lint").zip(policy("when-transient:2"))),
        (150, Some("ci").zip(policy("ask:judge"))),
    ];
    Mandate {
        labels_may_name_failures: dice.chance(600),
        labels_may_ask: ask_dice.chance(700),
        policy_of_workflow: dice.one_of(None, &workflows),
        ..mandate
    }
}

/// How often the endpoint gives no answer: in some seeds never, in a few hardly ever one.
pub(super) fn asks(dice: &mut Dice) -> AskRates {
    let most = dice.one_of(0, &[(500, 150), (150, 330)]);
    let mut up_to = || Chance(u16::try_from(dice.number_of(0, most)).unwrap_or_default());
    AskRates {
        hangs: up_to(),
        fails: up_to(),
        lies: up_to(),
    }
}

/// How much may be re-run in an hour: where it is little, some of it waits for hours.
pub(super) fn most_an_hour(dice: &mut Dice) -> usize {
    dice.one_of(300, &[(350, 1), (150, 2), (100, 3)])
}

/// Has some labels say how often their job is re-run, and some jobs run on GitHub's machines. Labels that
/// are alike stay so: jobs that have them take each other's machines.
pub(super) fn sprinkle(dice: &mut Dice, steps: &mut [Step]) {
    let mut said: BTreeMap<String, Option<&'static str>> = BTreeMap::new();
    for step in steps {
        let Action::Push(push) = &mut step.what else {
            continue;
        };
        let some_are_hosted = dice.chance(120);
        for job in &mut push.spec.jobs {
            *job = failing(dice, job.clone());
            if some_are_hosted && dice.chance(400) {
                job.labels = vec![HOSTED.to_owned()];
                continue;
            }
            for label in &mut job.labels {
                if label.contains("/retry=") {
                    continue;
                }
                let retry = said.entry(label.clone()).or_insert_with(|| retry(dice));
                label.extend(retry.iter().copied());
            }
        }
    }
}

/// What a job prints that fails, where it prints anything.
fn failing(dice: &mut Dice, job: JobSpec) -> JobSpec {
    const RESET: &str = "curl: (56) Recv failure: Connection reset by peer";
    const WRONG: &str = "assertion `left == right` failed\n  left: 1\n right: 2";
    match dice.one_of(None, &[(400, Some(true)), (200, Some(false))]) {
        Some(true) => job.fails_in_passing("Run make", RESET),
        Some(false) => job.fails_with("Run make", WRONG),
        None => job,
    }
}

fn retry(dice: &mut Dice) -> Option<&'static str> {
    let retries = [
        (60, Some("/retry=2")),
        (60, Some("/retry=when-interrupted:3")),
        (70, Some("/retry=when-failed")),
        (40, Some("/retry=when-failed:4")),
        (70, Some("/retry=when-transient")),
        (40, Some("/retry=when-transient:2")),
        (110, Some("/retry=ask:judge")),
        (20, Some("/retry=ask:nobody")),
    ];
    dice.one_of(None, &retries)
}
