//! One way in which a workflow may go, where the file leaves several.
//!
//! What cannot be known and decides something (`github.event_name == 'push' && 'a' || 'b'`) is
//! taken to be true in one world and false in another, and the same throughout a world. So what is
//! read in a world goes together, and no finding is about a mixture that can never be.

use std::collections::BTreeMap;

/// The most worlds of a job that are looked at.
const MOST: usize = 64;

/// What was assumed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct World {
    plan: Vec<bool>,
    order: Vec<String>,
    assumed: BTreeMap<String, bool>,
}

impl World {
    /// Whether a condition that nobody can know holds here.
    pub(crate) fn holds(&mut self, condition: &str) -> bool {
        if let Some(known) = self.assumed.get(condition) {
            return *known;
        }
        let holds = self.plan.get(self.order.len()).copied().unwrap_or(true);
        self.order.push(condition.to_owned());
        self.assumed.insert(condition.to_owned(), holds);
        holds
    }

    /// What was assumed, either way.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &str> {
        self.assumed.keys().map(String::as_str)
    }

    /// Whether this and the other may be the same world.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let contradicts = |(condition, holds): (&String, &bool)| {
            other
                .assumed
                .get(condition)
                .is_some_and(|elsewhere| elsewhere != holds)
        };
        !self.assumed.iter().any(contradicts)
    }

    /// The plan of the next world: the last assumption that was true is false there.
    fn next_plan(&self) -> Option<Vec<bool>> {
        let mut plan: Vec<bool> = self
            .order
            .iter()
            .map(|condition| self.assumed.get(condition).copied().unwrap_or(true))
            .collect();
        while let Some(last) = plan.pop() {
            if last {
                plan.push(false);
                return Some(plan);
            }
        }
        None
    }
}

/// What comes of each world.
#[derive(Debug)]
pub(crate) struct Worlds<T> {
    pub(crate) played: Vec<(World, T)>,
    /// There are no others.
    pub(crate) complete: bool,
}

/// Plays all worlds, as far as they are not too many.
pub(crate) fn each<T>(mut play: impl FnMut(&mut World) -> T) -> Worlds<T> {
    let mut played = Vec::new();
    let mut plan = Vec::new();
    for _ in 0..MOST {
        let mut world = World {
            plan,
            ..World::default()
        };
        let outcome = play(&mut world);
        let next = world.next_plan();
        played.push((world, outcome));
        match next {
            Some(next) => plan = next,
            None => {
                return Worlds {
                    played,
                    complete: true,
                };
            }
        }
    }
    Worlds {
        played,
        complete: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_world_is_played_once_and_holds_together() {
        let worlds = each(|world| {
            let push = world.holds("push");
            let main = push && world.holds("main");
            assert_eq!(world.holds("push"), push, "it changed its mind");
            (push, main)
        });
        let seen: Vec<(bool, bool)> = worlds.played.iter().map(|(_, seen)| *seen).collect();
        assert_eq!(seen, [(true, true), (true, false), (false, false)]);
        assert!(worlds.complete);
        let agree = |one: usize, other: usize| {
            let world = |index: usize| &worlds.played[index].0;
            world(one).agrees_with(world(other))
        };
        assert!(agree(0, 0) && !agree(0, 1) && !agree(1, 2) && !agree(2, 0));
    }

    #[test]
    fn more_worlds_than_can_be_looked_at_are_said_to_be_incomplete() {
        let worlds = each(|world| (0..20).filter(|n| world.holds(&n.to_string())).count());
        assert_eq!(worlds.played.len(), MOST);
        assert!(!worlds.complete);
    }
}
