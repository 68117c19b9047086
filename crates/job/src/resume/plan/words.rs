//! What is told beside the plan: mistakes and warnings, where GitHub shows them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use reprise_lint::{Place, Resumption, Source, resumption};
use reprise_resume::{Manifest, ManifestError};

use super::look;
use crate::annotations::{Level, Spot, annotation};
use crate::output::{harmless, note, say_exactly};

/// What annotations are headed by.
const TITLE: &str = "reprise resume plan";

/// Who reads it.
pub(super) enum Words {
    /// GitHub, which shows annotations.
    GitHub,
    /// A person at a terminal.
    Person,
}

impl Words {
    pub(super) fn of(environment: &BTreeMap<String, String>) -> Self {
        match environment.get("GITHUB_ACTIONS").map(String::as_str) {
            Some("true") => Self::GitHub,
            Some(_) | None => Self::Person,
        }
    }

    /// All mistakes of a manifest.
    pub(super) fn mistakes(&self, error: &ManifestError) -> Result<()> {
        note(format_args!("error: {}", harmless(&error.to_string())));
        match self {
            Self::GitHub => error.problems.iter().try_for_each(|problem| {
                let place = Place {
                    line: problem.line,
                    ..Place::START
                };
                let spot = spot(&error.name, place);
                say_exactly(&annotation(Level::Error, spot, TITLE, &problem.message))
            }),
            Self::Person => Ok(()),
        }
    }

    /// Something about a file as a whole.
    pub(super) fn warn(&self, file: &Path, message: &str) -> Result<()> {
        self.warn_at(&file.display().to_string(), Place::START, message)
    }

    fn warn_at(&self, file: &str, place: Place, message: &str) -> Result<()> {
        match self {
            Self::GitHub => say_exactly(&annotation(
                Level::Warning,
                spot(file, place),
                TITLE,
                message,
            )),
            Self::Person => {
                let Place { line, column } = place;
                let told = format!("{file}:{line}:{column}: warning: {message}");
                note(harmless(&told));
                Ok(())
            }
        }
    }
}

fn spot(file: &str, place: Place) -> Spot<'_> {
    Spot {
        file,
        line: place.line,
        column: place.column,
    }
}

/// Says where the workflow does not follow the plan as it was meant. It is only looked at where it is known: a plan is
/// none the worse without that.
pub(super) fn about_workflow(
    words: &Words,
    manifest: &Manifest,
    named: Option<&Path>,
    of_run: Option<&str>,
) -> Result<()> {
    let Some(path) = named.or(of_run.map(Path::new)) else {
        return Ok(());
    };
    let name = path.display().to_string();
    let text = match look::text(path, reprise_lint::LARGEST) {
        Ok(text) => text,
        Err(error) if named.is_some() => {
            return Err(anyhow::Error::new(error).context(format!("failed to read {name}")));
        }
        Err(_) => {
            let message = "this workflow is not in the workspace, so whether it follows the plan was not looked at; check \
                           the repository out before";
            return words.warn(path, message);
        }
    };
    let source = Source {
        name: name.clone(),
        bytes: text.into_bytes(),
    };
    let planned: Vec<&str> = manifest.names().map(|name| name.as_str()).collect();
    let Resumption { advice, missing } = resumption(&source, &planned);
    for one in advice {
        let message = format!("{}\n{}", one.message, one.hint);
        words.warn_at(&name, one.place, &message)?;
    }
    match missing.as_slice() {
        [] => Ok(()),
        [first, others @ ..] => {
            let others = match others.len() {
                0 => String::new(),
                count => format!(" and {count} others"),
            };
            let message = format!(
                "the manifest has the job {first:?}{others}, which this workflow does not have; write the name that GitHub shows"
            );
            words.warn(path, &message)
        }
    }
}

/// A stranger's words as a part of one line.
pub(super) fn one_line(text: &str) -> String {
    text.split(char::is_control)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
