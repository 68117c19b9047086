//! What shows that EC2 took an instance, who said so, and for which job it counts.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::instance::InstanceView;
use crate::tags::TagKeys;

/// How long after its first sight a piece of evidence explains the end of a job. A notice gives two
/// minutes and a host that died is noticed by GitHub 9 to 10 minutes later (runner lease), so a
/// quarter of an hour holds both.
pub const COUNTS_FOR: SignedDuration = SignedDuration::from_mins(15);

/// How long evidence is kept: GitHub allows re-runs for 30 days, and five more cover a slow look.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(35 * 24);

/// Who says that the instance was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceSource {
    /// The agent's tag: a claim, since a job could set it on its own instance.
    Tag,
    /// EventBridge's `EC2 Spot Instance Interruption Warning`.
    InterruptionWarning,
    /// `StateReason.Code` of DescribeInstances.
    StateReason,
    /// The status of the spot request.
    SpotRequest,
}

impl EvidenceSource {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::InterruptionWarning => "interruption-warning",
            Self::StateReason => "state-reason",
            Self::SpotRequest => "spot-request",
        }
    }
}

/// One source's word that an instance was interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Who says so.
    pub source: EvidenceSource,
    /// When it was first seen by us, or the event's own time.
    pub first_seen_at: Timestamp,
}

impl Evidence {
    /// Whether it explains the end of a job that ran from `started_at` to `completed_at`.
    ///
    /// Evidence from before the job is void (a tag left from an earlier job or from before a stop);
    /// a job that ended long after it survived it.
    pub fn counts_for(
        &self,
        started_at: Option<Timestamp>,
        completed_at: Option<Timestamp>,
    ) -> bool {
        let after_start = started_at.is_none_or(|started| self.first_seen_at >= started);
        let soon_enough = completed_at
            .is_none_or(|completed| completed.duration_since(self.first_seen_at) <= COUNTS_FOR);
        after_start && soon_enough
    }
}

/// The `StateReason` codes by which EC2 says that it took a spot instance back.
pub const SPOT_STATE_REASONS: [&str; 2] = [
    "Server.SpotInstanceTermination",
    "Server.SpotInstanceShutdown",
];

/// The evidence that an instance bears itself: its tag and its state reason.
pub fn borne_by(view: &InstanceView, tags: &TagKeys, now: Timestamp) -> Vec<Evidence> {
    let tagged = view
        .tags
        .get(&tags.interrupted())
        .is_some_and(|value| value == "true");
    let taken = view
        .state_reason
        .as_deref()
        .is_some_and(|code| SPOT_STATE_REASONS.contains(&code));
    [
        (tagged, EvidenceSource::Tag),
        (taken, EvidenceSource::StateReason),
    ]
    .into_iter()
    .filter(|(present, _)| *present)
    .map(|(_, source)| Evidence {
        source,
        first_seen_at: now,
    })
    .collect()
}
