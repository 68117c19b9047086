//! The row by which a new instance gets the just-in-time configuration of its runner.
//!
//! The controller writes it and the instance's agent reads it, out of a DynamoDB table whose partition
//! key is `${aws:userid}` of whoever asks: an instance may read its own row and no other. The
//! configuration is a secret of GitHub's and works once, so a row is not meant to last.
//!
//! | attribute | type | what it is |
//! | --- | --- | --- |
//! | `pk` | S | the reader: the role's unique id, a colon, the instance's id |
//! | `config` | B | the configuration, packed by [`crate::runner_config`] |
//! | `runner` | S | the runner's name, for people who look in |
//! | `ttl` | N | when it may be deleted, in seconds since 1970 |

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, RunnerName};

/// The partition key.
pub const KEY: &str = "pk";

/// The configuration.
pub const CONFIG: &str = "config";

/// The runner's name.
pub const RUNNER: &str = "runner";

/// The time to live.
pub const EXPIRES: &str = "ttl";

/// How long a row is of use: an instance boots within minutes, and what was not fetched by then never
/// will be.
pub const LIVES_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The unique id of an instance's role, as `AROAEXAMPLEEXAMPLE123`: IAM shows it as `RoleId`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleId(String);

/// Why a text is no role's unique id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the unique id of a role; `aws iam get-role` shows it as RoleId, it begins with AROA"
)]
pub struct InvalidRoleId(String);

impl RoleId {
    /// The key of an instance's row: `${aws:userid}` of a program with the instance's role.
    pub fn row_of(&self, instance: &InstanceId) -> String {
        format!("{}:{instance}", self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RoleId {
    type Error = InvalidRoleId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // IAM's own bounds of a unique id.
        let length = (16..=128).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match text.starts_with("AROA") && length && plain {
            true => Ok(Self(text)),
            false => Err(InvalidRoleId(text)),
        }
    }
}

impl From<RoleId> for String {
    fn from(role: RoleId) -> Self {
        role.0
    }
}

/// A new name for a runner on an instance. A name whose fate at GitHub is not known is not used
/// again, so each try brings another random number.
pub fn runner_name(instance: &InstanceId, random: u32) -> RunnerName {
    RunnerName::new(format!("reprise--{instance}--{random:08x}"))
}

/// The instance that a runner of such a name was made for.
pub fn made_for(name: &RunnerName) -> Option<InstanceId> {
    let rest = name.as_str().strip_prefix("reprise--")?;
    let (instance, _) = rest.split_once("--")?;
    instance.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner_name::RunnerNamePattern;

    #[test]
    fn a_runner_that_we_made_tells_its_instance_and_another_ones_does_not() {
        let ours = runner_name(&instance(), 7);
        assert_eq!(made_for(&ours), Some(instance()));
        for name in [
            "i-0123456789abcdef0",
            "reprise--x--00000007",
            "reprise--i-0123456789abcdef0",
        ] {
            assert_eq!(made_for(&RunnerName::new(name)), None, "{name}");
        }
    }

    fn instance() -> InstanceId {
        "i-0123456789abcdef0".parse().expect("an id")
    }

    #[test]
    fn a_row_is_keyed_by_role_and_instance() {
        let role: RoleId = "AROAEXAMPLEEXAMPLE123"
            .to_owned()
            .try_into()
            .expect("an id");
        assert_eq!(
            role.row_of(&instance()),
            "AROAEXAMPLEEXAMPLE123:i-0123456789abcdef0"
        );
    }

    #[test]
    fn what_is_no_roles_id_is_refused() {
        for text in [
            "",
            "AROASHORT",
            "AIPAEXAMPLEEXAMPLE123",
            "AROAEXAMPLE:EXAMPLE123",
        ] {
            let refused = RoleId::try_from(text.to_owned()).expect_err(text);
            assert!(refused.to_string().contains("RoleId"), "{refused}");
        }
    }

    #[test]
    fn a_runners_name_fits_github_and_says_its_instance() {
        let name = runner_name(&instance(), u32::MAX);
        assert_eq!(name.as_str(), "reprise--i-0123456789abcdef0--ffffffff");
        assert!(name.as_str().len() <= 64);
        let read = RunnerNamePattern::default()
            .read(&name)
            .expect("an instance");
        assert_eq!(read.id, instance());
    }
}
