//! What several ask for at the same moment, and one reads for all.
//!
//! Kept is what does not change any more, of so many keys at most: the oldest is forgotten first, and read
//! anew. A failure is not kept: whoever comes next tries again.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// What was read, once it was.
type Cell<V> = Arc<tokio::sync::Mutex<Option<V>>>;

/// What was read of each key.
#[derive(Debug)]
pub(crate) struct Once<K, V> {
    most: usize,
    known: Mutex<Known<K, V>>,
}

#[derive(Debug)]
struct Known<K, V> {
    /// Counts the keys as they come.
    asked: u64,
    cells: BTreeMap<K, (u64, Cell<V>)>,
}

impl<K: Ord + Clone, V: Clone> Once<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        let known = Known {
            asked: 0,
            cells: BTreeMap::new(),
        };
        Self {
            most,
            known: Mutex::new(known),
        }
    }

    /// What was read of the key, or is now. What `is_final` does not hold of is read again.
    pub(crate) async fn read<E>(
        &self,
        key: &K,
        is_final: impl Fn(&V) -> bool,
        reading: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let cell = self.cell(key);
        let mut kept = cell.lock().await;
        if let Some(value) = &*kept {
            return Ok(value.clone());
        }
        let value = reading.await?;
        *kept = Some(value.clone()).filter(is_final);
        Ok(value)
    }

    fn cell(&self, key: &K) -> Cell<V> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = known.cells.get(key) {
            return Arc::clone(cell);
        }
        if known.cells.len() >= self.most {
            let oldest = known.cells.iter().min_by_key(|(_, (asked, _))| *asked);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                known.cells.remove(&oldest);
            }
        }
        known.asked += 1;
        let (asked, cell) = (known.asked, Cell::default());
        known.cells.insert(key.clone(), (asked, Arc::clone(&cell)));
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_final_is_read_once_and_the_oldest_is_forgotten() {
        let once: Once<u8, u8> = Once::new(2);
        let read = async |key, value: Result<u8, &str>| {
            once.read(&key, |value| *value < 10, async {
                value.map_err(str::to_owned)
            })
            .await
        };
        assert_eq!(read(1, Err("down")).await, Err("down".to_owned()));
        assert_eq!(read(1, Ok(20)).await, Ok(20), "a failure is not kept");
        assert_eq!(read(1, Ok(1)).await, Ok(1), "nor what is not final");
        assert_eq!(read(1, Ok(2)).await, Ok(1));
        assert_eq!(read(2, Ok(2)).await, Ok(2));
        assert_eq!(read(3, Ok(3)).await, Ok(3));
        assert_eq!(read(1, Ok(7)).await, Ok(7), "it was the oldest");
    }
}
