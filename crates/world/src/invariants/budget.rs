//! How much is re-run in an hour.
//!
//! A job that an earlier re-run left behind, and that is asked for by itself, is a part of that one.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::Repository;

use super::Mandate;
use super::reruns::{Accepted, accepted};
use crate::github::{GitHub, MutationKind};

/// 12: in no hour are more jobs of a repository re-run automatically than may be, unless it is one re-run
/// that is bigger; among the mutations from the `from`-th on.
pub(super) fn never_over_budget(github: &GitHub, mandate: Mandate, from: usize) -> Vec<String> {
    let Some(most) = mandate.most_an_hour else {
        return Vec::new();
    };
    let new = accepted(github, mandate, from);
    let over = new.filter_map(|rerun| {
        let (repository, at) = (&rerun.mutation.repository, rerun.mutation.at);
        let counts = of_hour(github, mandate, repository, at);
        let jobs: usize = counts.iter().sum();
        let is_over = counts.len() > 1 && jobs > most;
        is_over.then(|| {
            format!(
                "{jobs} jobs of {repository} were re-run in the hour before {at}, and {most} may be"
            )
        })
    });
    over.collect()
}

/// How many jobs each re-run of the hour was.
fn of_hour(
    github: &GitHub,
    mandate: Mandate,
    repository: &Repository,
    end: Timestamp,
) -> Vec<usize> {
    let begin = end.saturating_sub(SignedDuration::from_hours(1));
    let begin = begin.unwrap_or(Timestamp::MIN);
    accepted(github, mandate, 0)
        .filter(|rerun| rerun.mutation.repository == *repository)
        .filter(|rerun| (begin..=end).contains(&rerun.mutation.at))
        .map(|rerun| jobs_of(&rerun))
        .filter(|jobs| *jobs > 0)
        .collect()
}

fn jobs_of(rerun: &Accepted<'_>) -> usize {
    let was_left_behind =
        |is_carried_over: bool| is_carried_over && rerun.mutation.what == MutationKind::RerunJob;
    let jobs = rerun.roots().into_iter();
    jobs.filter(|job| !was_left_behind(job.is_carried_over()))
        .count()
}
