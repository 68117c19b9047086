//! How often each thing that a simulation can reach was reached.

use std::collections::BTreeMap;

/// Counts by kind and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    counts: BTreeMap<&'static str, BTreeMap<String, u64>>,
}

impl Coverage {
    /// It was reached once more.
    pub fn count(&mut self, kind: &'static str, name: &str) {
        let names = self.counts.entry(kind).or_default();
        match names.get_mut(name) {
            Some(count) => *count += 1,
            None => {
                names.insert(name.to_owned(), 1);
            }
        }
    }

    /// How often it was reached.
    pub fn of(&self, kind: &str, name: &str) -> u64 {
        let names = self.counts.get(kind);
        names
            .and_then(|names| names.get(name))
            .copied()
            .unwrap_or_default()
    }

    /// All that was reached: kind, name and how often.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str, u64)> {
        let kinds = self.counts.iter();
        kinds.flat_map(|(kind, names)| {
            let names = names.iter();
            names.map(|(name, count)| (*kind, name.as_str(), *count))
        })
    }

    /// Adds what another simulation reached.
    pub fn merge(&mut self, other: &Self) {
        for (kind, names) in &other.counts {
            let own = self.counts.entry(kind).or_default();
            for (name, count) in names {
                *own.entry(name.clone()).or_default() += count;
            }
        }
    }
}
