//! GitHub: runs whose re-runs clone every job, and which refuse a re-run while they are active.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reprise_controller::ports::{
    ChangeReply, GitHub, PortError, PortErrorKind, RedeliveryReply, RerunReply,
};
use reprise_model::check::{CheckRunOrder, CheckRunSeen};
use reprise_model::delivery::{HookAttempt, HookEvent, HookPage, RedeliveryAnswer};
use reprise_model::ending::ChangeAnswer;
use reprise_model::failure::{FailureFacts, JobLog, Step};
use reprise_model::ids::{
    CheckRunId, DeliveryId, HookAttemptId, HookCursor, JobId, Repository, RunAttempt, RunId, Sha,
};
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::ledger::{RerunAnswer, RerunTarget};
use reprise_model::run::{CancelCause, Run, RunStatus};

use super::samples::{a_run, repository};
use super::{failure, passing, takes};

/// What is added to a job's id with each attempt.
const NEXT_ATTEMPT: u64 = 1_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct FakeGitHub(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    runs: BTreeMap<RunId, FakeRun>,
    accepted: Vec<RerunTarget>,
    posts: u32,
    jobs_reads: u32,
    run_reads: u32,
    /// Requests, each page of a list being one.
    requests: usize,
    reads_take: Duration,
    reads: Option<Fault>,
    next_post: Option<PostFault>,
    /// The oldest first.
    attempts: Vec<HookAttempt>,
    hook_reads: u32,
    address_is_down: bool,
    redelivered: Vec<DeliveryId>,
    checks: Vec<(CheckRunId, CheckRunOrder)>,
    check_posts: u32,
    cancelled: Vec<RunId>,
    next_changes: VecDeque<ChangeFault>,
    may_not_check: bool,
    logs: BTreeMap<JobId, String>,
    failure_reads: u32,
}

#[derive(Debug)]
struct FakeRun {
    attempts: Vec<Vec<Job>>,
    active: bool,
    is_cancelled: bool,
    listed: usize,
}

/// What reads of runs and jobs answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    Down,
    RateLimited(SignedDuration),
    Gone,
}

/// What happens to the next re-run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostFault {
    /// 500, and nothing was done.
    Lost,
    /// 500, though it was done.
    Done,
    /// 403, although the run shows as completed: GitHub's parts disagree for a while.
    StillRunning,
    /// No answer ever comes, and nothing was done.
    Hangs,
    /// No answer ever comes, though it was done.
    DoneAndHangs,
}

/// What happens to the next check run or cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeFault {
    /// 500, and nothing was done.
    Lost,
    /// 500, though it was done.
    Done,
}

impl FakeGitHub {
    /// The check runs that there are.
    pub(crate) fn checks(&self) -> Vec<CheckRunOrder> {
        let state = self.lock();
        state
            .checks
            .iter()
            .map(|(_, order)| order.clone())
            .collect()
    }

    /// How often a check run was to be written, whatever became of it.
    pub(crate) fn check_posts(&self) -> u32 {
        self.lock().check_posts
    }

    /// A run as it is shown now.
    pub(crate) fn shown(&self, run: RunId) -> Option<Run> {
        let state = self.lock();
        state
            .runs
            .contains_key(&run)
            .then(|| state.show(run).ok())?
    }

    /// The runs that were cancelled.
    pub(crate) fn cancelled(&self) -> Vec<RunId> {
        self.lock().cancelled.clone()
    }

    /// The App lacks the permission for check runs.
    pub(crate) fn may_not_check(&self) {
        self.lock().may_not_check = true;
    }

    pub(crate) fn fail_next_changes(&self, faults: &[ChangeFault]) {
        self.lock().next_changes = faults.iter().copied().collect();
    }

    /// A job printed this in the step that failed.
    pub(crate) fn printed(&self, job: JobId, log: &str) {
        self.lock().logs.insert(job, log.to_owned());
    }

    /// How often it was read why a job failed.
    pub(crate) fn failure_reads(&self) -> u32 {
        self.lock().failure_reads
    }

    /// A run that is under way, with these jobs in its first attempt.
    pub(crate) fn begin(&self, jobs: &[Job]) {
        let run = jobs.first().expect("a job").run_id;
        let fake = FakeRun {
            attempts: vec![jobs.to_vec()],
            active: true,
            is_cancelled: false,
            listed: usize::MAX,
        };
        self.lock().runs.insert(run, fake);
    }

    /// Replaces a job's record in the latest attempt.
    pub(crate) fn put(&self, job: &Job) {
        let mut state = self.lock();
        let run = state.runs.get_mut(&job.run_id).expect("it is there");
        let jobs = run.attempts.last_mut().expect("an attempt");
        let known = jobs.iter_mut().find(|known| known.id == job.id);
        *known.expect("it is there") = job.clone();
    }

    pub(crate) fn complete(&self, run: RunId) {
        self.lock().runs.get_mut(&run).expect("it is there").active = false;
    }

    /// Only so many jobs of the latest attempt are listed yet.
    pub(crate) fn list_only(&self, run: RunId, jobs: usize) {
        self.lock().runs.get_mut(&run).expect("it is there").listed = jobs;
    }

    pub(crate) fn fail_reads(&self, fault: Option<Fault>) {
        self.lock().reads = fault;
    }

    /// A webhook could not be delivered.
    pub(crate) fn webhook_failed(&self, name: &str, event: HookEvent, at: Timestamp) {
        self.lock()
            .attempt(DeliveryId::new(name), event, at, false, false);
    }

    /// The webhook's address takes nothing, or everything again. Something just showed that.
    pub(crate) fn address_is_down(&self, down: bool, at: Timestamp) {
        let mut state = self.lock();
        state.address_is_down = down;
        let other = DeliveryId::new("of no matter");
        state.attempt(other, HookEvent::Other, at, false, !down);
    }

    /// What was delivered again, whether it arrived or not.
    pub(crate) fn redelivered(&self) -> Vec<String> {
        let state = self.lock();
        state.redelivered.iter().map(ToString::to_string).collect()
    }

    /// How often the list of webhook deliveries was read.
    pub(crate) fn hook_reads(&self) -> u32 {
        self.lock().hook_reads
    }

    pub(crate) fn fail_next_post(&self, fault: PostFault) {
        self.lock().next_post = Some(fault);
    }

    /// A re-run whose POST nobody heard an answer to takes place after all.
    pub(crate) fn rerun_now(&self, run: RunId, target: RerunTarget) {
        let reply = self.lock().rerun(run, target);
        assert_eq!(reply.answer, RerunAnswer::Accepted);
    }

    /// The re-runs that took place.
    pub(crate) fn accepted(&self) -> Vec<RerunTarget> {
        self.lock().accepted.clone()
    }

    /// How many re-runs were asked for, whatever became of them.
    pub(crate) fn posts(&self) -> u32 {
        self.lock().posts
    }

    /// How long it takes until the answer to a read of a run or its jobs arrives. It tells of the
    /// moment at which it was asked for.
    pub(crate) fn reads_take(&self, time: Duration) {
        self.lock().reads_take = time;
    }

    /// How often a run was read.
    pub(crate) fn run_reads(&self) -> u32 {
        self.lock().run_reads
    }

    /// How often a list of jobs was read.
    pub(crate) fn jobs_reads(&self) -> u32 {
        self.lock().jobs_reads
    }

    /// How many requests all that took: each page of a list is one.
    pub(crate) fn requests(&self) -> usize {
        self.lock().requests
    }

    /// The jobs of the latest attempt.
    pub(crate) fn latest(&self, run: RunId) -> Vec<Job> {
        let state = self.lock();
        state.runs[&run]
            .attempts
            .last()
            .expect("an attempt")
            .clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

impl State {
    fn attempt(
        &mut self,
        delivery: DeliveryId,
        event: HookEvent,
        at: Timestamp,
        redelivery: bool,
        arrived: bool,
    ) {
        let id = u64::try_from(self.attempts.len()).expect("few") + 1;
        self.attempts.push(HookAttempt {
            id: HookAttemptId(id),
            delivery,
            at,
            redelivery,
            arrived,
            event,
        });
    }

    fn may_read(&self, operation: &'static str) -> Result<(), PortError> {
        let kind = PortErrorKind::Passing;
        match self.reads {
            None => Ok(()),
            Some(Fault::Down) => Err(passing(operation)),
            Some(Fault::RateLimited(pause)) => Err(failure(operation, kind, Some(pause))),
            Some(Fault::Gone) => Err(failure(operation, PortErrorKind::NotFound, None)),
        }
    }

    fn show(&self, run: RunId) -> Result<Run, PortError> {
        self.may_read("read a run")?;
        let fake = &self.runs[&run];
        let attempt = u32::try_from(fake.attempts.len())
            .ok()
            .and_then(RunAttempt::new);
        Ok(Run {
            run_attempt: attempt.expect("not none"),
            status: if fake.active {
                RunStatus::InProgress
            } else {
                RunStatus::Completed
            },
            conclusion: (!fake.active).then(|| conclusion(fake)),
            event: event(fake).to_owned(),
            head_branch: branch(fake),
            ..a_run(run, started(fake))
        })
    }

    fn list(&self, run: RunId, attempt: RunAttempt) -> Result<Vec<Job>, PortError> {
        self.may_read("read the jobs of a run")?;
        let Some(fake) = self.runs.get(&run) else {
            let kind = PortErrorKind::NotFound;
            return Err(failure("read the jobs of a run", kind, None));
        };
        let index = usize::try_from(attempt.get()).expect("small") - 1;
        let latest = index + 1 == fake.attempts.len();
        let listed = if latest { fake.listed } else { usize::MAX };
        Ok(fake.attempts[index].iter().take(listed).cloned().collect())
    }

    fn rerun(&mut self, run: RunId, target: RerunTarget) -> RerunReply {
        let Some(fake) = self.runs.get_mut(&run) else {
            return reply(RerunAnswer::Unclear);
        };
        if fake.active {
            return reply(RerunAnswer::NotNow);
        }
        let next = fake.next_attempt(target);
        fake.attempts.push(next);
        fake.active = true;
        self.accepted.push(target);
        reply(RerunAnswer::Accepted)
    }
}

impl FakeRun {
    fn next_attempt(&self, target: RerunTarget) -> Vec<Job> {
        let before = self.attempts.last().expect("an attempt");
        let attempt = before.first().expect("a job").run_attempt.next();
        before
            .iter()
            .map(|job| {
                let again = match target {
                    RerunTarget::Job(id) => job.id == id,
                    RerunTarget::FailedJobs => job.is_unsuccessful(),
                };
                let carried_over = Job {
                    id: JobId(job.id.0 + NEXT_ATTEMPT),
                    run_attempt: attempt,
                    ..job.clone()
                };
                if again {
                    queued(carried_over)
                } else {
                    carried_over
                }
            })
            .collect()
    }
}

/// The pages of a list: also an empty one, and one that a full page leads to, is asked for.
fn pages(listed: usize) -> usize {
    listed / 100 + 1
}

fn queued(job: Job) -> Job {
    Job {
        status: JobStatus::Queued,
        conclusion: None,
        runner_name: None,
        started_at: None,
        completed_at: None,
        ..job
    }
}

impl GitHub for FakeGitHub {
    async fn run(&self, _: &Repository, run: RunId) -> Result<Run, PortError> {
        let (answer, time) = {
            let mut state = self.lock();
            state.run_reads += 1;
            state.requests += 1;
            (state.show(run), state.reads_take)
        };
        takes(time).await;
        answer
    }

    async fn jobs(
        &self,
        _: &Repository,
        run: RunId,
        attempt: RunAttempt,
    ) -> Result<Vec<Job>, PortError> {
        let (answer, time) = {
            let mut state = self.lock();
            state.jobs_reads += 1;
            let jobs = state.list(run, attempt);
            state.requests += pages(jobs.as_ref().map_or(0, Vec::len));
            (jobs, state.reads_take)
        };
        takes(time).await;
        answer
    }

    async fn rerun(&self, _: &Repository, run: RunId, target: RerunTarget) -> RerunReply {
        tokio::task::yield_now().await;
        let fault = {
            let mut state = self.lock();
            state.posts += 1;
            state.next_post.take()
        };
        match fault {
            None => self.lock().rerun(run, target),
            Some(PostFault::Lost) => reply(RerunAnswer::Unclear),
            Some(PostFault::Done) => RerunReply {
                answer: RerunAnswer::Unclear,
                ..self.lock().rerun(run, target)
            },
            Some(PostFault::StillRunning) => reply(RerunAnswer::NotNow),
            Some(PostFault::Hangs) => std::future::pending().await,
            Some(PostFault::DoneAndHangs) => {
                self.lock().rerun(run, target);
                std::future::pending().await
            }
        }
    }

    async fn cancel_cause(&self, _: &Repository, _: CheckRunId) -> Result<CancelCause, PortError> {
        Ok(CancelCause::Unreadable)
    }

    async fn failure_facts(&self, _: &Repository, job: &Job) -> Result<FailureFacts, PortError> {
        let mut state = self.lock();
        state.failure_reads += 1;
        state.may_read("read why a job failed")?;
        let time = job.completed_at.expect("it has ended");
        let time = time.strftime("%Y-%m-%dT%H:%M:%S.%7fZ").to_string();
        let log = state.logs.get(&job.id).map(|log| {
            let lines = log.lines().map(|line| format!("{time} {line}\n"));
            lines.collect::<String>().into_bytes()
        });
        let step = Step {
            name: "Run make".to_owned(),
            status: JobStatus::Completed,
            conclusion: job.conclusion.clone(),
            started_at: job.started_at,
            completed_at: job.completed_at,
        };
        Ok(FailureFacts {
            conclusion: job.conclusion.clone(),
            steps: vec![step],
            annotations: None,
            log: log.map_or(JobLog::Missing, JobLog::End),
        })
    }

    async fn rival_run(&self, run: &Run) -> Result<Option<RunId>, PortError> {
        assert_eq!(run.repository, repository());
        Ok(None)
    }

    async fn check_runs(
        &self,
        _: &Repository,
        head: &Sha,
        name: &str,
    ) -> Result<Vec<CheckRunSeen>, PortError> {
        let mut state = self.lock();
        state.requests += pages(state.checks.len());
        state.may_read("list check runs")?;
        if state.may_not_check {
            return Err(failure("list check runs", PortErrorKind::Denied, None));
        }
        let here = state
            .checks
            .iter()
            .filter(|(_, order)| order.head == *head && order.name == name);
        Ok(here
            .map(|(id, order)| CheckRunSeen {
                id: *id,
                external_id: Some(order.external_id.clone()),
                text: Some(order.text.clone()),
            })
            .collect())
    }

    async fn write_check_run(
        &self,
        _: &Repository,
        known: Option<CheckRunId>,
        order: &CheckRunOrder,
    ) -> ChangeReply {
        let mut state = self.lock();
        state.check_posts += 1;
        state.requests += 1;
        let fault = state.next_changes.pop_front();
        let next = CheckRunId(900 + u64::from(state.check_posts));
        let id = known.unwrap_or(next);
        if fault != Some(ChangeFault::Lost) {
            state.checks.retain(|(there, _)| *there != id);
            state.checks.push((id, order.clone()));
        }
        ChangeReply {
            check_run: fault.is_none().then_some(id),
            ..change_reply(fault)
        }
    }

    async fn cancel_run(&self, _: &Repository, run: RunId) -> ChangeReply {
        let mut state = self.lock();
        state.requests += 1;
        let fault = state.next_changes.pop_front();
        if fault != Some(ChangeFault::Lost) {
            state.cancelled.push(run);
            let fake = state.runs.get_mut(&run).expect("it is there");
            fake.active = false;
            fake.is_cancelled = true;
            let jobs = fake.attempts.last_mut().expect("an attempt").iter_mut();
            for job in jobs.filter(|job| job.status != JobStatus::Completed) {
                job.status = JobStatus::Completed;
                job.conclusion = Some(Conclusion::Cancelled);
            }
        }
        change_reply(fault)
    }

    async fn deliveries(&self, _: Option<&HookCursor>) -> Result<HookPage, PortError> {
        let mut state = self.lock();
        state.hook_reads += 1;
        state.may_read("list webhook deliveries")?;
        Ok(HookPage {
            attempts: state.attempts.iter().rev().cloned().collect(),
            next: None,
        })
    }

    /// An attempt is made at the time of the one before, which is as good as any here.
    async fn redeliver(&self, attempt: HookAttemptId) -> RedeliveryReply {
        let mut state = self.lock();
        let known = state.attempts.iter().find(|one| one.id == attempt);
        let known = known.expect("it is there").clone();
        let arrives = !state.address_is_down;
        state.redelivered.push(known.delivery.clone());
        state.attempt(known.delivery, known.event, known.at, true, arrives);
        RedeliveryReply {
            answer: RedeliveryAnswer::Accepted,
            retry_after: None,
            detail: "so the fake GitHub says".to_owned(),
        }
    }

    async fn repositories(&self) -> Result<BTreeSet<Repository>, PortError> {
        self.lock().may_read("list repositories")?;
        let stranger = "stranger/site".parse().expect("valid");
        Ok(BTreeSet::from([repository(), stranger]))
    }

    async fn active_runs(&self, of: &Repository) -> Result<Vec<Run>, PortError> {
        assert_eq!(*of, repository(), "it is not allowed");
        let state = self.lock();
        state.may_read("list runs")?;
        let active = state.runs.iter().filter(|(_, run)| run.active);
        active.map(|(id, _)| state.show(*id)).collect()
    }

    fn rate_remaining(&self) -> Option<u64> {
        Some(4_321)
    }

    fn hour_left(&self, _: &str, _: Timestamp) -> Option<u64> {
        Some(4_321)
    }
}

fn conclusion(run: &FakeRun) -> Conclusion {
    let mut jobs = run.attempts.last().into_iter().flatten();
    let is_cancelled = |job: &Job| job.conclusion == Some(Conclusion::Cancelled);
    if jobs.clone().any(is_cancelled) && run.is_cancelled {
        Conclusion::Cancelled
    } else if jobs.all(|job| job.conclusion == Some(Conclusion::Success)) {
        Conclusion::Success
    } else {
        Conclusion::Failure
    }
}

fn branch(run: &FakeRun) -> Option<String> {
    let mut jobs = run.attempts.iter().flatten();
    jobs.find_map(|job| job.head_branch.clone())
}

fn event(run: &FakeRun) -> &'static str {
    match branch(run) {
        Some(branch) if branch.starts_with("gh-readonly-queue/") => "merge_group",
        Some(_) | None => "push",
    }
}

fn started(run: &FakeRun) -> Timestamp {
    let jobs = run.attempts.last().expect("an attempt");
    let created = jobs.iter().filter_map(|job| job.created_at).min();
    created.expect("a time")
}

fn change_reply(fault: Option<ChangeFault>) -> ChangeReply {
    ChangeReply {
        check_run: None,
        answer: match fault {
            None => ChangeAnswer::Accepted,
            Some(ChangeFault::Lost | ChangeFault::Done) => ChangeAnswer::Unclear,
        },
        retry_after: None,
        detail: "so the fake GitHub says".to_owned(),
    }
}

fn reply(answer: RerunAnswer) -> RerunReply {
    RerunReply {
        answer,
        retry_after: None,
        detail: "so the fake GitHub says".to_owned(),
    }
}
