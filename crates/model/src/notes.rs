//! What the rest of a run's record does not tell of it: GitHub's passing answers, what people did, and
//! that the repository's budget is used up.
//!
//! A run whose re-run is taken at once has none, so that its record stays as small as it was. What
//! happened is kept only up to a bound, the newest; it decides nothing. What people ask for does, and so
//! does the budget.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{JobId, RunAttempt};

/// How much that happened is kept of a run: with [`MOST_WORDS`] some 2 KB at most.
pub const MOST: usize = 10;

/// How many characters are kept of somebody else's words.
pub const MOST_WORDS: usize = 160;

/// The notes of a run's record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notes {
    /// What happened, oldest first; at most [`MOST`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub happened: Vec<Happening>,
    /// Jobs for which a person asked for a fresh chance, which is not decided on yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub requeued: BTreeSet<JobId>,
    /// Jobs that lists leave out: a person dismissed them, or a fresh chance took their place.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dismissed: BTreeSet<JobId>,
    /// Jobs that are here because a fresh chance was given, each with the one that it was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub renewed: BTreeMap<JobId, JobId>,
    /// Its re-run waits for the repository's budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// When its last re-run was paid for, where that was well before it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Paid>,
}

/// A re-run that waits for the budget of its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Since when.
    pub since: Timestamp,
    /// Until when at least.
    pub until: Timestamp,
    /// The attempt that it starts from.
    pub from: RunAttempt,
    /// How many jobs it re-runs.
    pub jobs: u32,
    /// How many the repository may re-run in an hour.
    pub limit: u32,
}

/// A re-run that was paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The attempt that it starts from.
    pub from: RunAttempt,
    /// When.
    pub at: Timestamp,
}

/// One thing that happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When; of what happened several times alike the last time.
    pub at: Timestamp,
    /// What.
    pub what: Happened,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// GitHub did not take a re-run, and may take it later.
    PutOff {
        /// Its words.
        words: String,
    },
    /// No answer to a re-run came, or one that says nothing.
    Unclear {
        /// What came instead.
        words: String,
    },
    /// A later look at the run showed that a re-run without an answer was taken.
    FoundTaken,
    /// A later look at the run showed that it was not.
    FoundNotTaken,
    /// A person asked for a fresh chance.
    Requeued {
        /// For this job.
        job: JobId,
        /// The word for why it was settled.
        was: String,
    },
    /// It got one.
    ChanceGiven {
        /// The job that it was asked for.
        job: JobId,
        /// Its record in the newest attempt.
        renewed: JobId,
    },
    /// It got none.
    ChanceDenied {
        /// The job that it was asked for.
        job: JobId,
        /// The word for why.
        why: String,
    },
    /// A person took a job out of the lists.
    Dismissed {
        /// Which.
        job: JobId,
    },
}

impl Notes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Notes what happened. What is the same as the last takes its place, and the oldest make room.
    pub fn add(&mut self, at: Timestamp, what: Happened) {
        if self.happened.last().is_some_and(|last| last.what == what) {
            self.happened.pop();
        }
        self.happened.push(Happening { at, what });
        let surplus = self.happened.len().saturating_sub(MOST);
        self.happened.drain(..surplus);
    }
}

/// As much of a text as is kept.
pub fn bounded(text: &str) -> String {
    match text.char_indices().nth(MOST_WORDS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn put_off(words: &str) -> Happened {
        Happened::PutOff {
            words: words.to_owned(),
        }
    }

    #[test]
    fn the_newest_notes_are_kept_and_repetitions_count_once() {
        let mut notes = Notes::default();
        for second in 0..30 {
            notes.add(at(second), put_off(&format!("no {}", second / 2)));
        }
        assert_eq!(notes.happened.len(), MOST);
        let last = notes.happened.last().expect("some");
        assert_eq!((last.at, &last.what), (at(29), &put_off("no 14")));
        assert_eq!(notes.happened[0].what, put_off("no 5"));
    }

    #[test]
    fn a_record_full_of_notes_stays_below_three_kilobytes() {
        let mut notes = Notes::default();
        for second in 0..100 {
            notes.add(
                at(second),
                put_off(&bounded(&format!("{second} {}", "x".repeat(999)))),
            );
        }
        let stored = serde_json::to_string(&notes).expect("writable");
        assert!(stored.len() < 3_000, "{} bytes", stored.len());
    }

    #[test]
    fn words_are_cut_between_characters() {
        assert_eq!(bounded("short"), "short");
        let long = "ä".repeat(MOST_WORDS + 1);
        assert_eq!(bounded(&long), format!("{}...", "ä".repeat(MOST_WORDS)));
    }

    #[test]
    fn notes_keep_their_stored_form() {
        let mut notes = Notes::default();
        let job = JobId(7);
        for (second, what) in [
            put_off("This workflow is already running"),
            Happened::Unclear {
                words: "no answer".to_owned(),
            },
            Happened::FoundTaken,
            Happened::FoundNotTaken,
            Happened::Requeued {
                job,
                was: "failed-again".to_owned(),
            },
            Happened::ChanceGiven {
                job,
                renewed: JobId(8),
            },
            Happened::ChanceDenied {
                job,
                why: "passed".to_owned(),
            },
            Happened::Dismissed { job },
        ]
        .into_iter()
        .enumerate()
        {
            notes.add(at(second as i64), what);
        }
        notes.requeued.insert(job);
        notes.dismissed.insert(JobId(9));
        notes.renewed.insert(JobId(8), job);
        let from = RunAttempt::FIRST;
        notes.parked = Some(Parked {
            since: at(20),
            until: at(3_620),
            from,
            jobs: 3,
            limit: 300,
        });
        notes.paid = Some(Paid { from, at: at(10) });
        let stored = serde_json::to_string(&notes).expect("writable");
        insta::assert_snapshot!(stored);
        assert_eq!(
            serde_json::from_str::<Notes>(&stored).expect("readable"),
            notes
        );
        assert_eq!(
            serde_json::from_str::<Notes>("{}").expect("readable"),
            Notes::default()
        );
    }
}
