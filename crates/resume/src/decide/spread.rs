//! How one necessary job makes others necessary.

use std::collections::VecDeque;

use super::{Verdict, Why, WhyNot};
use crate::job::Job;

/// What is known of a job so far.
struct State<'a> {
    own: &'a Result<Why, WhyNot>,
    /// A job that it needs, is stale with, and that is necessary.
    stale: Option<usize>,
    /// A necessary job that needs it.
    wanted_by: Option<usize>,
    necessary: bool,
}

/// The verdicts of jobs, from what each is by itself. It goes from each necessary job to its neighbours, once, so the
/// set that it ends with is the least one.
pub(super) fn spread(jobs: &[Job], own: &[Result<Why, WhyNot>]) -> Vec<Verdict> {
    let mut dependents = vec![Vec::new(); jobs.len()];
    for (place, job) in jobs.iter().enumerate() {
        for input in &job.needs {
            if let Some(list) = dependents.get_mut(*input) {
                list.push(place);
            }
        }
    }
    let state = |own| State {
        own,
        stale: None,
        wanted_by: None,
        necessary: false,
    };
    let mut states: Vec<State<'_>> = own.iter().map(state).collect();
    let mut fresh: VecDeque<usize> = VecDeque::new();
    for place in 0..jobs.len() {
        settle(place, jobs, &mut states, &mut fresh);
    }
    while let Some(place) = fresh.pop_front() {
        let (Some(job), Some(dependents)) = (jobs.get(place), dependents.get(place)) else {
            continue;
        };
        for input in &job.needs {
            if let Some(state) = states.get_mut(*input) {
                state.wanted_by.get_or_insert(place);
                settle(*input, jobs, &mut states, &mut fresh);
            }
        }
        for dependent in dependents {
            if let Some(state) = states.get_mut(*dependent) {
                state.stale.get_or_insert(place);
                settle(*dependent, jobs, &mut states, &mut fresh);
            }
        }
    }
    let all = jobs.iter().zip(&states);
    all.map(|(job, state)| verdict(job, state, jobs)).collect()
}

/// Makes a job necessary where all that it takes is known.
fn settle(place: usize, jobs: &[Job], states: &mut [State<'_>], fresh: &mut VecDeque<usize>) {
    let (Some(job), Some(state)) = (jobs.get(place), states.get_mut(place)) else {
        return;
    };
    let is_left = state.own.is_ok() || (job.stale_with_inputs && state.stale.is_some());
    let may = !job.only_if_wanted || state.wanted_by.is_some();
    if is_left && may && !state.necessary {
        state.necessary = true;
        fresh.push_back(place);
    }
}

fn verdict(job: &Job, state: &State<'_>, jobs: &[Job]) -> Verdict {
    let name = |place: Option<usize>| {
        let job = place.and_then(|place| jobs.get(place));
        job.map(|job| job.name.clone())
    };
    let wanted_by = name(state.wanted_by).filter(|_| job.only_if_wanted);
    match (state.own, name(state.stale)) {
        (Ok(why), _) if state.necessary => Verdict::Necessary {
            why: why.clone(),
            wanted_by,
        },
        (Err(_), Some(input)) if state.necessary => Verdict::Necessary {
            why: Why::Stale(input),
            wanted_by,
        },
        (Err(why_not), _) => Verdict::Unnecessary(why_not.clone()),
        (Ok(_), _) => Verdict::Unnecessary(WhyNot::NotWanted),
    }
}
