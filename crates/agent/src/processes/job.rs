//! Which job runs, read from the environment of its step.
//!
//! Invariant: that environment holds secrets, so five words of it are kept and the rest is neither
//! kept, nor shown, nor handed on.

use std::fs::File;
use std::io::Read;

use super::{ProcFolder, Process};

/// Far more than an environment needs; the kernel allows a few megabytes.
const LIMIT_BYTES: u64 = 512 * 1024;

/// What is known of the job that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFacts {
    /// Its repository, as `owner/name`.
    pub repository: Option<String>,
    /// Its workflow run.
    pub run_id: Option<String>,
    /// The attempt of that run.
    pub run_attempt: Option<String>,
    /// Its key in the workflow file.
    pub job: Option<String>,
    /// Where its checkout lies.
    pub workspace: Option<String>,
}

impl ProcFolder {
    /// The facts of the job whose step this process is; nothing where the environment is not for
    /// the agent to see.
    pub fn job_facts(&self, step: Process) -> JobFacts {
        let mut bytes = Vec::new();
        let read = File::open(self.of(step.pid).join("environ"))
            .and_then(|file| file.take(LIMIT_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) if self.lives(step) => read_facts(&bytes),
            Ok(_) | Err(_) => JobFacts::default(),
        }
    }
}

fn read_facts(environ: &[u8]) -> JobFacts {
    let word = |name: &str| {
        let words = environ.split(|byte| *byte == 0);
        let mut values = words.filter_map(|word| {
            let (key, value) = word.split_at_checked(name.len())?;
            (key == name.as_bytes()).then(|| value.strip_prefix(b"="))?
        });
        let value = std::str::from_utf8(values.next()?).ok()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    JobFacts {
        repository: word("GITHUB_REPOSITORY"),
        run_id: word("GITHUB_RUN_ID"),
        run_attempt: word("GITHUB_RUN_ATTEMPT"),
        job: word("GITHUB_JOB"),
        workspace: word("GITHUB_WORKSPACE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_words_are_read_and_no_others() {
        let environ = b"AWS_SECRET=x\0GITHUB_JOB=build\0GITHUB_JOB_NAME=other\0GITHUB_RUN_ID=42\0\
            GITHUB_REPOSITORY=acme/app\0GITHUB_TOKEN=ghs_secret\0GITHUB_RUN_ATTEMPT=\0";
        let facts = read_facts(environ);
        let expected = JobFacts {
            repository: Some("acme/app".to_owned()),
            run_id: Some("42".to_owned()),
            run_attempt: None,
            job: Some("build".to_owned()),
            workspace: None,
        };
        assert_eq!(facts, expected);
        assert!(!format!("{facts:?}").contains("secret"));
    }
}
