//! The numbers and choices that configuration may change.

use jiff::SignedDuration;
use reprise_model::policy::{EvidenceRule, MixedReruns, OnDemandRetries, OnLaunchExhausted};
use reprise_model::tags::TagKeys;

/// What every decision goes by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long a job that ended without success is looked at again for evidence. EC2's answers
    /// are eventually consistent, and a tag set at the last moment shows within seconds.
    pub look_window: SignedDuration,
    /// The shortest pause between two looks. Later ones are as long as the job's end is past.
    pub look_again_after: SignedDuration,
    /// What it takes to believe that EC2 took a job's instance.
    pub evidence: EvidenceRule,
    /// How long, counted from the end of a job for which only its instance's tag speaks, proof is waited
    /// for where it is asked for. A notice gives two minutes; the rest is for the instance to shut down and
    /// for EC2's answers to show it. Its instance lives so long, as to end it would destroy the proof.
    pub proof_window: SignedDuration,
    /// When a job settled as not interrupted is looked at once more, counted from its end.
    pub late_look_after: SignedDuration,
    /// How several jobs come back of a run in which others really failed.
    pub mixed: MixedReruns,
    /// Which attempts above 1 are kept off spot.
    pub on_demand_retries: OnDemandRetries,
    /// The tag keys.
    pub tags: TagKeys,
    /// How often a launch is tried before it is given up.
    pub launch_tries: u32,
    /// How many instances may be launched for a job over its life: one that never comes up, that another
    /// job takes, or that GitHub gave no runner in time, is replaced so often.
    pub most_launches: u32,
    /// How long a job waits for room among the instances before it is given up.
    pub longest_wait: SignedDuration,
    /// How old an instance may become on which GitHub shows no job that runs. GitHub lets a job of a
    /// self-hosted runner run for five days, and wait for its runner for one day before.
    pub max_run_time: SignedDuration,
    /// What follows when a queued job gets no machine.
    pub on_launch_exhausted: OnLaunchExhausted,
    /// How long after a re-run was written down the run is first read to find out whether GitHub
    /// took it. The POST may be under way until its request times out (20 s by default), and
    /// GitHub's reads lag some seconds behind what it has taken.
    pub unclear_for: SignedDuration,
    /// How long a merge queue is kept waiting for a run. GitHub's queues themselves wait for an hour unless
    /// they are told otherwise.
    pub merge_gate_limit: SignedDuration,
    /// What part of EC2's documented rates a replica takes, in percent.
    pub ec2_rate_percent: u32,
    /// How many re-runs GitHub allows a run. Past it the call is answered as if it had worked.
    pub most_reruns: u32,
    /// How many jobs are re-run in a repository in an hour, by all policies together.
    pub most_jobs_an_hour: u32,
}

impl Rules {
    /// How long after its order was written down a re-run may be under way: whoever reads the run to
    /// find out what became of it must find it over.
    pub fn post_within(&self) -> SignedDuration {
        self.unclear_for / 5 * 4
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            look_window: SignedDuration::from_secs(60),
            look_again_after: SignedDuration::from_secs(5),
            evidence: EvidenceRule::default(),
            proof_window: SignedDuration::from_mins(3),
            late_look_after: SignedDuration::from_mins(10),
            mixed: MixedReruns::default(),
            on_demand_retries: OnDemandRetries::default(),
            tags: TagKeys::default(),
            launch_tries: 20,
            most_launches: 3,
            // GitHub ends it after 24 hours, and tells nobody why.
            longest_wait: SignedDuration::from_hours(6),
            max_run_time: SignedDuration::from_hours(7 * 24),
            on_launch_exhausted: OnLaunchExhausted::default(),
            unclear_for: SignedDuration::from_secs(45),
            merge_gate_limit: SignedDuration::from_mins(60),
            ec2_rate_percent: 100,
            most_reruns: 50,
            most_jobs_an_hour: 300,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_re_run_is_over_before_anybody_reads_what_became_of_it() {
        let rules = Rules::default();
        assert_eq!(rules.post_within(), SignedDuration::from_secs(36));
        assert!(rules.post_within() < rules.unclear_for);
    }
}
