//! The end of a queued job that gets no machine, as GitHub is told of it.
//!
//! GitHub lets nobody end one job. So a check run that failed says why on the job's commit, and where
//! it is configured the job's whole run is cancelled.

use serde::{Deserialize, Serialize};

use crate::reason::Refusal;

/// How the end of a launch is made visible. It stands in the launch's claim: it must be told also
/// where whoever gave up did not live to tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisibleEnd {
    /// The check run that failed.
    pub check: Telling,
    /// The cancel of the run. From [`Telling::Asked`] on it is ours, whatever became of the call.
    pub cancel: Telling,
    /// Whether nothing was ever asked of EC2, as the job asks for what it cannot have.
    #[serde(default, skip_serializing_if = "is_no")]
    pub refused: bool,
}

fn is_no(word: &bool) -> bool {
    !*word
}

impl VisibleEnd {
    /// Whether the cancel of its run is, or may be, our doing.
    pub fn cancels(&self) -> bool {
        match self.cancel {
            Telling::Asked | Telling::Done => true,
            Telling::NotWanted | Telling::Wanted | Telling::Refused(_) => false,
        }
    }
}

/// How far it has come with one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Telling {
    /// It is not wanted, or not any more.
    NotWanted,
    /// It is still to be done.
    Wanted,
    /// It was written down and perhaps asked for: GitHub is read before it is asked again.
    Asked,
    /// It is done.
    Done,
    /// GitHub refused it for good.
    Refused(Refusal),
}

/// What became of a request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeAnswer {
    /// It was carried out.
    Accepted,
    /// A no that may pass.
    NotNow,
    /// Perhaps it was carried out: GitHub must be read.
    Unclear,
    /// A final no.
    Refused(Refusal),
}

impl ChangeAnswer {
    /// The label value for metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NotNow => "not-now",
            Self::Unclear => "unclear",
            Self::Refused(_) => "refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::RefusalKind;

    #[test]
    fn the_end_of_a_launch_keeps_its_stored_form() {
        let refused = Telling::Refused(Refusal {
            kind: RefusalKind::MissingPermission,
            message: "Resource not accessible by integration".to_owned(),
        });
        let end = VisibleEnd {
            check: refused,
            cancel: Telling::Asked,
            refused: false,
        };
        let text = serde_json::to_string(&end).expect("writable");
        assert_eq!(
            text,
            "{\"check\":{\"refused\":{\"kind\":\"missing-permission\",\
             \"message\":\"Resource not accessible by integration\"}},\"cancel\":\"asked\"}"
        );
        let back: VisibleEnd = serde_json::from_str(&text).expect("readable");
        assert_eq!(back, end);
    }

    #[test]
    fn a_cancel_is_ours_from_the_moment_at_which_it_is_written_down() {
        let ours = |cancel| {
            let check = Telling::Done;
            let refused = false;
            VisibleEnd {
                check,
                cancel,
                refused,
            }
            .cancels()
        };
        assert!(ours(Telling::Asked) && ours(Telling::Done));
        assert!(!ours(Telling::Wanted) && !ours(Telling::NotWanted));
    }
}
