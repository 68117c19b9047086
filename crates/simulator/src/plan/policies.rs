//! What labels say of re-runs beyond yes and no.

use std::collections::BTreeMap;

use super::{Action, Dice, Step};

/// Has some labels say how often their job is re-run. Labels that are alike stay so: jobs that have
/// them take each other's machines.
pub(super) fn sprinkle(dice: &mut Dice, steps: &mut [Step]) {
    let mut said: BTreeMap<String, Option<&'static str>> = BTreeMap::new();
    for step in steps {
        let Action::Push(push) = &mut step.what else {
            continue;
        };
        for label in push.spec.jobs.iter_mut().flat_map(|job| &mut job.labels) {
            if label.contains("/retry=") {
                continue;
            }
            let retry = said.entry(label.clone()).or_insert_with(|| retry(dice));
            label.extend(retry.iter().copied());
        }
    }
}

fn retry(dice: &mut Dice) -> Option<&'static str> {
    let retries = [
        (60, Some("/retry=2")),
        (60, Some("/retry=when-interrupted:3")),
    ];
    dice.one_of(None, &retries)
}
