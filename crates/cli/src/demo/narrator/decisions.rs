//! What the controller and the agents say in their logs.

use reprise_model::ids::{InstanceId, JobId};
use serde_json::Value;

use super::{Narrator, Said, job_text};

/// What the table says of a job that came back.
const RE_RUN: &str = "re-run by Reprise";

impl Narrator {
    /// The line of a decision, or of something that went wrong.
    pub(in crate::demo) fn controller(&mut self, line: &str) -> Option<Said> {
        let log: Value = serde_json::from_str(line).ok()?;
        let text = match text(&log, "decision") {
            "" => complaint(&log)?,
            decision => self.decision(decision, &log)?,
        };
        Some(("controller", text))
    }

    /// Agents are told of by what they do; only their complaints are read.
    pub(in crate::demo) fn agent(&mut self, instance: &InstanceId, line: &str) -> Option<Said> {
        let log: Value = serde_json::from_str(line).ok()?;
        let error = text(&log, "error.message");
        let text = format!("{instance}: {}: {error}", text(&log, "message"));
        (!error.is_empty()).then_some(("agent", text))
    }

    fn decision(&mut self, decision: &str, log: &Value) -> Option<String> {
        let job = job_text(
            text(log, "job.name"),
            text(log, "run.attempt"),
            text(log, "repository"),
        );
        Some(match decision {
            "launch" => {
                let (capacity, why) = (text(log, "capacity"), capacity_text(text(log, "reason")));
                self.remember_capacity(log, format!("{capacity}: {why}"));
                format!("wants {} machine for {job}: {why}", with_article(capacity))
            }
            "launched" => {
                let (capacity, why) = (text(log, "capacity"), capacity_text(text(log, "reason")));
                self.remember_capacity(log, format!("{capacity}: {why}"));
                let runner = match text(log, "runner.name") {
                    "" => "",
                    _ => ", and a runner that works once",
                };
                let (machine, id) = (with_article(capacity), text(log, "instance.id"));
                format!("gives {job} {machine} machine, {id}{runner}: {why}")
            }
            "launch-refused" | "launch-given-up" => {
                format!("{job} gets no machine: {}", text(log, "detail"))
            }
            "evidence" => {
                format!("stores EC2's warning about {}", text(log, "instance.id"))
            }
            "awaiting" => {
                self.remember(log, RE_RUN);
                let why = match text(log, "evidence") {
                    "" => format!("failed, and its policy is {}", text(log, "policy")),
                    evidence => format!("was interrupted (evidence: {evidence})"),
                };
                format!("{job} {why}; stored, and re-run once its run has completed")
            }
            "judged" => format!("looks why {job} failed: {}", text(log, "detail")),
            "waiting" => self.waiting(text(log, "run.id"), text(log, "reason"))?,
            "rerun" => format!(
                "asks GitHub to re-run {} of run {}: {}",
                target_text(text(log, "rerun.target")),
                text(log, "run.id"),
                text(log, "rerun.answer")
            ),
            "settled" => {
                let why = text(log, "detail");
                // Of a job that was judged after its run had been asked for, nothing else tells.
                let recovered = text(log, "reason") == "recovered";
                self.remember(log, if recovered { RE_RUN } else { why });
                let ended = match text(log, "instance.ended") {
                    "" => String::new(),
                    instance => format!("; terminates {instance}"),
                };
                format!("{job} is settled: {why}{ended}")
            }
            "terminate" => format!(
                "terminates {}: {}",
                text(log, "instance.id"),
                text(log, "detail")
            ),
            _ => return None,
        })
    }

    /// A run is read again and again while it goes on; that is told once.
    fn waiting(&mut self, run: &str, reason: &str) -> Option<String> {
        let new = self.waited.insert((run.to_owned(), reason.to_owned()));
        new.then(|| format!("run {run} {}", wait_text(reason)))
    }

    fn remember(&mut self, log: &Value, why: &str) {
        if let Some(id) = job_id(log) {
            self.words.insert(id, why.to_owned());
        }
    }

    fn remember_capacity(&mut self, log: &Value, why: String) {
        if let Some(id) = job_id(log) {
            self.capacities.insert(id, why);
        }
    }
}

fn job_id(log: &Value) -> Option<JobId> {
    text(log, "job.id").parse().ok()
}

fn text<'a>(log: &'a Value, key: &str) -> &'a str {
    log.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn complaint(log: &Value) -> Option<String> {
    let level = text(log, "level");
    if level != "WARN" && level != "ERROR" {
        return None;
    }
    let (message, error) = (text(log, "message"), text(log, "error"));
    let separator = if error.is_empty() { "" } else { ": " };
    Some(format!("{level}: {message}{separator}{error}"))
}

fn with_article(capacity: &str) -> String {
    let article = if capacity.starts_with('o') { "an" } else { "a" };
    format!("{article} {capacity}")
}

fn capacity_text(reason: &str) -> &str {
    match reason {
        "first-attempt" => "a first attempt, and spot is the default",
        "spot-off" => "its label says spot=false",
        "later-attempt" => "every attempt above 1 is",
        "later-attempt-may-use-spot" => "configuration lets this attempt follow its label",
        other => other,
    }
}

fn wait_text(reason: &str) -> &str {
    match reason {
        "run-active" => "is still going, and GitHub would answer 403; waits for its end",
        "job-looking" => "has another failed job that is still being looked at; waits",
        "rerun-active" => "is being re-run; watches what comes back",
        "delayed" => "has failed jobs to re-run, after a pause by their policy",
        "answer-unclear" => "may have been re-run, the answer was lost; reads before asking again",
        other => other,
    }
}

fn target_text(target: &str) -> &str {
    match target {
        "job" => "that one job",
        "failed-jobs" => "all failed jobs",
        other => other,
    }
}
