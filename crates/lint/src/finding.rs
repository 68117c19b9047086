//! What a finding is, and how bad.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The job gets no machine, or its machine is anybody's.
    Error,
    /// It works, and not always as it was meant.
    Warning,
    /// Something to know.
    Note,
}

impl Severity {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What kind of finding it is. The names are part of the output that programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The file is no workflow that can be read.
    UnreadableWorkflow,
    /// A mistake in a label, as the controller would tell it.
    BadLabel,
    /// The labels are the same in every run.
    SameInEveryRun,
    /// What tells the runs apart is not unique to a run.
    WeakId,
    /// Two jobs that may wait at the same time in one run have the same labels.
    SameInRun,
    /// The labels are not ours, and look as if they were meant to be.
    NearMiss,
    /// A label beside ours that the controller refuses unless its configuration allows it.
    ForeignLabel,
    /// A setting of other fleets that changes nothing here.
    NoEffect,
    /// What the labels are is known only when the workflow runs.
    NotChecked,
}

impl Code {
    /// All of them, the worst first.
    pub const ALL: [Self; 9] = [
        Self::UnreadableWorkflow,
        Self::BadLabel,
        Self::SameInEveryRun,
        Self::WeakId,
        Self::SameInRun,
        Self::NearMiss,
        Self::ForeignLabel,
        Self::NoEffect,
        Self::NotChecked,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnreadableWorkflow => "unreadable-workflow",
            Self::BadLabel => "bad-label",
            Self::SameInEveryRun => "same-in-every-run",
            Self::WeakId => "weak-id",
            Self::SameInRun => "same-in-run",
            Self::NearMiss => "near-miss",
            Self::ForeignLabel => "foreign-label",
            Self::NoEffect => "no-effect",
            Self::NotChecked => "not-checked",
        }
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::UnreadableWorkflow | Self::BadLabel | Self::SameInEveryRun => Severity::Error,
            Self::WeakId | Self::SameInRun | Self::NearMiss => Severity::Warning,
            Self::ForeignLabel | Self::NoEffect | Self::NotChecked => Severity::Note,
        }
    }
}

/// Where something stands in a file; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// Where a file begins.
    pub const START: Self = Self { line: 1, column: 1 };

    /// So many characters further on the same line.
    pub(crate) fn further(self, characters: usize) -> Self {
        Self {
            column: self.column + characters,
            ..self
        }
    }
}

/// A label as it is once the matrix is expanded, with the place of the mistake in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ShownLabel {
    /// What is known only when the workflow runs stands in it as its expression.
    pub text: String,
    /// Characters from 1.
    pub position: usize,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, as it was named.
    pub file: String,
    /// Where in the file.
    #[serde(flatten)]
    pub place: Place,
    /// Its kind.
    pub code: Code,
    /// The job's key in the workflow.
    pub job: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
    /// The label that is meant.
    pub label: Option<ShownLabel>,
}

impl Finding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_programs_read_them_and_stand_worst_first() {
        for code in Code::ALL {
            let written = serde_json::to_value(code).expect("a string");
            assert_eq!(written, code.as_str());
        }
        assert!(Code::ALL.is_sorted_by_key(|code| code.severity()));
        assert!(Code::ALL.is_sorted());
    }
}
