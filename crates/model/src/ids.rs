//! A newtype for every id, so that a job id can never be passed where a run id is wanted.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct InvalidId {
    /// The text as it came.
    pub text: String,
    /// What would have been right, with an example.
    pub wanted: &'static str,
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is; nothing about its form is promised.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

number_id! {
    /// A job **of one attempt**: a re-run gives every job of the run a new id, also those that did
    /// not execute again.
    JobId
}
number_id! {
    /// A workflow run; the same in all its attempts.
    RunId
}
number_id! {
    /// A workflow file of a repository.
    WorkflowId
}
number_id! {
    /// The check run behind a job.
    CheckRunId
}
number_id! {
    /// An installation of the GitHub App.
    InstallationId
}
number_id! {
    /// One attempt of GitHub's to deliver a webhook; a redelivery has another.
    HookAttemptId
}
number_id! {
    /// A self-hosted runner as GitHub counts them.
    RunnerId
}
number_id! {
    /// A group of an organisation's self-hosted runners.
    RunnerGroupId
}

text_id! {
    /// A runner's name as GitHub shows it, up to 64 characters.
    RunnerName
}
text_id! {
    /// `X-GitHub-Delivery`; the same in a redelivery.
    DeliveryId
}
text_id! {
    /// Where a page of GitHub's list of deliveries begins.
    HookCursor
}
text_id! {
    /// An AWS region, as `eu-west-1`.
    Region
}
text_id! {
    /// An AWS account, twelve digits.
    AccountId
}
text_id! {
    /// The name that one installation of Reprise gives to everything it owns.
    StackName
}
text_id! {
    /// A commit.
    Sha
}

/// `owner/name`, compared without regard to case as GitHub does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// The account or organisation.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn folded(&self) -> (String, String) {
        (
            self.owner.to_ascii_lowercase(),
            self.name.to_ascii_lowercase(),
        )
    }
}

impl PartialEq for Repository {
    fn eq(&self, other: &Self) -> bool {
        self.owner.eq_ignore_ascii_case(&other.owner) && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl Eq for Repository {}

impl PartialOrd for Repository {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Repository {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(&other.folded())
    }
}

impl std::hash::Hash for Repository {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl FromStr for Repository {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        match text.split_once('/') {
            Some((owner, name)) if plain(owner) && plain(name) => Ok(Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
            }),
            Some(_) | None => Err(InvalidId {
                text: text.to_owned(),
                wanted: "a repository, as acme/shop",
            }),
        }
    }
}

impl TryFrom<String> for Repository {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// The attempt of a **run**, from 1: after one early job is re-run, a dependent that executes for
/// the first time also has attempt 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunAttempt(NonZeroU32);

impl RunAttempt {
    /// The attempt that a push, a schedule or a person's dispatch starts.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// `None` for 0, which GitHub never uses.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// Whether this is the first attempt.
    pub fn is_first(self) -> bool {
        self == Self::FIRST
    }

    /// The attempt that a re-run of this one makes.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for RunAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An EC2 instance id: `i-` and 8 or 17 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(String);

impl InstanceId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_resource_id(text, "i-") {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                text: text.to_owned(),
                wanted: "an instance id, as i-0123456789abcdef0",
            })
        }
    }
}

impl TryFrom<String> for InstanceId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An AMI's id: `ami-` and 8 or 17 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageId(String);

impl ImageId {
    /// What every one begins with.
    pub const PREFIX: &str = "ami-";

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_resource_id(text, Self::PREFIX) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                text: text.to_owned(),
                wanted: "an AMI's id, as ami-0123456789abcdef0",
            })
        }
    }
}

impl TryFrom<String> for ImageId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ImageId> for String {
    fn from(id: ImageId) -> Self {
        id.0
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// EC2's ids: a prefix, and as many lower-case hexadecimal digits as it used once or uses now.
fn is_resource_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    let hex = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    hex && matches!(digits.len(), 8 | 17)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_the_same_in_any_case() {
        let one: Repository = "Acme/Shop".parse().expect("valid");
        let other: Repository = "acme/shop".parse().expect("valid");
        assert_eq!(one, other);
        assert_eq!(one.to_string(), "Acme/Shop");
    }

    #[test]
    fn a_repository_that_could_leave_its_path_is_refused() {
        for text in [
            "acme",
            "acme/",
            "/shop",
            "acme/..",
            "acme/shop/x",
            "a b/c",
            "acme/s?x",
        ] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_instance_id_has_8_or_17_lower_case_hexadecimal_digits() {
        for good in ["i-0123abcd", "i-0123456789abcdef0"] {
            assert!(good.parse::<InstanceId>().is_ok(), "{good}");
        }
        for bad in [
            "i-",
            "0123abcd",
            "i-0123ABCD",
            "i-0123456",
            "i-0123456789abcdef01",
            "",
        ] {
            assert!(bad.parse::<InstanceId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_amis_id_is_known_by_its_prefix_and_its_digits() {
        for good in ["ami-0123abcd", "ami-0123456789abcdef0"] {
            assert!(good.parse::<ImageId>().is_ok(), "{good}");
        }
        for bad in ["ami-", "i-0123abcd", "ami-0123", "AMI-0123abcd", "debian"] {
            assert!(bad.parse::<ImageId>().is_err(), "{bad}");
        }
    }
}
