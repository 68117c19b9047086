//! A run whose jobs are to come back is due: read it, decide, ask GitHub at most once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_engine::job::JobVerdict;
use reprise_engine::mutant;
use reprise_engine::pace::Errand;
use reprise_engine::run::{self, Rival, RunDecision, RunFacts, RunStep, Spent, WaitReason};
use reprise_engine::view;
use reprise_model::budget::Budget;
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::ids::{JobId, Repository};
use reprise_model::job::Job;
use reprise_model::ledger::{ClaimKey, RerunAnswer, RerunOrder, RunEntry, RunKey, TrackedJob};
use reprise_model::policy::RetryPolicy;
use reprise_model::run::{CancelCause, Run};
use reprise_store::{Store, StoreError, Versioned};
use tracing::{debug, warn};

use super::report;
#[cfg(feature = "mutants")]
use crate::broken;
use crate::claims::Claimed;
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::intake::attempts::Attempts;
use crate::logging::chain;
use crate::pace::InTurn;
use crate::ports::{GitHub, PortError, Ports, RerunReply};
use crate::records::TRIES;
use crate::together::together;

/// Whether endpoints are asked that policies name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// What they say is written down with what follows.
    Now,
    /// That is done elsewhere, and waited for.
    Not,
}

/// What was read of a run so far.
struct Read {
    run: Run,
    jobs: Option<Vec<Job>>,
    verdicts: BTreeMap<JobId, JobVerdict>,
    causes: BTreeMap<JobId, CancelCause>,
    rival: Rival,
    /// By which unsuccessful jobs are re-run now, where somebody asked for a fresh chance.
    policies: BTreeMap<JobId, RetryPolicy>,
    /// The record of the repository's budget, and how often somebody else was faster to change it.
    budget: Option<Option<Versioned<Budget>>>,
    lost: u32,
}

impl Read {
    fn new(run: Run) -> Self {
        Self {
            run,
            jobs: None,
            verdicts: BTreeMap::new(),
            causes: BTreeMap::new(),
            rival: Rival::Unread,
            policies: BTreeMap::new(),
            budget: None,
            lost: 0,
        }
    }

    fn spent(&self) -> Spent<'_> {
        match &self.budget {
            None => Spent::Unread,
            Some(found) => Spent::Known(found.as_ref().map(|found| &found.record)),
        }
    }
}

impl<P: Ports> Controller<P> {
    /// Reads the run and takes the step that the decision names.
    pub(super) async fn work_on_run(&self, key: &RunKey) -> Result<(), WorkError> {
        let found = self.store.run(key).await?;
        let Some(mut claimed) = self.claim_due(found).await? else {
            return Ok(());
        };
        if Box::pin(self.stays_parked(&claimed)).await? {
            return Ok(());
        }
        let entry = claimed.record.clone();
        let github = self.github_for(Errand::Rerun);
        let reading = github.run(&key.repository, key.run_id);
        let run = match self.while_claimed(&mut claimed, reading).await? {
            Ok(run) => run,
            Err(error) => return self.run_is_unreadable(&claimed, error).await,
        };
        let head = run.head_sha.clone();
        let deciding = Box::pin(self.decided(&entry, run));
        match self.while_claimed(&mut claimed, deciding).await? {
            Ok(decision) => {
                // Before the commit: should it not come to that, there is nothing to tell.
                Box::pin(self.tell_found(&entry, &decision.entry, &head)).await?;
                self.take_step(&claimed, decision).await
            }
            // The run is there, so what it lacks in the details may come yet.
            Err(WorkError::Port(error)) => self.postpone(&claimed, &error).await,
            Err(error) => Err(error),
        }
    }

    /// Reads as much as the decision asks for; its last word.
    async fn decided(&self, entry: &RunEntry, run: Run) -> Result<RunDecision, WorkError> {
        let mut read = Read::new(run);
        loop {
            let decision = self.decide(entry, &read);
            match &decision.step {
                RunStep::ReadJobs => self.read_jobs(entry, &mut read).await?,
                RunStep::ReadCauses(ids) => self.read_causes(&entry.key, &mut read, ids).await?,
                RunStep::ReadRival => self.read_rival(&mut read).await?,
                RunStep::ReadBudget => {
                    read.budget = Some(self.store.budget(&entry.key.repository).await?);
                }
                RunStep::Spend(budget) => Box::pin(self.spend_of(&mut read, budget)).await?,
                RunStep::Wait(_) | RunStep::Done | RunStep::Ask(_) => return Ok(decision),
            }
        }
    }

    /// Spends of the repository's budget, on the version that was read.
    async fn spend_of(&self, read: &mut Read, budget: &Budget) -> Result<(), WorkError> {
        read.lost += 1;
        if read.lost > TRIES {
            let key = format!("budget of {}", budget.repository);
            return Err(StoreError::Conflict { key }.into());
        }
        let found = read.budget.take().flatten();
        read.budget = Some(self.spend(budget, &found).await?);
        Ok(())
    }

    /// Whether a run that waits for its repository's budget goes on waiting. GitHub is asked nothing then.
    async fn stays_parked(&self, claimed: &Claimed<RunEntry>) -> Result<bool, WorkError> {
        let entry = &claimed.record;
        if !run::is_parked(entry) {
            return Ok(false);
        }
        let found = self.store.budget(&entry.key.repository).await?;
        let spent = found.as_ref().map(|found| &found.record);
        let (now, jitter, rules) = (self.now(), self.jitter(), &self.settings.rules);
        let Some(after) = run::still_parked(entry, spent, now, jitter, rules) else {
            return Ok(false);
        };
        self.commit_run(claimed, &after).await?;
        report::waiting(&after, WaitReason::OverBudget);
        Ok(true)
    }

    /// Commits the decision on the claim's version, then does what it says. Whoever has lost the
    /// claim does not get past the commit.
    async fn take_step(
        &self,
        claimed: &Claimed<RunEntry>,
        RunDecision { entry, step }: RunDecision,
    ) -> Result<(), WorkError> {
        mutant!(PostFirst => return self.ask_first(claimed, entry, step).await);
        self.commit_run(claimed, &entry).await?;
        match step {
            RunStep::Wait(why) => report::waiting(&entry, why),
            RunStep::Ask(order) => self.ask(&entry, &order).await?,
            RunStep::Done => report::done(&entry),
            RunStep::ReadJobs
            | RunStep::ReadCauses(_)
            | RunStep::ReadRival
            | RunStep::ReadBudget
            | RunStep::Spend(_) => {}
        }
        // After the POST, which waits for nothing.
        self.retell(&claimed.record, &entry).await;
        Ok(())
    }

    fn decide(&self, entry: &RunEntry, read: &Read) -> RunDecision {
        let facts = RunFacts {
            entry,
            run: &read.run,
            jobs: read.jobs.as_deref(),
            verdicts: &read.verdicts,
            causes: &read.causes,
            rival: read.rival,
            policies: &read.policies,
            spent: read.spent(),
        };
        run::decide(&facts, self.now(), self.jitter(), &self.settings.rules)
    }

    /// The one POST. Its order is committed already; whatever happens to the answer, the run is
    /// read before anything is repeated.
    async fn ask(&self, asked: &RunEntry, order: &RerunOrder) -> Result<(), WorkError> {
        let post = self.post(asked, order);
        let reply = mutant!(RepeatBlindly => self.post_twice(asked, order).await, post.await);
        self.take_answer(asked, order, reply).await
    }

    /// Keeps GitHub's answer to a re-run.
    pub(crate) async fn take_answer(
        &self,
        asked: &RunEntry,
        order: &RerunOrder,
        reply: RerunReply,
    ) -> Result<(), WorkError> {
        let key = &asked.key;
        self.metrics.rerun(
            report::target_word(order.target),
            report::answer_word(&reply.answer),
        );
        report::rerun(key, order, &reply);
        let (now, jitter) = (self.now(), self.jitter());
        let answered = self
            .change_run(key, |entry| {
                let entry = entry.filter(|entry| is_last(entry, asked))?;
                let answer =
                    mutant!(TakeUnclearForYes => broken::as_yes(&reply), reply.answer.clone());
                let after = run::answered(entry.clone(), answer, reply.retry_after, now, jitter);
                let is_news = after != *entry;
                is_news.then(|| run::noted(after, &reply.answer, &reply.detail, now))
            })
            .await?;
        if let Some(entry) = answered {
            self.report_changes(asked, &entry).await;
            self.retell(asked, &entry).await;
        }
        Ok(())
    }

    pub(crate) async fn post(&self, asked: &RunEntry, order: &RerunOrder) -> RerunReply {
        let (key, limit) = (&asked.key, self.settings.rules.post_within());
        let github = self.github_for(Errand::Rerun);
        let written_at = asked
            .reruns
            .last()
            .map_or(self.now(), |last| last.decided_at);
        let over_at = written_at.saturating_add(limit).unwrap_or(Timestamp::MAX);
        tokio::select! {
            // The limit first: where the commit took so long, the POST is not begun at all.
            biased;
            () = self.clock.sleep_until(over_at) => unanswered(limit),
            reply = github.rerun(&key.repository, key.run_id, order.target) => reply,
        }
    }

    /// GitHub does not show the run: later, or never where its no is final.
    async fn run_is_unreadable(
        &self,
        claimed: &Claimed<RunEntry>,
        error: PortError,
    ) -> Result<(), WorkError> {
        let Some(refusal) = error.refusal() else {
            return self.postpone(claimed, &error).await;
        };
        complain(&claimed.record, &error);
        let entry = run::refused(claimed.record.clone(), refusal, self.now(), self.jitter());
        self.commit_run(claimed, &entry).await?;
        self.retell(&claimed.record, &entry).await;
        Ok(())
    }

    async fn postpone(
        &self,
        claimed: &Claimed<RunEntry>,
        error: &PortError,
    ) -> Result<(), WorkError> {
        complain(&claimed.record, error);
        let (now, jitter) = (self.now(), self.jitter());
        let entry = run::postponed(claimed.record.clone(), error.retry_after, now, jitter);
        self.commit_run(claimed, &entry).await
    }

    pub(crate) async fn commit_run(
        &self,
        claimed: &Claimed<RunEntry>,
        entry: &RunEntry,
    ) -> Result<(), WorkError> {
        self.conclude_claim(claimed, entry.clone()).await?;
        self.report_changes(&claimed.record, entry).await;
        Ok(())
    }

    async fn report_changes(&self, before: &RunEntry, after: &RunEntry) {
        if let (None, Some(parked)) = (before.notes.parked, after.notes.parked) {
            for job in run::awaiting(after) {
                self.metrics
                    .parked(&after.key.repository, job.instance.as_ref());
            }
            report::parked(&after.key, &parked);
        }
        for ((id, job), reason) in report::settled_since(before, after) {
            self.metrics.verdict(reason.as_str());
            report::settled(&after.key, (id, job), reason);
            let shown = view::retry(after, id, job, self.now());
            let seen = job.evidence.iter().map(|one| one.first_seen_at);
            let began = seen.chain(job.execution.completed_at).min();
            let seconds = began.map(|began| self.now().duration_since(began).as_secs().max(0));
            let host = job.instance.as_ref();
            self.metrics.retry_ended(&shown, host, seconds);
            let is_renewed = after.notes.renewed.contains_key(&id);
            if !is_renewed && self.is_unverified(job).await {
                self.metrics.unverified(&after.key.repository, host);
            }
        }
    }

    /// Whether nothing but the agent's tag shows the interruption, also of what came later.
    async fn is_unverified(&self, job: &TrackedJob) -> bool {
        let is_tag = |one: &Evidence| one.source == EvidenceSource::Tag;
        if job.evidence.is_empty() || !job.evidence.iter().all(is_tag) {
            return false;
        }
        let Some(instance) = &job.instance else {
            return false;
        };
        // Boxed: few jobs need it, and every run would pay for its size.
        match Box::pin(self.store.instance(instance)).await {
            Ok(found) => found.is_none_or(|found| found.record.evidence.iter().all(is_tag)),
            // A number is not worth more than that.
            Err(_) => false,
        }
    }

    /// All jobs of the current attempt, and the verdict on each unsuccessful one that the ledger
    /// does not know.
    async fn read_jobs(&self, entry: &RunEntry, read: &mut Read) -> Result<(), WorkError> {
        let repository = &entry.key.repository;
        let mut attempts = Attempts::new(self.github_for(Errand::Rerun), entry.key.clone());
        let jobs = attempts.jobs(read.run.run_attempt).await?.to_vec();
        let is_known = |id| entry.jobs.contains_key(&id);
        read.verdicts = self
            .verdicts_on(repository, &jobs, (is_known, Asks::Now), &mut attempts)
            .await?;
        if !entry.notes.requeued.is_empty() {
            read.policies = self.present_policies(repository, &jobs);
        }
        read.jobs = Some(jobs);
        Ok(())
    }

    /// A repository that is not served any more re-runs nothing.
    fn present_policies(
        &self,
        repository: &Repository,
        jobs: &[Job],
    ) -> BTreeMap<JobId, RetryPolicy> {
        let policy = |job: &Job| match self.allows(repository) {
            true => self.policy_of(repository, job).retry,
            false => RetryPolicy::Never,
        };
        let unsuccessful = jobs.iter().filter(|job| job.is_unsuccessful());
        unsuccessful.map(|job| (job.id, policy(job))).collect()
    }

    /// The verdict on each unsuccessful job that is not known. Their hosts are looked at together: one call
    /// to EC2 answers for all. So are their endpoints asked: none waits for another one's silence.
    pub(super) async fn verdicts_on(
        &self,
        repository: &Repository,
        jobs: &[Job],
        (is_known, asks): (impl Fn(JobId) -> bool, Asks),
        attempts: &mut Attempts<InTurn<'_, P>>,
    ) -> Result<BTreeMap<JobId, JobVerdict>, WorkError> {
        let unknown: Vec<&Job> = jobs
            .iter()
            .filter(|job| job.is_unsuccessful() && !is_known(job.id))
            .collect();
        let looks = together(unknown.iter().map(|job| self.look(repository, job))).await;
        let (mut verdicts, mut unasked) = (BTreeMap::new(), Vec::new());
        for (job, look) in unknown.into_iter().zip(looks) {
            let concluded = self.conclude_unasked(repository, job, look?, attempts);
            let concluded = concluded.await?;
            if asks == Asks::Now && matches!(concluded.verdict, JobVerdict::Ask(_)) {
                unasked.push((job, concluded));
            } else {
                verdicts.insert(job.id, concluded.verdict);
            }
        }
        let asking = unasked.into_iter().map(async |(job, concluded)| {
            let verdict = self.advised(repository, job, concluded).await;
            (job.id, verdict)
        });
        for (id, verdict) in together(asking).await {
            verdicts.insert(id, verdict?);
        }
        Ok(verdicts)
    }

    async fn read_causes(
        &self,
        key: &RunKey,
        read: &mut Read,
        ids: &[JobId],
    ) -> Result<(), WorkError> {
        let github = self.github_for(Errand::Rerun);
        let jobs = read.jobs.as_deref().unwrap_or_default();
        for id in ids {
            let check_run = jobs
                .iter()
                .find(|job| job.id == *id)
                .and_then(|job| job.check_run);
            let cause = match check_run {
                Some(check_run) => github.cancel_cause(&key.repository, check_run).await?,
                None => CancelCause::Unreadable,
            };
            read.causes.insert(*id, cause);
        }
        // Boxed: few runs were cancelled, and all would pay for its size.
        Box::pin(self.tell_our_own_cancel(key, read)).await
    }

    /// GitHub names the App as it names a person; the ledger tells which cancel was ours.
    async fn tell_our_own_cancel(&self, key: &RunKey, read: &mut Read) -> Result<(), WorkError> {
        let jobs = read.jobs.as_deref().unwrap_or_default();
        let mut claims = Vec::new();
        for job in run::may_tell(&read.run, jobs, &read.causes) {
            let key = ClaimKey {
                repository: key.repository.clone(),
                job_id: job.id,
            };
            let claim = self.store.claim(&key).await?;
            claims.extend(claim.map(|claim| claim.record));
        }
        read.causes = run::told_ours(&read.run, &claims, std::mem::take(&mut read.causes));
        Ok(())
    }

    async fn read_rival(&self, read: &mut Read) -> Result<(), WorkError> {
        read.rival = match self.github_for(Errand::Rerun).rival_run(&read.run).await? {
            Some(run) => Rival::Run(run),
            None => Rival::No,
        };
        Ok(())
    }
}

/// Whether the record's last re-run is still the one that was asked for.
fn is_last(entry: &RunEntry, asked: &RunEntry) -> bool {
    let named = |entry: &RunEntry| {
        entry
            .reruns
            .last()
            .map(|last| (entry.reruns.len(), last.decided_at, last.order.clone()))
    };
    named(entry) == named(asked)
}

fn unanswered(limit: SignedDuration) -> RerunReply {
    RerunReply {
        answer: RerunAnswer::Unclear,
        retry_after: None,
        detail: format!("no answer came within {limit:#}"),
    }
}

fn complain(entry: &RunEntry, error: &PortError) {
    // Many runs meet the same limit, of which one line tells.
    if error.is_throttled() {
        debug!(
            error = %chain(error),
            repository = %entry.key.repository,
            run.id = %entry.key.run_id,
            "GitHub is not asked about a run now, to keep within its limits"
        );
        return;
    }
    warn!(
        error = %chain(error),
        repository = %entry.key.repository,
        run.id = %entry.key.run_id,
        "failed to read a run whose jobs are to come back"
    );
}
