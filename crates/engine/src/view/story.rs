//! What happened to a run or a job, line by line, in the order of time.

use jiff::Timestamp;
use reprise_model::advice::Advice;
use reprise_model::console::ConsoleTail;
use reprise_model::evidence::Evidence;
use reprise_model::ids::{JobId, Repository, RunId};
use reprise_model::instance::Instance;
use reprise_model::ledger::{
    ClaimState, InstanceEntry, LaunchClaim, Rerun, RerunAnswer, RerunOrder, RerunTarget, RunEntry,
    TrackedJob, TrackedState, Why,
};
use reprise_model::notes::{Happened, Happening};
use reprise_model::reason::SettleReason;
use reprise_model::view::{Explanation, Line, LineKind, RetryState, RetryView};

use super::{over_budget, retry};
use crate::run::{WaitReason, rule};

/// What the ledger has of a run, or of one of its jobs.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The run's record, where a job of it was to come back.
    pub run: Option<&'a RunEntry>,
    /// What was launched for the jobs that are known.
    pub claims: &'a [LaunchClaim],
    /// What is remembered of the instances that are known.
    pub instances: &'a [InstanceEntry],
}

/// What happened to a run, or to `job` alone where that is one of those that the ledger holds. `None`
/// where nothing is known.
pub fn explanation(known: &Known<'_>, job: Option<JobId>, now: Timestamp) -> Option<Explanation> {
    let (repository, run) = whose(known)?;
    let held = |entry: &&RunEntry| job.is_some_and(|id| entry.jobs.contains_key(&id));
    let only = known.run.filter(held).and(job);
    let retries: Vec<RetryView> = known.run.map_or_else(Vec::new, |entry| {
        let jobs = entry.jobs.iter();
        jobs.filter(|(id, _)| only.is_none_or(|only| only == **id))
            .map(|(id, job)| retry(entry, *id, job, now))
            .collect()
    });
    let mut story = Story::default();
    known.claims.iter().for_each(|claim| story.launch(claim));
    if let Some(entry) = known.run {
        story.run(entry);
    }
    for instance in known.instances {
        story.instance(instance, known.run);
    }
    let mut lines = story.0;
    lines.retain(|line| only.is_none() || line.job.is_none() || line.job == only);
    // What comes next, or whenever, goes last; what happened at once stays as it was told.
    lines.sort_by_key(|line| (line.kind == LineKind::Next, line.at.is_none(), line.at));
    Some(Explanation {
        repository,
        run: Some(run),
        job,
        summary: summary(known, &retries),
        retries,
        story: lines,
    })
}

fn whose(known: &Known<'_>) -> Option<(Repository, RunId)> {
    let of_run = known
        .run
        .map(|entry| (entry.key.repository.clone(), entry.key.run_id));
    of_run.or_else(|| {
        let claim = known.claims.first()?;
        Some((claim.key.repository.clone(), claim.run_id))
    })
}

fn summary(known: &Known<'_>, retries: &[RetryView]) -> String {
    let Some(entry) = known.run else {
        return "the job was launched for, and nothing of its run was to come back".to_owned();
    };
    // What a fresh chance took the place of is one and the same job.
    let is_replaced = |one: &RetryView| {
        let mut renewed = entry.notes.renewed.iter();
        let is_here = |id: &JobId| retries.iter().any(|other| other.job == *id);
        renewed.any(|(new, old)| *old == one.job && is_here(new))
    };
    let jobs: Vec<&RetryView> = retries.iter().filter(|one| !is_replaced(one)).collect();
    let count = |state: RetryState| jobs.iter().filter(|one| one.state == state).count();
    let parts: Vec<String> = RetryState::ALL
        .into_iter()
        .map(|state| (state, count(state)))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let jobs_are = if jobs.len() == 1 {
        "job is"
    } else {
        "jobs are"
    };
    let parts = parts.join(", ");
    format!("{} {jobs_are} in the ledger: {parts}", jobs.len())
}

#[derive(Default)]
struct Story(Vec<Line>);

/// What a line is about, beside its words.
struct Told<'a> {
    at: Option<Timestamp>,
    kind: LineKind,
    job: Option<JobId>,
    source: &'a str,
    rule: Option<&'a str>,
}

impl Story {
    fn tell(&mut self, told: Told<'_>, text: String) {
        self.0.push(Line {
            at: told.at,
            kind: told.kind,
            job: told.job,
            source: told.source.to_owned(),
            rule: told.rule.map(str::to_owned),
            text,
        });
    }

    fn launch(&mut self, claim: &LaunchClaim) {
        let told = |at, rule| Told {
            at,
            kind: LineKind::Launch,
            job: Some(claim.key.job_id),
            source: "ledger",
            rule,
        };
        let (name, attempt) = (&claim.job_name, claim.attempt);
        let text = match &claim.state {
            ClaimState::Wanted => {
                format!("a machine is asked for, for {name} of attempt {attempt}")
            }
            ClaimState::Launched { instance, capacity } => {
                format!("{instance} ({capacity}) was launched for {name} of attempt {attempt}")
            }
            ClaimState::GivenUp { why } => {
                format!("{name} of attempt {attempt} gets no machine: {why}")
            }
        };
        self.tell(told(claim.queued_at, Some(claim.why.as_str())), text);
        for lost in &claim.lost_instances {
            let text = format!("{} was launched for {name} in vain", lost.id);
            self.tell(told(claim.queued_at, None), text);
        }
        if let Some(due) = claim.due {
            let next = Told {
                kind: LineKind::Next,
                ..told(Some(due.at), None)
            };
            self.tell(
                next,
                format!("EC2 is asked again (try {})", due.tries.saturating_add(1)),
            );
        }
    }

    fn run(&mut self, entry: &RunEntry) {
        for (id, job) in &entry.jobs {
            if entry.notes.renewed.contains_key(id) {
                self.execution(*id, job, None);
            } else {
                self.interruption(*id, job);
            }
        }
        for rerun in &entry.reruns {
            self.rerun(rerun);
        }
        for happening in &entry.notes.happened {
            self.note(happening);
        }
        for (id, job) in &entry.jobs {
            self.end(*id, job);
        }
        if let Some(parked) = entry.notes.parked {
            let told = Told {
                at: Some(parked.since),
                kind: LineKind::Verdict,
                job: None,
                source: "ledger",
                rule: Some(WaitReason::OverBudget.as_str()),
            };
            self.tell(
                told,
                format!("its re-run is parked: {}", over_budget(parked)),
            );
        }
        if let Some(due) = entry.due {
            let told = Told {
                at: Some(due.at),
                kind: LineKind::Next,
                job: None,
                source: "ledger",
                rule: None,
            };
            let next = match entry.notes.parked {
                Some(_) => "the repository's budget is looked at again",
                None => "the run is read at GitHub again",
            };
            let tries = due.tries.saturating_add(1);
            self.tell(told, format!("{next} (try {tries})"));
        }
    }

    /// A job's execution, what shows that it was interrupted, and that it was to come back.
    fn interruption(&mut self, id: JobId, job: &TrackedJob) {
        if let Some(instance) = &job.instance {
            for evidence in &job.evidence {
                self.evidence(Some(id), instance, evidence);
            }
        }
        self.execution(id, job, job.instance.as_ref());
        let seen = job.evidence.iter().map(|one| one.first_seen_at).min();
        let told = Told {
            at: seen.max(job.execution.completed_at),
            kind: LineKind::Verdict,
            job: Some(id),
            source: "ledger",
            rule: Some(judged_as(job)),
        };
        let name = &job.key.name;
        let text = match (job.why, &job.state) {
            (Why::Interrupted, _) => {
                format!("{name} was interrupted, and is to come back once its run has completed")
            }
            (Why::Failed | Why::Transient | Why::Advised, TrackedState::Settled { .. }) => {
                format!("{name} failed{}", judged_by(job))
            }
            (
                Why::Failed | Why::Transient | Why::Advised,
                TrackedState::Awaiting | TrackedState::Asked { .. },
            ) => {
                format!(
                    "{name} failed{}, and is to come back once its run has completed",
                    judged_by(job)
                )
            }
        };
        if let Some(advice) = &job.advice {
            self.advice(id, advice);
        }
        self.tell(told, text);
    }

    /// What the endpoint said that its policy asks.
    fn advice(&mut self, id: JobId, advice: &Advice) {
        let told = Told {
            at: Some(advice.at),
            kind: LineKind::Answer,
            job: Some(id),
            source: "endpoint",
            rule: Some(advice.said.as_str()),
        };
        self.tell(told, advice.to_string());
    }

    /// That a job began, and ended without success.
    fn execution(&mut self, id: JobId, job: &TrackedJob, host: Option<&Instance>) {
        let told = |at| Told {
            at,
            kind: LineKind::Job,
            job: Some(id),
            source: "github",
            rule: None,
        };
        let (name, attempt) = (&job.key.name, job.attempt);
        let host = host.map_or_else(String::new, |host| format!(" on {}", host.id));
        let execution = &job.execution;
        if execution.started_at.is_some() {
            let text = format!("{name} of attempt {attempt} began{host}");
            self.tell(told(execution.started_at), text);
        }
        if execution.completed_at.is_some() {
            let text = format!("{name} of attempt {attempt} ended without success");
            self.tell(told(execution.completed_at), text);
        }
    }

    fn evidence(&mut self, job: Option<JobId>, instance: &Instance, evidence: &Evidence) {
        let told = Told {
            at: Some(evidence.first_seen_at),
            kind: LineKind::Evidence,
            job,
            source: evidence.source.as_str(),
            rule: None,
        };
        self.tell(
            told,
            format!("{}: EC2 takes, or took, this spot instance", instance.id),
        );
    }

    /// What is remembered of an instance and does not stand in the run's record.
    fn instance(&mut self, instance: &InstanceEntry, run: Option<&RunEntry>) {
        let is_told = |evidence: &Evidence| {
            let mut jobs = run.iter().flat_map(|run| run.jobs.values());
            jobs.any(|job| {
                job.instance.as_ref() == Some(&instance.instance) && job.evidence.contains(evidence)
            })
        };
        for evidence in instance.evidence.iter().filter(|one| !is_told(one)) {
            self.evidence(None, &instance.instance, evidence);
        }
        if let Some(console) = &instance.console {
            self.console(&instance.instance, console);
        }
        if let Some(unexplained) = &instance.unexplained {
            let job = &unexplained.job;
            let told = Told {
                at: job.completed_at,
                kind: LineKind::Verdict,
                job: Some(job.id),
                source: "ledger",
                rule: Some("not-interrupted"),
            };
            let text = format!(
                "{} failed, and nothing shows that EC2 took its instance",
                job.name
            );
            self.tell(told, text);
        }
    }

    fn console(&mut self, instance: &Instance, console: &ConsoleTail) {
        let told = Told {
            at: Some(console.at),
            kind: LineKind::Console,
            job: None,
            source: "ec2",
            rule: Some(console.cause.as_str()),
        };
        let id = &instance.id;
        let text = match console.lines.as_slice() {
            [] => format!("EC2 has no console output of {id}"),
            lines => format!(
                "{id} wrote to its console at last:\n    {}",
                lines.join("\n    ")
            ),
        };
        self.tell(told, text);
    }

    fn rerun(&mut self, rerun: &Rerun) {
        let order = &rerun.order;
        // One job's own line; what is for several is told of the run.
        let job = match order.wanted.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        let told = |kind, source, rule| Told {
            at: Some(rerun.decided_at),
            kind,
            job,
            source,
            rule,
        };
        self.tell(
            told(LineKind::Effect, "ledger", Some(rule(order))),
            asked(order),
        );
        let (rule, text) = match &rerun.answer {
            RerunAnswer::Accepted => (
                "accepted",
                format!("GitHub took it: attempt {}", order.from.next()),
            ),
            RerunAnswer::NotNow => ("not-now", "GitHub did not take it yet".to_owned()),
            RerunAnswer::Unclear => ("unclear", "no clear answer is known yet".to_owned()),
            RerunAnswer::Refused(refusal) => (refusal.as_str(), refusal.to_string()),
        };
        self.tell(told(LineKind::Answer, "github", Some(rule)), text);
    }

    fn note(&mut self, happening: &Happening) {
        let (kind, job, source, rule, text) = match &happening.what {
            Happened::PutOff { words } => (
                LineKind::Answer,
                None,
                "github",
                Some("not-now"),
                format!("GitHub put it off: {words}"),
            ),
            Happened::Unclear { words } => (
                LineKind::Answer,
                None,
                "github",
                Some("unclear"),
                format!("no clear answer: {words}"),
            ),
            Happened::FoundTaken => (
                LineKind::Answer,
                None,
                "github",
                Some("accepted"),
                "the run shows that the re-run was taken".to_owned(),
            ),
            Happened::FoundNotTaken => (
                LineKind::Answer,
                None,
                "github",
                Some("not-now"),
                "the run shows that the re-run was not taken".to_owned(),
            ),
            Happened::Requeued { job, was } => (
                LineKind::Operator,
                Some(*job),
                "operator",
                None,
                format!("a person asked for a fresh chance; until then it was settled: {was}"),
            ),
            Happened::ChanceGiven { job, renewed } => (
                LineKind::Verdict,
                Some(*job),
                "ledger",
                Some("requeued"),
                format!("it has a fresh chance, as job {renewed}"),
            ),
            Happened::ChanceDenied { job, why } => (
                LineKind::Verdict,
                Some(*job),
                "ledger",
                Some(why.as_str()),
                format!("it gets no fresh chance: {}", denial(why)),
            ),
            Happened::Dismissed { job } => (
                LineKind::Operator,
                Some(*job),
                "operator",
                None,
                "a person took it out of the lists".to_owned(),
            ),
        };
        let at = Some(happening.at);
        self.tell(
            Told {
                at,
                kind,
                job,
                source,
                rule,
            },
            text,
        );
    }

    fn end(&mut self, id: JobId, job: &TrackedJob) {
        if let TrackedState::Settled { reason, at } = &job.state {
            let told = Told {
                at: Some(*at),
                kind: LineKind::Verdict,
                job: Some(id),
                source: "ledger",
                rule: Some(reason.as_str()),
            };
            self.tell(told, format!("{} is settled: {reason}", job.key.name));
        }
    }
}

/// What GitHub was asked for.
fn asked(order: &RerunOrder) -> String {
    let from = order.from;
    let what = match order.target {
        RerunTarget::Job(id) => format!("GitHub was asked to re-run job {id} of attempt {from}"),
        RerunTarget::FailedJobs => {
            format!("GitHub was asked to re-run all failed jobs of attempt {from}")
        }
    };
    let siblings: Vec<&str> = order.siblings.iter().map(|one| one.name.as_str()).collect();
    let with = |words: &str, names: String| match names.as_str() {
        "" => String::new(),
        names => format!("; {words}: {names}"),
    };
    let along = with("real failures that come along", order.along.join(", "));
    format!(
        "{what}{along}{}",
        with("cancelled with them", siblings.join(", "))
    )
}

/// Why there was no fresh chance, where it is not the word of how a job is settled.
fn denial(why: &str) -> &str {
    match why {
        "passed" => "it passed in the newest attempt",
        "policy-false" => "the present configuration or its label re-runs nothing of it",
        "not-listed" => "the newest attempt does not show it; ask again",
        other => other,
    }
}

/// What a job was judged to be: what it was to come back for, or why it was not from the first.
fn judged_as(job: &TrackedJob) -> &'static str {
    match &job.state {
        TrackedState::Settled {
            reason: reason @ (SettleReason::PermanentFailure | SettleReason::UnknownFailure),
            ..
        } => reason.as_str(),
        TrackedState::Settled { .. } | TrackedState::Awaiting | TrackedState::Asked { .. } => {
            job.why.as_str()
        }
    }
}

/// The rule by which its failure was judged, and the line that it found.
fn judged_by(job: &TrackedJob) -> String {
    let told = job.told.as_ref();
    told.map_or_else(String::new, |told| format!(" ({told})"))
}
