//! What is known of the run that a plan is for, from the variables that GitHub sets in each job.

use std::collections::BTreeMap;

/// Words of the run that a text may have as placeholders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RunWord {
    WorkflowId,
    RunNumber,
    RunId,
    Sha,
    Repository,
}

impl RunWord {
    const ALL: [Self; 5] = [
        Self::WorkflowId,
        Self::RunNumber,
        Self::RunId,
        Self::Sha,
        Self::Repository,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::WorkflowId => "workflow_id",
            Self::RunNumber => "run_number",
            Self::RunId => "run_id",
            Self::Sha => "sha",
            Self::Repository => "repository",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.as_str() == text)
    }

    /// All of them, for people.
    pub(crate) fn list() -> String {
        Self::ALL
            .map(|word| format!("{{{}}}", word.as_str()))
            .join(", ")
    }

    /// What to do where it is not known.
    pub(crate) fn missing(self) -> String {
        format!(
            "{{{}}} is not known: {} does not say it; GitHub sets it in every job, elsewhere set it yourself",
            self.as_str(),
            self.variable()
        )
    }

    fn variable(self) -> &'static str {
        match self {
            Self::WorkflowId => WORKFLOW_REF,
            Self::RunNumber => "GITHUB_RUN_NUMBER",
            Self::RunId => "GITHUB_RUN_ID",
            Self::Sha => "GITHUB_SHA",
            Self::Repository => "GITHUB_REPOSITORY",
        }
    }

    /// What it is in an environment; nothing where it is not as GitHub writes it.
    fn of(self, environment: &BTreeMap<String, String>) -> Option<String> {
        let text = environment.get(self.variable())?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = match self {
            Self::WorkflowId => workflow_file(text)?.rsplit('/').next()?,
            Self::RunNumber | Self::RunId => Some(text.as_str()).filter(|text| is_number(text))?,
            Self::Sha => Some(text.as_str()).filter(|text| is_hex(text))?,
            Self::Repository => text,
        };
        (!value.is_empty()).then(|| value.to_owned())
    }
}

/// `owner/name/.github/workflows/ci.yml@refs/heads/main`, of the workflow that the run is of, also in one that it calls.
const WORKFLOW_REF: &str = "GITHUB_WORKFLOW_REF";

/// What is known of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFacts {
    words: BTreeMap<RunWord, String>,
    workflow_file: Option<String>,
}

impl RunFacts {
    /// Reads the variables of a job.
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Self {
        let known = RunWord::ALL
            .into_iter()
            .filter_map(|word| Some((word, word.of(environment)?)));
        Self {
            words: known.collect(),
            workflow_file: environment
                .get(WORKFLOW_REF)
                .and_then(|text| workflow_file(text))
                .map(str::to_owned),
        }
    }

    /// The run's workflow file, as `.github/workflows/ci.yml`.
    pub fn workflow_file(&self) -> Option<&str> {
        self.workflow_file.as_deref()
    }

    pub(crate) fn get(&self, word: RunWord) -> Option<&str> {
        self.words.get(&word).map(String::as_str)
    }
}

/// The file in `owner/name/PATH@REF`. A branch may have an `@` in its name, so the first one counts.
fn workflow_file(reference: &str) -> Option<&str> {
    let (path, _) = reference.split_once('@')?;
    let (_, path) = path.split_once('/')?;
    path.split_once('/').map(|(_, file)| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(variables: &[(&str, &str)]) -> RunFacts {
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        RunFacts::from_environment(&variables.collect())
    }

    #[test]
    fn a_workflow_is_known_by_its_file_whatever_its_branch_is_called() {
        let run = facts(&[(
            "GITHUB_WORKFLOW_REF",
            "acme/shop/.github/workflows/ci.yml@refs/heads/bump/@types/node@20",
        )]);
        assert_eq!(run.get(RunWord::WorkflowId), Some("ci.yml"));
        assert_eq!(run.workflow_file(), Some(".github/workflows/ci.yml"));
    }

    #[test]
    fn what_is_not_as_github_writes_it_is_not_known() {
        let run = facts(&[
            ("GITHUB_RUN_NUMBER", "7/../8"),
            ("GITHUB_RUN_ID", ""),
            ("GITHUB_SHA", "main"),
            ("GITHUB_WORKFLOW_REF", "ci"),
        ]);
        assert_eq!(run, RunFacts::default());
    }
}
