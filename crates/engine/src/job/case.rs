//! A completed job whose host was looked for: the rows of the table, in order.

use jiff::{SignedDuration, Timestamp};
use reprise_model::advice::Advice;
use reprise_model::evidence::{Evidence, borne_by, told_by};
use reprise_model::instance::{Capacity, Instance, InstanceView};
use reprise_model::ledger::{InstanceEntry, Why};
use reprise_model::policy::{EvidenceRule, RetryPolicy};
use reprise_model::reason::{IgnoreReason, Refusal, SettleReason};

use super::advised::{self, Word};
use super::{
    Earlier, FleetRule, Grounds, JobFacts, JobVerdict, asks_for_runner, earliest_of_each,
    is_ending, is_mere_claim, passed, settled,
};
use crate::backoff::after;
use crate::mutant;
use crate::rules::Rules;

/// A completed job whose host was looked for.
pub(super) struct Case<'a> {
    pub(super) facts: &'a JobFacts<'a>,
    pub(super) seen: Option<&'a InstanceView>,
    pub(super) remembered: Option<&'a InstanceEntry>,
    pub(super) rules: &'a Rules,
    pub(super) now: Timestamp,
}

impl Case<'_> {
    pub(super) fn verdict(&self) -> JobVerdict {
        if self.bears_no_tag_of_ours() {
            return JobVerdict::Ignore(IgnoreReason::NotOurStack);
        }
        if self.was_launched_for_another_repository() {
            return JobVerdict::Ignore(IgnoreReason::OtherRepository);
        }
        if self.facts.is_carried_over() {
            return JobVerdict::Ignore(IgnoreReason::CarriedOver);
        }
        if passed(self.facts.job) {
            return self.succeeded();
        }
        if self.facts.must_read_earlier() {
            return JobVerdict::ReadEarlier;
        }
        if self.ran_on_demand() {
            return settled(SettleReason::NotSpot, self.to_end(), self.ran_on());
        }
        if let Earlier::Unreadable(refusal) = self.facts.earlier {
            return self.refused(refusal);
        }
        let evidence = self.evidence();
        match self.ran_on() {
            Some(instance) if self.is_enough(&evidence) => self.interrupted(instance, evidence),
            Some(_) => self.unexplained(&evidence),
            None => self.unexplained(&[]),
        }
    }

    /// Whether the tag alone, which the job may have set itself, speaks for an interruption, and that is
    /// not enough.
    pub(super) fn lacks_proof(&self) -> bool {
        let may_come_back = !passed(self.facts.job) && !self.ran_on_demand();
        let evidence = self.evidence();
        may_come_back && !evidence.is_empty() && !self.is_enough(&evidence)
    }

    fn is_enough(&self, evidence: &[Evidence]) -> bool {
        mutant!(TakeTheTagsWord => return !evidence.is_empty());
        match self.rules.evidence {
            EvidenceRule::Claim => !evidence.is_empty(),
            EvidenceRule::Proof => !is_mere_claim(evidence),
        }
    }

    /// A job may pass although EC2 gave notice; then EC2 ends the instance. The tag alone does not
    /// keep us from ending it: a job can set it on its own instance to live on.
    fn succeeded(&self) -> JobVerdict {
        let evidence = self.evidence();
        if is_mere_claim(&evidence) {
            return settled(SettleReason::Succeeded, self.to_end(), self.ran_on());
        }
        JobVerdict::Settle {
            reason: SettleReason::Succeeded,
            end: None,
            ran_on: self.ran_on(),
            evidence,
            given_up: None,
        }
    }

    /// A run that GitHub does not show is not re-run either, whatever evidence may still come. How
    /// often the job was executed cannot be told, and need not be.
    fn refused(&self, refusal: &Refusal) -> JobVerdict {
        let evidence = self.evidence();
        JobVerdict::Settle {
            reason: SettleReason::Refused(refusal.clone()),
            end: self.to_end().filter(|_| is_mere_claim(&evidence)),
            ran_on: self.ran_on(),
            evidence,
            given_up: None,
        }
    }

    fn interrupted(&self, instance: Instance, evidence: Vec<Evidence>) -> JobVerdict {
        let policy = mutant!(IgnoreOptOut => RetryPolicy::USUAL, advised::holding(self.facts));
        let refused = if policy == RetryPolicy::Never {
            Some(SettleReason::OptedOut)
        } else if self.is_past_the_limit(policy) {
            Some(SettleReason::AttemptLimit)
        } else {
            match advised::word(self.facts, policy) {
                Word::Go => None,
                Word::Stop => Some(SettleReason::EndpointSaidNo),
                Word::Ask(endpoint) => {
                    let known = (evidence.as_slice(), self.execution_number());
                    let question = advised::question(self.facts, endpoint, known, None);
                    return JobVerdict::Ask(Box::new(question));
                }
            }
        };
        let advice = self.facts.advice.cloned();
        match refused {
            Some(reason) => JobVerdict::Settle {
                given_up: (reason != SettleReason::OptedOut)
                    .then(|| Box::new(grounds(policy, &instance, &evidence, advice))),
                reason,
                end: self.to_end().filter(|_| is_mere_claim(&evidence)),
                ran_on: Some(instance),
                evidence,
            },
            None => JobVerdict::Await {
                instance,
                evidence,
                policy,
                advice,
            },
        }
    }

    fn is_past_the_limit(&self, policy: RetryPolicy) -> bool {
        mutant!(IgnoreTheLimit => return false);
        self.execution_number() > policy.last_retried_execution()
    }

    /// Evidence that is not enough is waited for longer than any at all: EC2 may yet take the instance.
    fn unexplained(&self, evidence: &[Evidence]) -> JobVerdict {
        let is_claimed = !evidence.is_empty();
        let window = match is_claimed {
            true => self.rules.look_window.max(self.rules.proof_window),
            false => self.rules.look_window,
        };
        let until = after(self.window_begins(), window);
        if self.now < until {
            let at = after(self.now, self.pause_of_looks()).min(until);
            return JobVerdict::LookAgain { at, until };
        }
        let reason = match (is_claimed, self.seen) {
            (true, _) => SettleReason::Uncorroborated,
            (false, Some(_)) => SettleReason::NotInterrupted,
            (false, None) => SettleReason::EvidenceExpired,
        };
        settled(reason, self.to_end(), self.ran_on())
    }

    /// Whatever shows up was mostly there before the job ended: the longer nothing has, the rarer it is
    /// looked for.
    fn pause_of_looks(&self) -> SignedDuration {
        let so_far = self.now.duration_since(self.window_begins());
        so_far.max(self.rules.look_again_after)
    }

    /// GitHub always says when a job ended. Should it once not, an earlier time of the job ends
    /// the window sooner; `now` would move it on for ever.
    fn window_begins(&self) -> Timestamp {
        let job = self.facts.job;
        job.completed_at
            .or(job.started_at)
            .or(job.created_at)
            .unwrap_or(Timestamp::MIN)
    }

    fn bears_no_tag_of_ours(&self) -> bool {
        match (self.facts.fleet, self.seen) {
            (FleetRule::Ours { stack }, Some(view)) => {
                mutant!(IgnoreTheStack => return false);
                view.tags.get(&self.rules.tags.stack()).map(String::as_str) != Some(stack)
            }
            (FleetRule::Ours { .. }, None) | (FleetRule::Foreign, _) => false,
        }
    }

    /// A runner may be called anything: one that bears the name of another repository's instance
    /// must neither end that instance nor speak of it, unless it is the very runner that we made for
    /// it: those of an organisation serve all its repositories. An instance launched before there was such
    /// a tag, or one of another fleet's, tells of no repository.
    fn was_launched_for_another_repository(&self) -> bool {
        let tagged = match (self.facts.fleet, self.seen) {
            (FleetRule::Ours { .. }, Some(view)) => {
                mutant!(BelieveTheName => return false);
                view.tags.get(&self.rules.tags.repository())
            }
            (FleetRule::Ours { .. }, None) | (FleetRule::Foreign, _) => None,
        };
        tagged.is_some_and(|tag| tag.parse().as_ref() != Ok(self.facts.repository))
            && !self.ran_on_the_runner_that_we_made()
    }

    /// A job can give its runner any name, but not another one's number. The name of ours holds a random
    /// number as well.
    fn ran_on_the_runner_that_we_made(&self) -> bool {
        let Self { facts, seen, .. } = self;
        let Some(view) = seen else { return false };
        let rules = self.rules;
        asks_for_runner(facts.job, facts.repository, view, facts.fleet, rules)
            && facts.runner.is_some_and(|runner| {
                facts.job.runner_id == Some(runner.id)
                    && facts.job.runner_name.as_ref() == Some(&runner.name)
            })
    }

    fn ran_on_demand(&self) -> bool {
        self.seen
            .is_some_and(|view| view.capacity == Capacity::OnDemand)
    }

    /// Counted from 1. A record without a runner, as of a job that was skipped, is none.
    fn execution_number(&self) -> u32 {
        let before = match self.facts.earlier {
            Earlier::Read(earlier) if self.facts.is_later_attempt() => earlier
                .iter()
                .filter(|execution| execution.runner_name.is_some())
                .count(),
            Earlier::Read(_) | Earlier::Unread | Earlier::Unreadable(_) => 0,
        };
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Each source's earliest word, of those that count for this job. The earliest is taken
    /// first: a tag that was on the instance before the job began is still there after its end,
    /// and stays void.
    fn evidence(&self) -> Vec<Evidence> {
        let stored = self
            .remembered
            .map(|entry| entry.evidence.clone())
            .unwrap_or_default();
        let borne = self
            .seen
            .map(|view| borne_by(view, &self.rules.tags, self.now))
            .unwrap_or_default();
        let job = self.facts.job;
        let told = self
            .facts
            .spot_request
            .and_then(|status| told_by(status, job.completed_at, self.now));
        mutant!(NeedNoEvidence => return crate::mutants::made_up(self.now));
        earliest_of_each(stored.into_iter().chain(borne).chain(told))
            .into_iter()
            .filter(|one| one.counts_for(job.started_at, job.completed_at))
            .collect()
    }

    fn ran_on(&self) -> Option<Instance> {
        self.seen
            .map(|view| &view.instance)
            .or(self.remembered.map(|entry| &entry.instance))
            .cloned()
    }

    /// Its instance, if the fleet is ours and EC2 still runs it. Whether it bears our tag was
    /// asked before anything else.
    fn to_end(&self) -> Option<Instance> {
        match (self.facts.fleet, self.seen) {
            (FleetRule::Ours { .. }, Some(view)) if !is_ending(view.state) => {
                Some(view.instance.clone())
            }
            (FleetRule::Ours { .. } | FleetRule::Foreign, _) => None,
        }
    }
}

pub(super) fn grounds(
    policy: RetryPolicy,
    instance: &Instance,
    evidence: &[Evidence],
    advice: Option<Advice>,
) -> Grounds {
    Grounds {
        why: Why::Interrupted,
        policy,
        instance: Some(instance.clone()),
        evidence: evidence.to_vec(),
        told: None,
        advice,
        pause: SignedDuration::ZERO,
    }
}

impl JobFacts<'_> {
    /// Whether its record shows an execution of an earlier attempt.
    pub(super) fn is_carried_over(&self) -> bool {
        match self.earlier {
            Earlier::Read(earlier) => {
                self.is_later_attempt() && earlier.contains(&self.job.execution())
            }
            Earlier::Unread | Earlier::Unreadable(_) => {
                self.is_later_attempt() && self.ended_before_its_record_was_made()
            }
        }
    }

    /// A carried-over record is made anew with the times of the old execution, so this shows one
    /// for certain, without a read; the opposite shows nothing.
    fn ended_before_its_record_was_made(&self) -> bool {
        let job = self.job;
        match (job.completed_at, job.created_at) {
            (Some(completed), Some(created)) => completed < created,
            (Some(_) | None, _) => false,
        }
    }

    /// Whether nothing can be told before the earlier attempts are read.
    pub(super) fn must_read_earlier(&self) -> bool {
        match self.earlier {
            Earlier::Unread => self.is_later_attempt(),
            Earlier::Read(_) | Earlier::Unreadable(_) => false,
        }
    }

    fn is_later_attempt(&self) -> bool {
        mutant!(TrustCarriedOver => false, !self.job.run_attempt.is_first())
    }
}
