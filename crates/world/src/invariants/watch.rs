//! The invariants that hold at every moment, judged a step at a time.
//!
//! Each look judges only what is new since the last one, so it costs as much as happened.

use std::collections::BTreeMap;

use reprise_model::ids::InstanceId;

use super::{Broken, Mandate, budget, checks, ends, fleet, reruns, told};
use crate::world::World;

/// How far a world was judged.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    mandate: Mandate,
    mutations: usize,
    terminations: usize,
    launches: usize,
    checks_written: u64,
    reads: reruns::Reads,
    /// The instances that were launched for queued jobs that are alike.
    launched: BTreeMap<fleet::Alike, Vec<InstanceId>>,
}

impl Watch {
    /// Of programs that are told this.
    pub fn of(mandate: Mandate) -> Self {
        Self {
            mandate,
            ..Self::default()
        }
    }

    /// Everything that is wrong with what happened since the last look (1, 2, 3, 5, 6, 11, 12, and that
    /// the launches of a job are bounded, of 7).
    pub fn look(&mut self, world: &World) -> Vec<Broken> {
        let mut broken = self.look_at_mutations(world);
        broken.extend(self.look_at_launches(world));
        let written = world.github().checks_written();
        if self.checks_written < written {
            self.checks_written = written;
            broken.extend(told([(11, checks::opened_early(world))]));
        }
        let from = self.terminations;
        self.terminations = world.terminations().len();
        if from < self.terminations {
            let ended = fleet::only_ours_and_idle_are_terminated(world, from);
            broken.extend(told([(6, ended)]));
        }
        broken
    }

    fn look_at_mutations(&mut self, world: &World) -> Vec<Broken> {
        let from = self.mutations;
        let mutations = world.github().mutations();
        self.mutations = mutations.len();
        if from == self.mutations {
            return Vec::new();
        }
        let new = mutations.iter().skip(from);
        let unread = new.filter_map(|mutation| self.reads.unread(mutation));
        let unread: Vec<String> = unread.collect();
        let invariants = [
            (1, reruns::never_past_the_limit(world, self.mandate, from)),
            (2, reruns::only_as_policies_say(world, self.mandate, from)),
            (2, ends::cancelled_unasked(world, self.mandate, from)),
            (5, unread),
            (
                12,
                budget::never_over_budget(world.github(), self.mandate, from),
            ),
        ];
        told(invariants).collect()
    }

    fn look_at_launches(&mut self, world: &World) -> Vec<Broken> {
        let new = world.launches().iter().skip(self.launches);
        let machines: Vec<_> = new.filter_map(|id| world.machine(id)).collect();
        self.launches = world.launches().len();
        let mut broken = Vec::new();
        for machine in machines {
            let spot = fleet::spot_for_a_later_attempt(world, self.mandate, machine);
            let too_many = fleet::one_launch_too_many(world, &mut self.launched, machine);
            let unasked = fleet::launched_unasked(self.mandate, machine);
            let wrong = [
                (3, spot.into_iter().collect()),
                (7, too_many.into_iter().chain(unasked).collect()),
            ];
            broken.extend(told(wrong));
        }
        broken
    }
}
