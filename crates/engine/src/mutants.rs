//! Behaviours broken on purpose, to see whether the simulator's checks bite.
//!
//! Only with the feature `mutants`, which no build for production can have. One at most is chosen for
//! a thread, and a simulation stays in its thread; so every other thread decides as always.

use std::cell::Cell;
use std::fmt;

use jiff::Timestamp;
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::policy::{Reruns, RetryPolicy};

thread_local! {
    static CHOSEN: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Breaks this behaviour, and no other one, in this thread from now on.
pub fn choose(mutant: Option<Mutant>) {
    CHOSEN.set(mutant);
}

/// Whether this behaviour is the one that is broken.
pub fn is_chosen(mutant: Mutant) -> bool {
    CHOSEN.get() == Some(mutant)
}

macro_rules! mutants {
    ($($(#[doc = $about:literal])+ $name:ident = $word:literal,)+) => {
        /// A behaviour that can be broken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            $($(#[doc = $about])+ $name,)+
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// What it does, in a sentence.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($about),+).trim_ascii(),)+
                }
            }
        }
    };
}

mutants! {
    /// Takes a record that was carried over from an earlier attempt for an execution.
    TrustCarriedOver = "trust-carried-over",
    /// Never sweeps.
    NeverSweep = "never-sweep",
    /// Deletes a message before it is dealt with.
    AcknowledgeFirst = "acknowledge-first",
    /// Deletes a message that could not be dealt with.
    DropWhatFailed = "drop-what-failed",
    /// Believes a webhook whoever signed it.
    BelieveAnybody = "believe-anybody",
    /// Takes what reads like an EC2 event for one, also among the webhooks.
    BelieveTheBody = "believe-the-body",
    /// Posts a re-run again when its answer is unclear.
    RepeatBlindly = "repeat-blindly",
    /// Takes an unclear answer to a re-run for a yes.
    TakeUnclearForYes = "take-unclear-for-yes",
    /// Goes on with a record that somebody else has claimed or changed.
    IgnoreLostCommit = "ignore-lost-commit",
    /// Posts a re-run before its order is committed.
    PostFirst = "post-first",
    /// Forgets to look again at a run for which it asked a re-run.
    ForgetWhatWasAsked = "forget-what-was-asked",
    /// Waits for the run's event alone, where a job waits for its run.
    WaitForEventAlone = "wait-for-event-alone",
    /// Takes any failure on spot for an interruption.
    NeedNoEvidence = "need-no-evidence",
    /// Takes the tag's word for an interruption where proof is asked for.
    TakeTheTagsWord = "take-the-tags-word",
    /// Re-runs a job whose label says not to.
    IgnoreOptOut = "ignore-opt-out",
    /// Re-runs a job however often it was re-run before.
    IgnoreTheLimit = "ignore-the-limit",
    /// Re-runs however much was re-run in the hour.
    IgnoreTheBudget = "ignore-the-budget",
    /// Re-runs what failed, whatever its policy.
    RetryAnyFailure = "retry-any-failure",
    /// Takes a failure that is of what was run for one of its surroundings.
    RetryThePermanent = "retry-the-permanent",
    /// Re-runs what an endpoint said not to re-run.
    IgnoreTheEndpoint = "ignore-the-endpoint",
    /// Re-runs jobs of a run that a person cancelled.
    IgnoreCancel = "ignore-cancel",
    /// Re-runs a run although a newer one took its place.
    IgnoreNewerRun = "ignore-newer-run",
    /// Re-runs all that failed where one job was interrupted.
    RerunAllForOne = "rerun-all-for-one",
    /// Leaves the siblings behind that fail-fast cancelled.
    ForgetSiblings = "forget-siblings",
    /// Launches spot instances for later attempts, too.
    SpotForRetries = "spot-for-retries",
    /// Sends another client token with each try of a launch.
    NewTokenEachTry = "new-token-each-try",
    /// Takes the first of the instances that several jobs share, whatever its place.
    TakeTheFirst = "take-the-first",
    /// Takes a launch that somebody holds for one that was answered, and so drops its message.
    ForgetHeldLaunches = "forget-held-launches",
    /// Drops a launch that cannot be had now.
    DropWhatIsPutOff = "drop-what-is-put-off",
    /// Ends an instance whose job still runs.
    EndWhatRuns = "end-what-runs",
    /// Ends an idle instance without taking its runner out of GitHub first.
    EndWithoutWithdrawing = "end-without-withdrawing",
    /// Ends instances whatever stack they belong to.
    IgnoreTheStack = "ignore-the-stack",
    /// Lets a merge queue go on with a run that has ended, whatever retry is due.
    OpenTheGateEarly = "open-the-gate-early",
    /// Makes another check run where the answer to the first was lost.
    ForgetCheckRuns = "forget-check-runs",
    /// Tells nobody how an interrupted job ended.
    ForgetToConclude = "forget-to-conclude",
    /// Believes a runner's name, whatever repository the instance was launched for.
    BelieveTheName = "believe-the-name",
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a mutant takes for the policy of every job.
pub(crate) fn any_failure() -> RetryPolicy {
    RetryPolicy::WhenFailed(Reruns::ONE)
}

/// What a mutant takes for evidence that has none.
pub(crate) fn made_up(now: Timestamp) -> Vec<Evidence> {
    vec![Evidence {
        source: EvidenceSource::StateReason,
        first_seen_at: now,
    }]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn one_mutant_is_chosen_at_a_time() {
        let (one, other) = (Mutant::RepeatBlindly, Mutant::NeverSweep);
        assert!(!is_chosen(one), "none is chosen by itself");
        choose(Some(one));
        assert!(is_chosen(one) && !is_chosen(other));
        assert_eq!(crate::mutant!(RepeatBlindly => "broken", "right"), "broken");
        assert_eq!(crate::mutant!(NeverSweep => "broken", "right"), "right");
        choose(None);
        assert!(!is_chosen(one));
    }

    #[test]
    fn every_mutant_has_a_name_of_its_own_and_a_sentence() {
        let names: BTreeSet<&str> = Mutant::ALL.iter().map(|one| one.name()).collect();
        assert_eq!(names.len(), Mutant::ALL.len());
        assert!(Mutant::ALL.iter().all(|one| one.about().ends_with('.')));
    }
}
