//! How findings are written.

use std::fmt::Write;

use reprise_lint::{Finding, Place, Severity, ShownLabel};
use serde::Serialize;

use crate::annotations::{Level, Spot, annotation};
use crate::output::harmless;

/// For people: `file:line:column`, which editors and terminals follow, and the label with a caret
/// under the mistake.
pub(super) fn text(finding: &Finding) -> String {
    let Place { line, column } = finding.place;
    let (severity, code) = (finding.severity().as_str(), finding.code.as_str());
    let mut text = format!(
        "{}:{line}:{column}: {severity}[{code}]: {}\n",
        finding.file, finding.message
    );
    if let Some(label) = &finding.label {
        caret(&mut text, finding.job.as_deref(), label);
    }
    if let Some(hint) = &finding.hint {
        writeln!(text, "  = {hint}").ok();
    }
    harmless(&text)
}

fn caret(text: &mut String, job: Option<&str>, label: &ShownLabel) {
    let job = job.map_or_else(String::new, |job| format!("{job}: "));
    let before = label.text.chars().take(label.position.saturating_sub(1));
    let blanks = job.chars().count() + before.count();
    // A letter that is not shown as it is would move the caret.
    let shown = label.text.replace(char::is_control, "?");
    writeln!(text, "  | {job}{shown}\n  | {}^", " ".repeat(blanks)).ok();
}

/// For programs: one object on one line.
pub(super) fn json(finding: &Finding) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        severity: Severity,
        #[serde(flatten)]
        finding: &'a Finding,
    }
    let line = Line {
        severity: finding.severity(),
        finding,
    };
    serde_json::to_string(&line).map_or_else(|_| String::new(), |line| line + "\n")
}

/// For the page of a pull request: GitHub's workflow commands.
pub(super) fn github(finding: &Finding) -> String {
    let level = match finding.severity() {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Note => Level::Notice,
    };
    let mut message = finding.message.clone();
    if let Some(label) = &finding.label {
        write!(message, "\nin {}", label.text).ok();
    }
    if let Some(hint) = &finding.hint {
        write!(message, "\n{hint}").ok();
    }
    let Place { line, column } = finding.place;
    let spot = Spot {
        file: &finding.file,
        line,
        column,
    };
    annotation(level, spot, finding.code.as_str(), &message)
}

/// What was found in all, as `3 files: 1 error, 2 warnings`.
pub(super) fn sum(files: usize, findings: &[Finding]) -> String {
    let counted = |count: usize, name: &str| match count {
        1 => format!("1 {name}"),
        count => format!("{count} {name}s"),
    };
    let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| {
            let found = findings.iter().filter(|one| one.severity() == severity);
            (found.count(), severity)
        })
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| counted(count, severity.as_str()))
        .collect();
    let found = if parts.is_empty() {
        "nothing found".to_owned()
    } else {
        parts.join(", ")
    };
    format!("{}: {found}\n", counted(files, "file"))
}
