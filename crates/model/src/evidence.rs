//! What shows that EC2 took an instance, who said so, and for which job it counts.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::instance::{Capacity, InstanceView, SpotStatus};
use crate::tags::TagKeys;

/// How long after its first sight a piece of evidence explains the end of a job. A notice gives two
/// minutes and a host that died is noticed by GitHub 9 to 10 minutes later (runner lease), so a
/// quarter of an hour holds both.
pub const COUNTS_FOR: SignedDuration = SignedDuration::from_mins(15);

/// How long before it takes an instance EC2 gives notice. So a warning of up to two minutes before
/// a job began can be what ended it: GitHub gave the job to a machine that was already doomed.
const NOTICE: SignedDuration = SignedDuration::from_mins(2);

/// How far EC2's clock, GitHub's and ours may differ. All three are disciplined to well under a
/// second; the rest is for GitHub's whole seconds and for events stamped a moment after the fact.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// How long after the end of a job EC2's warning can still be its cause. The notice and the event
/// leave EC2 together, and the agent needs a second to see the notice and some to end the job; the
/// event's own time may lie behind that, but not by half a minute.
pub const WARNED_AFTER_END: SignedDuration = SignedDuration::from_secs(30);

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
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Tag,
        Self::InterruptionWarning,
        Self::StateReason,
        Self::SpotRequest,
    ];

    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::InterruptionWarning => "interruption-warning",
            Self::StateReason => "state-reason",
            Self::SpotRequest => "spot-request",
        }
    }

    /// How long before a job's start and after its end this source's word still speaks of it.
    /// `None` where the time is that of our look, which may come at any time after the end.
    fn reach(self) -> (SignedDuration, Option<SignedDuration>) {
        let noticed = SignedDuration::from_secs(NOTICE.as_secs() + SKEW.as_secs());
        match self {
            Self::Tag => (SKEW, None),
            Self::InterruptionWarning => (noticed, Some(WARNED_AFTER_END)),
            Self::StateReason | Self::SpotRequest => (noticed, None),
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
    /// | source | not before the job's start by more than | not after its end by more than |
    /// | --- | --- | --- |
    /// | tag | 5 s: it is left from an earlier job or from before a stop | any time: our look's |
    /// | warning | 2 min 5 s: the notice is as long | 30 s: the time is the event's own |
    /// | state reason, spot request | 2 min 5 s: no running instance bears them | any time |
    ///
    /// A job that ended more than [`COUNTS_FOR`] after any of them survived it.
    pub fn counts_for(
        &self,
        started_at: Option<Timestamp>,
        completed_at: Option<Timestamp>,
    ) -> bool {
        let seen = self.first_seen_at;
        let early_by = started_at.map(|started| started.duration_since(seen));
        let late_by = completed_at.map(|completed| seen.duration_since(completed));
        let (earliest, latest) = self.source.reach();
        early_by.is_none_or(|by| by <= earliest)
            && late_by
                .is_none_or(|by| latest.is_none_or(|latest| by <= latest) && -by <= COUNTS_FOR)
    }
}

/// The `StateReason` codes by which EC2 says that it took a spot instance back.
pub const SPOT_STATE_REASONS: [&str; 2] = [
    "Server.SpotInstanceTermination",
    "Server.SpotInstanceShutdown",
];

/// How the spot request behind an instance begins to say that EC2 takes it, from the notice on.
const MARKED: &str = "marked-for-";

/// What EC2 took an instance for, behind `instance-terminated-` or `instance-stopped-` in the status of
/// its spot request. It is ended by its user, a schedule or from a stop for other causes, which are none of these.
const SPOT_CAUSES: [&str; 5] = [
    "by-price",
    "no-capacity",
    "capacity-oversubscribed",
    "launch-group-constraint",
    "by-experiment",
];

/// The evidence that the request behind a spot instance bears for a job that ended at `completed_at`.
///
/// Its mark is as old as the notice, and like the warning explains no end that came long before it.
pub fn told_by(
    status: &SpotStatus,
    completed_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<Evidence> {
    let code = status.code.as_str();
    let ended = ["instance-terminated-", "instance-stopped-"]
        .into_iter()
        .find_map(|how| code.strip_prefix(how));
    let is_taken = ended.is_some_and(|why| SPOT_CAUSES.contains(&why));
    let marked_at = code
        .starts_with(MARKED)
        .then(|| status.since.unwrap_or(now));
    let explains = |at: &Timestamp| {
        completed_at.is_none_or(|completed| at.duration_since(completed) <= WARNED_AFTER_END)
    };
    let seen = marked_at.filter(explains).or(is_taken.then_some(now));
    seen.map(|first_seen_at| Evidence {
        source: EvidenceSource::SpotRequest,
        first_seen_at,
    })
}

/// The evidence that an instance bears itself: its tag and its state reason. An on-demand instance
/// bears none: a tag on it is forged, and kept it would be all that is known of the instance once EC2
/// has forgotten what it was.
pub fn borne_by(view: &InstanceView, tags: &TagKeys, now: Timestamp) -> Vec<Evidence> {
    match view.capacity {
        Capacity::OnDemand => return Vec::new(),
        Capacity::Spot => {}
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ids::{AccountId, Region};
    use crate::instance::{Instance, InstanceState};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn seen_at(text: &str) -> Evidence {
        Evidence {
            source: EvidenceSource::Tag,
            first_seen_at: at(text),
        }
    }

    fn view(tags: &[(&str, &str)], state_reason: Option<&str>) -> InstanceView {
        let tags: BTreeMap<String, String> = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        InstanceView {
            instance: Instance {
                account: AccountId::new("123456789012"),
                region: Region::new("eu-west-1"),
                id: "i-0123456789abcdef0".parse().expect("valid"),
            },
            capacity: Capacity::Spot,
            state: InstanceState::Terminated,
            state_reason: state_reason.map(str::to_owned),
            tags,
            instance_type: "c7a.large".to_owned(),
            zone: None,
            subnet: None,
            launched_at: None,
            image: None,
        }
    }

    fn status(code: &str) -> SpotStatus {
        SpotStatus {
            code: code.to_owned(),
            since: Some(at("2026-03-01T10:00:00Z")),
        }
    }

    fn sources(view: &InstanceView) -> Vec<EvidenceSource> {
        borne_by(view, &TagKeys::default(), at("2026-03-01T10:00:00Z"))
            .into_iter()
            .map(|evidence| evidence.source)
            .collect()
    }

    #[test]
    fn evidence_counts_for_a_job_that_was_running_from_its_first_sight_to_15_minutes_later() {
        let evidence = seen_at("2026-03-01T10:00:00Z");
        for (started, completed, counts) in [
            ("2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z", true),
            ("2026-03-01T10:00:00Z", "2026-03-01T10:15:00Z", true),
            ("2026-03-01T10:00:05Z", "2026-03-01T10:02:00Z", true),
            ("2026-03-01T10:00:06Z", "2026-03-01T10:02:00Z", false),
            ("2026-03-01T09:00:00Z", "2026-03-01T10:15:01Z", false),
        ] {
            assert_eq!(
                evidence.counts_for(Some(at(started)), Some(at(completed))),
                counts,
                "{started} to {completed}"
            );
        }
    }

    #[test]
    fn evidence_that_is_seen_after_the_jobs_end_counts() {
        let late = seen_at("2026-03-01T11:00:00Z");
        let started = Some(at("2026-03-01T09:00:00Z"));
        assert!(late.counts_for(started, Some(at("2026-03-01T10:00:00Z"))));
    }

    #[test]
    fn a_warning_counts_from_two_minutes_before_the_job_to_half_a_minute_after_it() {
        let seen = at("2026-03-01T10:00:00Z");
        for (started, completed, counts) in [
            ("2026-03-01T10:02:05Z", "2026-03-01T10:03:00Z", true),
            ("2026-03-01T10:02:06Z", "2026-03-01T10:03:00Z", false),
            ("2026-03-01T09:00:00Z", "2026-03-01T09:59:30Z", true),
            ("2026-03-01T09:00:00Z", "2026-03-01T09:59:29Z", false),
            ("2026-03-01T09:00:00Z", "2026-03-01T10:15:00Z", true),
            ("2026-03-01T09:00:00Z", "2026-03-01T10:15:01Z", false),
        ] {
            let warning = Evidence {
                source: EvidenceSource::InterruptionWarning,
                first_seen_at: seen,
            };
            assert_eq!(
                warning.counts_for(Some(at(started)), Some(at(completed))),
                counts,
                "{started} to {completed}"
            );
        }
    }

    #[test]
    fn what_ec2_says_of_the_instance_counts_though_it_is_seen_long_after_the_job() {
        for source in [EvidenceSource::StateReason, EvidenceSource::SpotRequest] {
            for (started, completed, counts) in [
                ("2026-03-01T08:00:00Z", "2026-03-01T09:00:00Z", true),
                ("2026-03-01T10:02:05Z", "2026-03-01T10:10:00Z", true),
                ("2026-03-01T10:02:06Z", "2026-03-01T10:10:00Z", false),
                ("2026-03-01T09:00:00Z", "2026-03-01T10:15:01Z", false),
            ] {
                let evidence = Evidence {
                    source,
                    first_seen_at: at("2026-03-01T10:00:00Z"),
                };
                assert_eq!(
                    evidence.counts_for(Some(at(started)), Some(at(completed))),
                    counts,
                    "{source:?}: {started} to {completed}"
                );
            }
        }
    }

    #[test]
    fn times_that_github_did_not_tell_exclude_nothing() {
        assert!(seen_at("2026-03-01T10:00:00Z").counts_for(None, None));
    }

    #[test]
    fn an_instance_bears_its_tag_and_its_state_reason() {
        let tag = ("runs-on-workflow-job-interrupted", "true");
        let spot = Some("Server.SpotInstanceTermination");
        assert_eq!(
            sources(&view(&[tag], spot)),
            [EvidenceSource::Tag, EvidenceSource::StateReason]
        );
        assert_eq!(
            sources(&view(&[], Some("Server.SpotInstanceShutdown"))),
            [EvidenceSource::StateReason]
        );
    }

    #[test]
    fn other_tags_and_reasons_are_no_evidence() {
        for reason in [
            "Client.InstanceInitiatedShutdown",
            "Client.UserInitiatedShutdown",
            "Server.InternalError",
        ] {
            assert!(sources(&view(&[], Some(reason))).is_empty(), "{reason}");
        }
        let denied = ("runs-on-workflow-job-interrupted", "false");
        assert!(sources(&view(&[denied, ("Name", "true")], None)).is_empty());
    }

    #[test]
    fn a_spot_request_tells_that_ec2_takes_its_instance_from_the_notice_on_a_stop_included() {
        for code in [
            "marked-for-termination",
            "marked-for-stop",
            "instance-terminated-by-price",
            "instance-terminated-no-capacity",
            "instance-terminated-capacity-oversubscribed",
            "instance-terminated-launch-group-constraint",
            "instance-terminated-by-experiment",
            "instance-stopped-by-price",
            "instance-stopped-no-capacity",
        ] {
            let told = told_by(&status(code), None, at("2026-03-01T10:00:00Z"));
            assert_eq!(told.expect(code).source, EvidenceSource::SpotRequest);
        }
    }

    #[test]
    fn a_mark_is_as_old_as_its_notice_and_explains_no_end_that_came_long_before_it() {
        let marked = status("marked-for-termination");
        let now = at("2026-03-01T10:05:00Z");
        let told = |ended: &str| told_by(&marked, Some(at(ended)), now);
        let just = told("2026-03-01T09:59:30Z").expect("within half a minute");
        assert_eq!(just.first_seen_at, at("2026-03-01T10:00:00Z"));
        assert_eq!(told("2026-03-01T09:59:29Z"), None);
        let taken = told_by(
            &status("instance-terminated-no-capacity"),
            Some(at("2026-03-01T09:50:00Z")),
            now,
        );
        assert_eq!(taken.map(|one| one.first_seen_at), Some(now));
    }

    #[test]
    fn a_spot_request_whose_instance_runs_or_was_ended_by_somebody_else_tells_of_no_interruption() {
        for code in [
            "fulfilled",
            "request-canceled-and-instance-running",
            "instance-terminated-by-user",
            "instance-terminated-by-schedule",
            "instance-terminated-by-service",
            "instance-stopped-by-user",
            "no-capacity",
            "capacity-not-available",
            "",
        ] {
            let told = told_by(&status(code), None, at("2026-03-01T10:00:00Z"));
            assert_eq!(told, None, "{code}");
        }
    }

    #[test]
    fn an_on_demand_instance_bears_no_evidence() {
        let tag = ("runs-on-workflow-job-interrupted", "true");
        let forged = InstanceView {
            capacity: Capacity::OnDemand,
            ..view(&[tag], None)
        };
        assert!(sources(&forged).is_empty());
    }

    #[test]
    fn stored_evidence_keeps_its_form() {
        let text = r#"{"source":"interruption-warning","first_seen_at":"2026-03-01T10:00:00Z"}"#;
        let evidence: Evidence = serde_json::from_str(text).expect("readable");
        assert_eq!(evidence.source, EvidenceSource::InterruptionWarning);
        assert_eq!(serde_json::to_string(&evidence).expect("writable"), text);
    }

    #[test]
    fn every_source_has_one_word_in_logs_and_records() {
        for source in [
            EvidenceSource::Tag,
            EvidenceSource::InterruptionWarning,
            EvidenceSource::StateReason,
            EvidenceSource::SpotRequest,
        ] {
            let stored = serde_json::to_value(source).expect("writable");
            assert_eq!(stored, source.as_str());
        }
    }

    #[test]
    fn all_of_evidence_source_are_in_all() {
        // Whoever adds one comes by here, and adds it to `ALL`.
        let place = |one: &EvidenceSource| -> usize {
            match one {
                EvidenceSource::Tag => 0,
                EvidenceSource::InterruptionWarning => 1,
                EvidenceSource::StateReason => 2,
                EvidenceSource::SpotRequest => 3,
            }
        };
        let places: Vec<usize> = EvidenceSource::ALL.iter().map(place).collect();
        assert_eq!(places, (0..4).collect::<Vec<_>>());
    }
}
