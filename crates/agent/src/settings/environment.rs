//! The variables that count, and all that is wrong with them and with the file: whoever mends his settings is told
//! of everything at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::problem::SettingsProblem;
use super::{PREFIX, VARIABLES};

/// The variables that count. An empty one is as good as none.
pub(super) struct Environment<'a> {
    variables: &'a BTreeMap<String, String>,
    problems: RefCell<Vec<SettingsProblem>>,
}

/// A key that holds a path from the root on: the agent's working folder is nothing that people think of.
pub(super) struct PathKey {
    /// The key, and the section in which it stands.
    pub(super) key: &'static str,
    /// Its variables, the first of which counts.
    pub(super) variables: &'static [&'static str],
    /// How one would write it.
    pub(super) example: &'static str,
    /// Whether an empty one stands for none.
    pub(super) may_be_empty: bool,
}

impl<'a> Environment<'a> {
    pub(super) fn new(variables: &'a BTreeMap<String, String>) -> Self {
        let is_unknown =
            |name: &&String| name.starts_with(PREFIX) && !VARIABLES.contains(&name.as_str());
        let unknown = variables.keys().filter(is_unknown);
        let problems = unknown.map(|name| SettingsProblem::UnknownVariable {
            variable: name.clone(),
        });
        Self {
            variables,
            problems: RefCell::new(problems.collect()),
        }
    }

    /// Notes what makes the settings unusable.
    pub(super) fn refuse(&self, problem: SettingsProblem) {
        self.problems.borrow_mut().push(problem);
    }

    /// All that was noted.
    pub(super) fn into_problems(self) -> Vec<SettingsProblem> {
        self.problems.into_inner()
    }

    /// The value of the first of the names that is set, if it can be used.
    pub(super) fn first<T: for<'de> Deserialize<'de>>(&self, names: &[&str]) -> Option<T> {
        let (name, value) = self.set(names)?;
        let deserializer: StrDeserializer<'_, ValueError> = value.into_deserializer();
        match T::deserialize(deserializer) {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(SettingsProblem::Variable {
                    variable: name.to_owned(),
                    why: error.to_string(),
                });
                None
            }
        }
    }

    /// A path by its variable, or else as the file has it. AWS's own variables are others', and are taken as they are.
    pub(super) fn path(&self, key: &PathKey, written: Option<PathBuf>) -> Option<PathBuf> {
        if let Some(path) = &written {
            let is_none = key.may_be_empty && path.as_os_str().is_empty();
            if !is_none && !path.is_absolute() {
                self.refuse_path(key.key.to_owned(), path.clone(), key);
            }
        }
        let Some((name, value)) = self.set(key.variables) else {
            return written;
        };
        let path = PathBuf::from(value);
        if name.starts_with(PREFIX) && !path.is_absolute() {
            self.refuse_path(format!("the variable {name}"), path.clone(), key);
        }
        Some(path)
    }

    /// A word that must say something, where it is there.
    pub(super) fn word(&self, key: &'static str, word: Option<&str>, example: &'static str) {
        if word.is_some_and(|word| word.trim().is_empty()) {
            self.refuse(SettingsProblem::Empty { key, example });
        }
    }

    fn set<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &'a str)> {
        names.iter().find_map(|name| {
            let value = self.variables.get(*name)?;
            (!value.is_empty()).then_some((*name, value.as_str()))
        })
    }

    fn refuse_path(&self, place: String, path: PathBuf, key: &PathKey) {
        self.refuse(SettingsProblem::NoPath {
            place,
            path,
            example: key.example,
        });
    }
}
