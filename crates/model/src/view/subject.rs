//! What somebody wants explained: GitHub's address of a run or a job, or a repository and a run's id.

use crate::ids::{JobId, Repository, RunId};

/// A run, or one of its jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The repository.
    pub repository: Repository,
    /// The run.
    pub run: RunId,
    /// The job, where one was named.
    pub job: Option<JobId>,
}

/// Why words name no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} names no run: {problem}; write the address of a run or a job at GitHub, as \
     https://github.com/acme/shop/actions/runs/9000000001/job/25000000001, or acme/shop 9000000001"
)]
pub struct NoSubject {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Subject {
    /// Reads one address, or a repository and a run's id.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn read(words: &[&str]) -> Result<Self, NoSubject> {
        let read = match words {
            [one] if is_address(one) => of_address(one),
            [one] => match one.rsplit_once(['/', '#']) {
                Some((repository, run)) => of_run(repository, run),
                None => Err("a run's id follows its repository"),
            },
            [repository, run] => of_run(repository, run),
            [] | [_, _, _, ..] => Err("it is one address, or a repository and an id"),
        };
        read.map_err(|problem| NoSubject {
            text: words.join(" "),
            problem,
        })
    }
}

fn is_address(text: &str) -> bool {
    text.contains("://")
}

fn of_run(repository: &str, run: &str) -> Result<Subject, &'static str> {
    Ok(Subject {
        repository: of_name(repository)?,
        run: number(run).map(RunId).ok_or("a run's id is a number")?,
        job: None,
    })
}

/// Of whichever host, as people see it or as the REST API names it: `OWNER/NAME/actions/runs/ID`, and
/// then perhaps `job/ID` or `attempts/N`.
fn of_address(address: &str) -> Result<Subject, &'static str> {
    let (_, rest) = address.split_once("://").ok_or("it is no address")?;
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let place = parts
        .windows(2)
        .position(|pair| pair == ["actions", "runs"]);
    let place = place.ok_or("it is the address of no run")?;
    let whose = place
        .checked_sub(2)
        .and_then(|first| parts.get(first..place));
    let repository = whose.ok_or("it names no repository")?.join("/");
    let run = parts.get(place + 2).and_then(|id| number(id));
    let rest = parts.get(place + 3..).unwrap_or_default();
    let job = rest.windows(2).find_map(|pair| match pair {
        ["job" | "jobs", id] => Some(number(id).ok_or("a job's id is a number")),
        _ => None,
    });
    Ok(Subject {
        repository: of_name(&repository)?,
        run: run.map(RunId).ok_or("a run's id is a number")?,
        job: job.transpose()?.map(JobId),
    })
}

fn of_name(name: &str) -> Result<Repository, &'static str> {
    name.parse()
        .map_err(|_| "a repository is written owner/name")
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(job: Option<u64>) -> Subject {
        Subject {
            repository: "acme/shop".parse().expect("valid"),
            run: RunId(900),
            job: job.map(JobId),
        }
    }

    #[test]
    fn a_run_or_a_job_is_named_as_people_find_it() {
        for (words, job) in [
            (
                &["https://github.com/acme/shop/actions/runs/900"] as &[&str],
                None,
            ),
            (
                &["https://github.com/acme/shop/actions/runs/900/job/7"],
                Some(7),
            ),
            (
                &["https://github.com/acme/shop/actions/runs/900/job/7?pr=3#step:4:1"],
                Some(7),
            ),
            (
                &["https://github.com/acme/shop/actions/runs/900/attempts/2"],
                None,
            ),
            (
                &["https://ghe.acme.com/acme/shop/actions/runs/900/attempts/2/"],
                None,
            ),
            (
                &["https://api.github.com/repos/acme/shop/actions/runs/900/jobs/7"],
                Some(7),
            ),
            (&["acme/shop", "900"], None),
            (&["acme/shop/900"], None),
            (&["acme/shop#900"], None),
        ] {
            assert_eq!(Subject::read(words), Ok(subject(job)), "{words:?}");
        }
    }

    #[test]
    fn what_names_no_run_is_told_with_what_would() {
        for (words, problem) in [
            (
                &["https://github.com/acme/shop/pull/3"] as &[&str],
                "it is the address of no run",
            ),
            (
                &["https://github.com/actions/runs/900"],
                "it names no repository",
            ),
            (
                &["https://github.com/acme/shop/actions/runs/latest"],
                "a run's id is a number",
            ),
            (
                &["https://github.com/acme/shop/actions/runs/900/job/x"],
                "a job's id is a number",
            ),
            (&["acme/shop", "-900"], "a run's id is a number"),
            (
                &["acme/shop", "99999999999999999999999"],
                "a run's id is a number",
            ),
            (&["shop", "900"], "a repository is written owner/name"),
            (&["900"], "a run's id follows its repository"),
            (
                &["a", "b", "c"],
                "it is one address, or a repository and an id",
            ),
            (&[], "it is one address, or a repository and an id"),
        ] {
            let told = Subject::read(words).expect_err("none").to_string();
            assert!(told.contains(problem), "{words:?}: {told}");
            assert!(told.contains("acme/shop 9000000001"), "{told}");
        }
    }
}
