//! Examples of failures, from text to facts.
//!
//! `@@ NAME` begins one. What follows is what its failed step printed; where that does not end in a line of
//! `##[error]`, the usual one is added. Lines that begin with `@` say more:
//! - `@step` begins another failed step, `@earlier LINE` and `@later LINE` are of steps that passed
//! - `@script LINE` is the step's script, as the runner repeats it
//! - `@lines N LINE` prints a line N times
//! - `@annotation LEVEL[ PATH]: MESSAGE`, `@annotations closed`
//! - `@steps cut-off|unfinished|unknown`, `@conclusion WORD`, `@log none`
//! - `@no-times` leaves the times out, `@raw` takes the lines as the whole log

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use reprise_model::failure::{Annotation, AnnotationLevel, FailureFacts, JobLog, Step};
use reprise_model::job::{Conclusion, JobStatus};

/// A failure as it is known.
pub(super) struct Example {
    pub(super) name: String,
    pub(super) facts: FailureFacts,
}

#[derive(Default)]
struct Draft {
    steps: Vec<Printed>,
    earlier: Vec<String>,
    later: Vec<String>,
    annotations: Vec<Annotation>,
    closed: bool,
    shape: Option<String>,
    conclusion: Option<Conclusion>,
    no_log: bool,
    no_times: bool,
    raw: bool,
}

#[derive(Default)]
struct Printed {
    script: Vec<String>,
    lines: Vec<String>,
}

pub(super) fn read(text: &str) -> Vec<Example> {
    let examples = text.split("@@ ").skip(1);
    examples
        .map(|text| {
            let (name, rest) = text.split_once('\n').expect("a name and lines");
            Example {
                name: name.to_owned(),
                facts: Draft::of(rest).facts(),
            }
        })
        .collect()
}

impl Draft {
    fn of(text: &str) -> Self {
        let mut draft = Self {
            steps: vec![Printed::default()],
            ..Self::default()
        };
        for line in text.lines() {
            match line.strip_prefix('@') {
                Some(directive) => draft.direct(directive),
                None => draft.step().lines.push(line.to_owned()),
            }
        }
        draft
    }

    fn step(&mut self) -> &mut Printed {
        self.steps.last_mut().expect("there is always one")
    }

    fn direct(&mut self, directive: &str) {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let line = rest.to_owned();
        match word {
            "step" => self.steps.push(Printed::default()),
            "earlier" => self.earlier.push(line),
            "later" => self.later.push(line),
            "script" => self.step().script.push(line),
            "lines" => {
                let (times, line) = rest.split_once(' ').expect("a number and a line");
                let times: usize = times.parse().expect("a number");
                let lines = (0..times).map(|number| format!("{line} {number}"));
                self.step().lines.extend(lines);
            }
            "annotation" => self.annotations.push(annotation(rest)),
            "annotations" => self.closed = true,
            "steps" => self.shape = Some(line),
            "conclusion" => self.conclusion = Some(Conclusion::Cancelled),
            "log" => self.no_log = true,
            "no-times" => self.no_times = true,
            "raw" => self.raw = true,
            other => panic!("what is @{other}?"),
        }
    }

    fn facts(self) -> FailureFacts {
        let steps = self.steps();
        let log = if self.no_log {
            JobLog::Missing
        } else if self.raw {
            JobLog::End(self.steps[0].lines.join("\n").into_bytes())
        } else {
            JobLog::End(self.log().into_bytes())
        };
        FailureFacts {
            conclusion: Some(self.conclusion.unwrap_or(Conclusion::Failure)),
            steps,
            annotations: (!self.closed).then_some(self.annotations),
            log,
        }
    }

    fn steps(&self) -> Vec<Step> {
        let failed = match self.shape.as_deref() {
            None => (JobStatus::Completed, Some(Conclusion::Failure)),
            Some("cut-off") => (JobStatus::Completed, Some(Conclusion::Cancelled)),
            Some("unfinished") => (JobStatus::InProgress, None),
            Some("unknown") => return Vec::new(),
            Some(other) => panic!("what are steps {other}?"),
        };
        let passed = (JobStatus::Completed, Some(Conclusion::Success));
        let mut steps = vec![
            step("Set up job", 0, 2, &passed),
            step("Run actions/checkout@v4", 3, 4, &passed),
        ];
        for at in 0..self.steps.len() {
            let begun = begun(at);
            steps.push(step("Run make", begun, begun + LASTS, &failed));
        }
        steps.push(step(
            "Post Run actions/checkout@v4",
            LATER,
            LATER + 1,
            &passed,
        ));
        steps
    }

    fn log(&self) -> String {
        let mut log = String::from("\u{feff}");
        self.print(&mut log, 0, "Current runner version: '2.320.0'");
        self.print(
            &mut log,
            1,
            "Download action repository 'actions/checkout@v4' (SHA:11bd7190)",
        );
        self.head(&mut log, 3, "actions/checkout@v4", &[]);
        for line in &self.earlier {
            self.print(&mut log, 4, line);
        }
        for (at, step) in self.steps.iter().enumerate() {
            self.print_step(&mut log, begun(at), step);
        }
        self.print(&mut log, LATER, "Post job cleanup.");
        for line in &self.later {
            self.print(&mut log, LATER, line);
        }
        self.print(&mut log, LATER, "Cleaning up orphan processes");
        log
    }

    fn print_step(&self, log: &mut String, begun: i64, step: &Printed) {
        self.head(log, begun, "make", &step.script);
        for line in &step.lines {
            self.print(log, begun + 1, line);
        }
        let ends = step
            .lines
            .last()
            .is_some_and(|line| line.starts_with("##[error]"));
        if !ends {
            self.print(
                log,
                begun + LASTS,
                "##[error]Process completed with exit code 1.",
            );
        }
    }

    fn head(&self, log: &mut String, at: i64, name: &str, script: &[String]) {
        self.print(log, at, &format!("##[group]Run {name}"));
        for line in script {
            self.print(log, at, &format!("\u{1b}[36;1m{line}\u{1b}[0m"));
        }
        self.print(log, at, "shell: /usr/bin/bash -e {0}");
        self.print(log, at, "env:");
        self.print(log, at, "  FAILURE: connection refused, not found");
        self.print(log, at, "##[endgroup]");
    }

    fn print(&self, log: &mut String, at: i64, line: &str) {
        if self.no_times {
            writeln!(log, "{line}").expect("written");
        } else {
            let time = second(at).strftime("%Y-%m-%dT%H:%M:%S");
            writeln!(log, "{time}.1234567Z {line}").expect("written");
        }
    }
}

/// So long a failed step takes, in seconds.
const LASTS: i64 = 10;

/// When the steps that tidy up begin.
const LATER: i64 = 300;

fn begun(step: usize) -> i64 {
    5 + 20 * i64::try_from(step).expect("few steps")
}

fn second(at: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T10:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs(at)
}

fn step(name: &str, from: i64, to: i64, end: &(JobStatus, Option<Conclusion>)) -> Step {
    let (status, conclusion) = end.clone();
    Step {
        name: name.to_owned(),
        started_at: Some(second(from)),
        completed_at: conclusion.is_some().then(|| second(to)),
        status,
        conclusion,
    }
}

fn annotation(text: &str) -> Annotation {
    let (head, message) = text.split_once(": ").expect("a level and a message");
    let (level, path) = head.split_once(' ').unwrap_or((head, ".github"));
    Annotation {
        level: Some(match level {
            "failure" => AnnotationLevel::Failure,
            "warning" => AnnotationLevel::Warning,
            other => AnnotationLevel::Unknown(other.to_owned()),
        }),
        path: Some(path.to_owned()),
        message: Some(message.to_owned()),
    }
}
