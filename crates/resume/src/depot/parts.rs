//! How a file is cut into parts; and how much memory that takes.

/// The smallest part: S3 takes no smaller one but the last.
const SMALLEST: u64 = 5 << 20;

/// The most parts that S3 takes; Google's limit is the same, Azure's is 50,000 blocks.
const MOST: u64 = 10_000;

/// What all parts under way may hold in memory together.
const IN_MEMORY: u64 = 20 << 20;

/// The parts of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    size: u64,
    pub(super) length: u64,
}

impl Parts {
    /// Up to 200 GB the parts under way fit into what is meant for them; beyond, one part at a time is larger.
    pub(super) fn of(size: u64) -> Self {
        let length = size.div_ceil(MOST).div_ceil(1 << 20) << 20;
        Self {
            size,
            length: length.max(SMALLEST),
        }
    }

    pub(super) fn count(self) -> usize {
        usize::try_from(self.size.div_ceil(self.length).max(1)).unwrap_or(usize::MAX)
    }

    /// How many may be under way at once.
    pub(super) fn at_once(self) -> usize {
        usize::try_from((IN_MEMORY / self.length).max(1)).unwrap_or(1)
    }

    /// Where one begins, and how long it is.
    pub(super) fn part(self, index: usize) -> (u64, usize) {
        let from = u64::try_from(index)
            .unwrap_or(u64::MAX)
            .saturating_mul(self.length);
        let length = self.size.saturating_sub(from).min(self.length);
        (from, usize::try_from(length).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_cover_each_byte_once_within_the_limits_of_stores(size in 0u64..6_000_000_000_000) {
            let parts = Parts::of(size);
            prop_assert!(parts.count() as u64 <= MOST);
            let mut end = 0;
            for index in 0..parts.count() {
                let (from, length) = parts.part(index);
                prop_assert_eq!(from, end);
                prop_assert!(length as u64 == parts.length || index + 1 == parts.count());
                end = from + length as u64;
            }
            prop_assert_eq!(end, size);
        }

        #[test]
        fn parts_under_way_fit_into_memory(size in 0u64..200_000_000_000) {
            let parts = Parts::of(size);
            prop_assert!(parts.at_once() as u64 * parts.length <= IN_MEMORY);
        }
    }
}
