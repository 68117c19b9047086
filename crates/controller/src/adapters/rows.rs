//! The rows of one region's runner table, written many in a call.
//!
//! A row waits a moment for others: its instance boots for longer than that. Nothing is tried again
//! here; what the table could not write, its callers learn.
//!
//! Invariant: of two rows of one key the later one is what stays, and no call has both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reprise_aws::{Batcher, Shape, Unanswered};
use reprise_store::{RowWritten, RunnerRow, RunnerRows, RunnerTable, StoreError};
use tokio::sync::watch;

/// A call takes some ten milliseconds, and some seconds where DynamoDB wants less: others go on
/// meanwhile.
const IN_FLIGHT: usize = 4;

/// Why a row is not there, or perhaps not.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWritten {
    /// The table's own words, which may be about many rows.
    #[error(transparent)]
    Failed(Arc<StoreError>),
    /// The process comes to its end.
    #[error("the call that should have written the row ended without an answer")]
    Unanswered,
}

/// Hands rows to the table; all of one region come through one of these.
#[derive(Debug)]
pub(super) struct Rows {
    batcher: Batcher<Handed, RowWritten>,
    handed: AtomicU64,
}

/// A row, ordered by its key and then by when it was handed in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Handed {
    key: String,
    number: u64,
    row: RunnerRow,
}

impl Rows {
    /// For a table. A row waits up to `window` for others, and for none once `hurry` says so.
    pub(super) fn of(table: RunnerTable, window: Duration, hurry: watch::Receiver<bool>) -> Self {
        let table = Arc::new(table);
        Self::written_by(window, hurry, move |rows| {
            let table = Arc::clone(&table);
            async move { table.put(rows).await }
        })
    }

    fn written_by<W, F>(window: Duration, hurry: watch::Receiver<bool>, write: W) -> Self
    where
        W: Fn(RunnerRows) -> F + Send + 'static,
        F: Future<Output = BTreeMap<String, RowWritten>> + Send + 'static,
    {
        let shape = Shape {
            most: RunnerTable::ROWS,
            window,
            in_flight: IN_FLIGHT,
        };
        let batcher = Batcher::until_hurried(shape, hurry, move |handed| {
            let written = write(latest(&handed));
            async move { answers(handed, &written.await) }
        });
        Self {
            batcher,
            handed: AtomicU64::new(0),
        }
    }

    /// Hands a row in, and answers when it is written. It is written also where nobody waits for the
    /// answer any more.
    pub(super) async fn put(&self, key: String, row: RunnerRow) -> Result<(), NotWritten> {
        let number = self.handed.fetch_add(1, Ordering::Relaxed);
        match self.batcher.ask(Handed { key, number, row }).await {
            Ok(written) => written.map_err(NotWritten::Failed),
            Err(Unanswered) => Err(NotWritten::Unanswered),
        }
    }
}

/// In the order of their numbers, so that the later takes the place of the earlier.
fn latest(handed: &[Handed]) -> RunnerRows {
    let rows = handed.iter();
    rows.map(|one| (one.key.clone(), one.row.clone())).collect()
}

/// A row that a later one took the place of shares its fate.
fn answers(
    handed: Vec<Handed>,
    written: &BTreeMap<String, RowWritten>,
) -> BTreeMap<Handed, RowWritten> {
    let answers = handed.into_iter().filter_map(|one| {
        let answer = written.get(&one.key)?.clone();
        Some((one, answer))
    });
    answers.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::Timestamp;
    use reprise_model::ids::RunnerName;

    use super::*;

    type Calls = Arc<Mutex<Vec<RunnerRows>>>;

    fn row(runner: &str) -> RunnerRow {
        RunnerRow {
            config: runner.into(),
            runner: RunnerName::new(runner),
            expires_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn refused() -> RowWritten {
        Err(Arc::new(StoreError::Conflict {
            key: "b".to_owned(),
        }))
    }

    /// Rows that wait until they are hurried, into a table that notes its calls and refuses the key `b`.
    fn rows() -> (Arc<Rows>, watch::Sender<bool>, Calls) {
        let (hurry, calls) = (watch::Sender::new(false), Calls::default());
        let noted = Arc::clone(&calls);
        let long = Duration::from_secs(3_600);
        let rows = Rows::written_by(long, hurry.subscribe(), move |rows| {
            let keys = rows.keys().cloned();
            let fate = |key: String| match key.as_str() {
                "b" => (key, refused()),
                _ => (key, Ok(())),
            };
            let answer = keys.map(fate).collect();
            noted.lock().expect("not poisoned").push(rows);
            async move { answer }
        });
        (Arc::new(rows), hurry, calls)
    }

    fn put(
        rows: &Arc<Rows>,
        key: &str,
        runner: &str,
    ) -> tokio::task::JoinHandle<Result<(), NotWritten>> {
        let (rows, key, row) = (Arc::clone(rows), key.to_owned(), row(runner));
        tokio::spawn(async move { rows.put(key, row).await })
    }

    async fn everybody_has_asked() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn calls_of(calls: &Calls) -> Vec<Vec<(String, String)>> {
        let calls = calls.lock().expect("not poisoned");
        let names = |rows: &RunnerRows| {
            rows.iter()
                .map(|(key, row)| (key.clone(), row.runner.to_string()))
                .collect()
        };
        calls.iter().map(names).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = expected.iter();
        pairs
            .map(|(key, runner)| ((*key).to_owned(), (*runner).to_owned()))
            .collect()
    }

    #[tokio::test]
    async fn rows_of_a_moment_share_a_call_and_an_error_is_that_of_its_own_row() {
        let (rows, hurry, calls) = rows();
        let (one, other) = (put(&rows, "a", "one"), put(&rows, "b", "other"));
        everybody_has_asked().await;
        assert_eq!(calls_of(&calls).len(), 0, "they wait for company");
        hurry.send_replace(true);
        one.await.expect("no panic").expect("written");
        let error = other.await.expect("no panic").expect_err("refused");
        assert!(matches!(error, NotWritten::Failed(_)), "{error}");
        assert_eq!(calls_of(&calls), [pairs(&[("a", "one"), ("b", "other")])]);
    }

    #[tokio::test]
    async fn of_two_rows_of_one_instance_the_later_is_written_and_answers_both() {
        let (rows, hurry, calls) = rows();
        let first = put(&rows, "a", "zeroth");
        everybody_has_asked().await;
        let second = put(&rows, "a", "another");
        everybody_has_asked().await;
        hurry.send_replace(true);
        for answer in [first, second] {
            answer.await.expect("no panic").expect("written");
        }
        assert_eq!(calls_of(&calls), [pairs(&[("a", "another")])]);
    }

    #[tokio::test]
    async fn a_full_call_waits_for_no_more() {
        let (rows, _hurry, calls) = rows();
        let asked: Vec<_> = (0..RunnerTable::ROWS)
            .map(|number| put(&rows, &format!("row-{number}"), "one"))
            .collect();
        for answer in asked {
            answer.await.expect("no panic").expect("written");
        }
        assert_eq!(calls_of(&calls).len(), 1);
    }

    #[tokio::test]
    async fn a_row_is_written_though_whoever_handed_it_in_has_gone_away() {
        let (rows, hurry, calls) = rows();
        let gone = put(&rows, "a", "one");
        everybody_has_asked().await;
        gone.abort();
        everybody_has_asked().await;
        hurry.send_replace(true);
        everybody_has_asked().await;
        assert_eq!(calls_of(&calls), [pairs(&[("a", "one")])]);
    }
}
