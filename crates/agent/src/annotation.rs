//! What the runner's job-completed hook says of an interruption, on the job's page at GitHub.
//!
//! It reads what the agent has written down, and asks nobody. It is a part of somebody's job, so nothing may make
//! it fail: where there is nothing to say, or nothing can be read, it is silent.

use std::path::Path;

use jiff::Timestamp;

use crate::notice::Action;
use crate::record::{Boot, Ending, Record};
use crate::record_file;
use crate::remaining::Standing;
use crate::settings::Settings;

/// What people see above the text.
pub const TITLE: &str = "EC2 Spot interruption";

const NEXT: &str = "it is re-run on on-demand capacity once the whole workflow run has completed, unless \
    its label says retry=false";

/// The line for the job that is ending on this machine, if an interruption is to be told of.
pub fn of_this_machine(settings: &Settings) -> Option<String> {
    let path = settings.interruption.record_file.as_deref();
    let boot = record_file::boot().ok()?;
    let text = record_file::read(path.unwrap_or(Path::new(""))).ok()??;
    of(&Record::read(&text, &boot).ok()?, &boot)
}

/// The line for a record of this boot.
pub fn of(record: &Record, boot: &Boot) -> Option<String> {
    let seen = record.seen(boot, Timestamp::UNIX_EPOCH);
    let ends = seen.notice.action != Action::Hibernate;
    if record.gone || record.standing == Standing::Stale || !ends {
        return None;
    }
    let instance = record.instance_id.as_deref().unwrap_or("this machine");
    let notice = format!(
        "EC2 takes back {instance} (action {}, notice seen at {:.0})",
        record.action, record.first_seen
    );
    Some(match record.job_ended {
        Some(Ending::FailStep | Ending::StopRunner) => line(
            "error",
            &format!("{notice}, so this job was ended before it could finish; {NEXT}."),
        ),
        None => line(
            "warning",
            &format!(
                "{notice}; this job came to its own end before. If it did not succeed, {NEXT}."
            ),
        ),
    })
}

/// A command of the runner's, with the characters escaped that it would take for its own.
fn line(level: &str, text: &str) -> String {
    let text = text
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A");
    format!("::{level} title={TITLE}::{text}")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::notice::Notice;
    use crate::remaining::Remaining;
    use crate::watch::Seen;

    fn boot() -> Boot {
        Boot {
            id: "a".to_owned(),
            uptime: SignedDuration::from_secs(100),
        }
    }

    fn record(action: Action, standing: Standing) -> Record {
        let seen = Seen {
            notice: Notice { action, time: None },
            at: "2026-01-01T00:00:10Z".parse().expect("a time"),
            remaining: Remaining {
                span: SignedDuration::from_secs(120),
                standing,
            },
        };
        let instance = Some("i-0123456789abcdef0".to_owned());
        Record::of(&seen, boot(), instance)
    }

    #[test]
    fn a_job_that_was_ended_is_told_of_the_interruption_and_of_what_comes_next() {
        let mut record = record(Action::Terminate, Standing::Ahead);
        record.job_ended = Some(Ending::FailStep);
        let line = of(&record, &boot()).expect("a line");
        let expected = "::error title=EC2 Spot interruption::EC2 takes back i-0123456789abcdef0 (action \
            terminate, notice seen at 2026-01-01T00:00:10Z), so this job was ended before it could finish; \
            it is re-run on on-demand capacity once the whole workflow run has completed, unless its label \
            says retry=false.";
        assert_eq!(line, expected);
    }

    #[test]
    fn a_job_that_came_to_its_own_end_is_warned() {
        let line = of(&record(Action::Stop, Standing::Unknown), &boot()).expect("a line");
        assert!(
            line.starts_with("::warning title=EC2 Spot interruption::"),
            "{line}"
        );
        assert!(line.contains("If it did not succeed"), "{line}");
    }

    #[test]
    fn where_nothing_is_interrupted_nothing_is_said() {
        let mut gone = record(Action::Terminate, Standing::Ahead);
        gone.gone = true;
        assert_eq!(of(&gone, &boot()), None);
        let stale = record(Action::Terminate, Standing::Stale);
        assert_eq!(of(&stale, &boot()), None);
        let hibernates = record(Action::Hibernate, Standing::Ahead);
        assert_eq!(of(&hibernates, &boot()), None);
    }

    #[test]
    fn a_strange_action_cannot_give_the_runner_commands() {
        let action = Action::Other("%0A\n::set-output".to_owned());
        let line = of(&record(action, Standing::Ahead), &boot()).expect("a line");
        assert!(!line.contains('\n'), "{line}");
        assert!(line.contains("%250A%0A"), "{line}");
    }

    #[test]
    fn without_a_record_nothing_is_said() {
        let mut settings = Settings::default();
        settings.interruption.record_file = None;
        assert_eq!(of_this_machine(&settings), None);
        settings.interruption.record_file = Some("/nowhere/at-all".into());
        assert_eq!(of_this_machine(&settings), None);
    }
}
