//! Which executions of a job's key came before it.
//!
//! Every attempt of a run lists every job anew, also those that did not execute again, so the same
//! execution may stand in several lists: it counts once.

use std::collections::BTreeMap;

use reprise_model::ids::RunAttempt;
use reprise_model::job::{Execution, Job};

/// What can be said of a job's earlier executions by the lists that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum EarlierRead {
    /// The jobs of this attempt must be read first.
    Read(RunAttempt),
    /// GitHub fills the list of a new attempt over some seconds. Where equal names make the place in
    /// that list matter, and it is not complete yet, nothing can be said: a missing execution would
    /// allow a re-run too many. To be read anew, later.
    Incomplete,
    /// All of them, oldest first.
    Known(Vec<Execution>),
}

/// The executions of the job's key in the attempts before its own. `lists` are the jobs of the
/// attempts that were read, each whole.
pub fn earlier_executions(job: &Job, lists: &BTreeMap<RunAttempt, Vec<Job>>) -> EarlierRead {
    let mut executions: Vec<Execution> = Vec::new();
    for attempt in (1..job.run_attempt.get()).filter_map(RunAttempt::new) {
        let Some(jobs) = lists.get(&attempt) else {
            return EarlierRead::Read(attempt);
        };
        let before = namesakes(job, jobs);
        let place = match before.len() {
            0 | 1 => 0,
            count => {
                let Some(current) = lists.get(&job.run_attempt) else {
                    return EarlierRead::Read(job.run_attempt);
                };
                match place(job, current, count) {
                    Some(place) => place,
                    None => return EarlierRead::Incomplete,
                }
            }
        };
        let same = before.get(place).map(|found| found.execution());
        executions.extend(same.filter(|one| !executions.contains(one)));
    }
    EarlierRead::Known(executions)
}

/// The jobs of the same name, in the order of their ids.
fn namesakes<'a>(job: &Job, jobs: &'a [Job]) -> Vec<&'a Job> {
    let mut found: Vec<&Job> = jobs.iter().filter(|other| other.name == job.name).collect();
    found.sort_by_key(|found| found.id);
    found
}

/// The job's place among its namesakes; `None` when fewer than `count` are listed yet, or it is not.
fn place(job: &Job, current: &[Job], count: usize) -> Option<usize> {
    let namesakes = namesakes(job, current);
    if namesakes.len() < count {
        return None;
    }
    namesakes.iter().position(|found| found.id == job.id)
}

#[cfg(test)]
mod tests {
    use reprise_model::ids::RunnerName;

    use super::*;
    use crate::samples::{attempt, job};

    #[test]
    fn the_first_attempt_has_nothing_before_it() {
        assert_eq!(said(&job(1, "build"), &[]), EarlierRead::Known(Vec::new()));
    }

    #[test]
    fn each_earlier_attempt_is_read_once() {
        let third = later(3, job(21, "build"));
        assert_eq!(said(&third, &[]), EarlierRead::Read(attempt(1)));
        let first = [(1, vec![job(1, "build")])];
        assert_eq!(said(&third, &first), EarlierRead::Read(attempt(2)));
    }

    #[test]
    fn a_record_that_was_carried_over_counts_once() {
        let first = on("a", job(1, "build"));
        let carried_over = later(2, on("a", job(11, "build")));
        let lists = [(1, vec![first.clone()]), (2, vec![carried_over])];
        let said = said(&later(3, on("b", job(21, "build"))), &lists);
        assert_eq!(said, EarlierRead::Known(vec![first.execution()]));
    }

    #[test]
    fn a_job_that_is_new_in_its_attempt_has_none() {
        let lists = [(1, vec![job(1, "test")])];
        let said = said(&later(2, job(11, "build")), &lists);
        assert_eq!(said, EarlierRead::Known(Vec::new()));
    }

    #[test]
    fn among_equal_names_the_place_by_id_tells_which_execution_is_whose() {
        let before = vec![on("b", job(2, "test")), on("a", job(1, "test"))];
        let second = later(2, on("d", job(12, "test")));
        let lists = [(1, before.clone())];
        assert_eq!(said(&second, &lists), EarlierRead::Read(attempt(2)));
        let current = vec![second.clone(), later(2, on("c", job(11, "test")))];
        let lists = [(1, before.clone()), (2, current)];
        assert_eq!(
            said(&second, &lists),
            EarlierRead::Known(vec![before[0].execution()])
        );
    }

    #[test]
    fn a_list_that_is_not_complete_yet_says_nothing_among_equal_names() {
        let before = vec![job(1, "test"), job(2, "test")];
        let second = later(2, job(12, "test"));
        for current in [vec![second.clone()], vec![job(10, "test"), job(11, "test")]] {
            let lists = [(1, before.clone()), (2, current)];
            assert_eq!(said(&second, &lists), EarlierRead::Incomplete);
        }
    }

    fn said(job: &Job, lists: &[(u32, Vec<Job>)]) -> EarlierRead {
        let lists = lists
            .iter()
            .map(|(number, jobs)| (attempt(*number), jobs.clone()))
            .collect();
        earlier_executions(job, &lists)
    }

    fn later(number: u32, job: Job) -> Job {
        Job {
            run_attempt: attempt(number),
            ..job
        }
    }

    fn on(runner: &str, job: Job) -> Job {
        Job {
            runner_name: Some(RunnerName::new(runner)),
            ..job
        }
    }
}
