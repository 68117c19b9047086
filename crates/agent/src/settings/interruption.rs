//! What happens on a notice.

use std::fmt;
use std::path::PathBuf;

use jiff::SignedDuration;
use serde::Deserialize;

use super::{Environment, PathKey, SettingsProblem, replace};
use crate::watch::NOTICE_SPAN;

/// What the agent does when EC2 takes the instance back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterruptionSettings {
    /// Where it is written down; nowhere without one.
    pub record_file: Option<PathBuf>,
    /// Where the hooks are; there are none without one.
    pub hooks_folder: Option<PathBuf>,
    /// How long one hook may take.
    pub hook_timeout: NoticeSpan,
    /// Only runners whose programs lie below it count; every one on the machine without it.
    pub runners_below: Option<PathBuf>,
    /// How the job is ended.
    pub end_job: EndJob,
    /// How long before the instance's end the job is ended, if it has not finished.
    pub finish_until: NoticeSpan,
    /// How long before the instance's end the runner is stopped, whatever it does.
    pub stop_runner_at: NoticeSpan,
    /// How long what a step has started may take to end when it is asked to.
    pub step_grace: NoticeSpan,
    /// What a rebalance recommendation leads to.
    pub on_rebalance: OnRebalance,
}

/// How a job is ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndJob {
    /// By its running step, so that cleaning steps and hooks of the runner still run.
    #[default]
    FailStep,
    /// By the runner, which skips all that is left.
    StopRunner,
    /// Not at all.
    None,
}

/// What a rebalance recommendation leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRebalance {
    /// A runner without a job is stopped, one with a job when it has ended.
    #[default]
    StopTakingJobs,
    /// Nothing; it is not even asked for.
    Ignore,
}

/// A part of the two minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NoticeSpan(SignedDuration);

impl NoticeSpan {
    /// The time.
    pub fn get(self) -> SignedDuration {
        self.0
    }
}

impl fmt::Display for NoticeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl fmt::Display for EndJob {
    /// As in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FailStep => "fail-step",
            Self::StopRunner => "stop-runner",
            Self::None => "none",
        })
    }
}

impl TryFrom<SignedDuration> for NoticeSpan {
    type Error = String;

    fn try_from(span: SignedDuration) -> Result<Self, Self::Error> {
        match (SignedDuration::ZERO..=NOTICE_SPAN).contains(&span) {
            true => Ok(Self(span)),
            false => Err("it is between 0s and 120s, for a notice has two minutes".to_owned()),
        }
    }
}

impl TryFrom<String> for NoticeSpan {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.parse::<SignedDuration>() {
            Ok(span) => span.try_into(),
            Err(_) => Err(format!("{text:?} is no time; write it as 45s")),
        }
    }
}

impl Default for InterruptionSettings {
    fn default() -> Self {
        let span = |seconds| NoticeSpan(SignedDuration::from_secs(seconds));
        Self {
            record_file: Some("/var/lib/reprise/interruption.json".into()),
            hooks_folder: Some("/etc/reprise/interrupt.d".into()),
            hook_timeout: span(30),
            runners_below: None,
            end_job: EndJob::default(),
            finish_until: span(45),
            stop_runner_at: span(20),
            step_grace: span(3),
            on_rebalance: OnRebalance::default(),
        }
    }
}

impl InterruptionSettings {
    /// Sees and tags, and touches nothing on the machine: for where the runner is not a real one.
    pub fn only_tag() -> Self {
        Self {
            record_file: None,
            hooks_folder: None,
            end_job: EndJob::None,
            on_rebalance: OnRebalance::Ignore,
            ..Self::default()
        }
    }
}

/// What happens on a notice, beside the tag ([agent.md](agent.md#on-a-notice)).
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InterruptionFile {
    /// Where the notice is written down, so that an agent that starts again goes on with it; `""` is nowhere.
    ///
    /// Default: `"/var/lib/reprise/interruption.json"`.
    record_file: Option<PathBuf>,
    /// Its executables run in the order of their names; `""` is none.
    ///
    /// Default: `"/etc/reprise/interrupt.d"`.
    hooks_folder: Option<PathBuf>,
    /// How long one hook may take.
    ///
    /// Default: `"30s"`. Range: `"0s"` to `"120s"`.
    hook_timeout: Option<NoticeSpan>,
    /// Only runners whose programs lie below this folder are looked at and ended. `""` is the folder of the runner
    /// that the agent brings up, and where it brings none up, every runner on the machine.
    ///
    /// Default: `""`.
    runners_below: Option<PathBuf>,
    /// How the job is ended: by its running step, so that cleaning steps still run; by the runner, which skips what
    /// is left; or not at all.
    ///
    /// Default: `"fail-step"`.
    end_job: Option<EndJob>,
    /// How long before the instance's end the job is ended, if it has not finished; not shorter than
    /// `stop_runner_at`.
    ///
    /// Default: `"45s"`. Range: `stop_runner_at` to `"120s"`.
    finish_until: Option<NoticeSpan>,
    /// How long before the end the runner is told to stop, whatever it does.
    ///
    /// Default: `"20s"`. Range: `"0s"` to `finish_until`.
    stop_runner_at: Option<NoticeSpan>,
    /// How long what a step has started may take to end by itself.
    ///
    /// Default: `"3s"`. Range: `"0s"` to `"120s"`.
    step_grace: Option<NoticeSpan>,
    /// What a rebalance recommendation leads to: an idle runner is stopped and a busy one after its job, or nothing.
    ///
    /// Default: `"stop-taking-jobs"`.
    on_rebalance: Option<OnRebalance>,
}

const RECORD_FILE: PathKey = PathKey {
    key: "`record_file` under [interruption]",
    variables: &["REPRISE_AGENT_RECORD_FILE"],
    example: "/var/lib/reprise/interruption.json, or \"\" for none",
    may_be_empty: true,
};

const HOOKS_FOLDER: PathKey = PathKey {
    key: "`hooks_folder` under [interruption]",
    variables: &["REPRISE_AGENT_HOOKS_FOLDER"],
    example: "/etc/reprise/interrupt.d, or \"\" for none",
    may_be_empty: true,
};

const RUNNERS_BELOW: PathKey = PathKey {
    key: "`runners_below` under [interruption]",
    variables: &["REPRISE_AGENT_RUNNERS_BELOW"],
    example: "/opt/actions-runner, or leave it out",
    may_be_empty: true,
};

impl InterruptionFile {
    /// The file's words with the environment's over them.
    pub(super) fn settings(self, e: &Environment<'_>) -> InterruptionSettings {
        let mut s = InterruptionSettings::default();
        path(&mut s.record_file, e.path(&RECORD_FILE, self.record_file));
        path(
            &mut s.hooks_folder,
            e.path(&HOOKS_FOLDER, self.hooks_folder),
        );
        let runners_below = e.path(&RUNNERS_BELOW, self.runners_below);
        path(&mut s.runners_below, runners_below);
        replace(&mut s.hook_timeout, self.hook_timeout);
        let timeout = e.first(&["REPRISE_AGENT_HOOK_TIMEOUT"]);
        replace(&mut s.hook_timeout, timeout);
        replace(&mut s.end_job, self.end_job);
        replace(&mut s.end_job, e.first(&["REPRISE_AGENT_END_JOB"]));
        replace(&mut s.finish_until, self.finish_until);
        let finish_until = e.first(&["REPRISE_AGENT_FINISH_UNTIL"]);
        replace(&mut s.finish_until, finish_until);
        replace(&mut s.stop_runner_at, self.stop_runner_at);
        let stop_runner_at = e.first(&["REPRISE_AGENT_STOP_RUNNER_AT"]);
        replace(&mut s.stop_runner_at, stop_runner_at);
        replace(&mut s.step_grace, self.step_grace);
        replace(&mut s.step_grace, e.first(&["REPRISE_AGENT_STEP_GRACE"]));
        replace(&mut s.on_rebalance, self.on_rebalance);
        let on_rebalance = e.first(&["REPRISE_AGENT_ON_REBALANCE"]);
        replace(&mut s.on_rebalance, on_rebalance);
        if s.stop_runner_at.get() > s.finish_until.get() {
            e.refuse(SettingsProblem::StopsBeforeItEnds);
        }
        s
    }
}

fn path(slot: &mut Option<PathBuf>, written: Option<PathBuf>) {
    if let Some(path) = written {
        *slot = (!path.as_os_str().is_empty()).then_some(path);
    }
}
