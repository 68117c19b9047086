//! `[limits]`, `[runners.NAME]` and `[images.NAME]`: what labels may ask for.

use jiff::SignedDuration;
use reprise_model::machine::Architecture;
use serde::Deserialize;

use super::Said;

/// What labels may ask for, whoever writes them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Families as `family=` names them.
    ///
    /// Default: all but those with accelerators and whole hosts.
    pub(crate) families: Option<Vec<String>>,
    /// The most vCPUs.
    ///
    /// Default: `64`. Range: at least `1`.
    pub(crate) cpu: Option<u32>,
    /// The most GiB of memory.
    ///
    /// Default: `256`. Range: at least `1`.
    pub(crate) ram: Option<u32>,
    /// The most GiB of the volume.
    ///
    /// Default: `500`. Range: at least `1`.
    pub(crate) volume: Option<u32>,
    /// The most operations of the volume a second.
    ///
    /// Default: `16000`. Range: at least `1`.
    pub(crate) iops: Option<u32>,
    /// Whose images a label may name by their id: accounts, `self`, `amazon`.
    ///
    /// Default: `[]`.
    pub(crate) image_owners: Vec<String>,
    /// Labels that a job may have beside its settings, `self-hosted` and GitHub's words for systems and
    /// architectures; `*` stands for any text. The runner bears them.
    ///
    /// Default: `[]`.
    pub(crate) labels: Vec<String>,
    /// Where labels may launch.
    ///
    /// Default: each of `[[aws.regions]]` with subnets.
    pub(crate) regions: Option<Vec<String>>,
    /// The most instances of the stack at once; above it jobs wait.
    ///
    /// Default: `1000`. Range: at least `1`.
    pub(crate) instances: Option<u32>,
    /// The most for a repository at once; above it jobs wait.
    ///
    /// Default: `500`. Range: at least `1`.
    pub(crate) instances_per_repository: Option<u32>,
    /// The most for a run at once; above it jobs are refused.
    ///
    /// Default: `256`. Range: at least `1`.
    pub(crate) instances_per_run: Option<u32>,
    /// How long a job waits for room before it is given up and told of.
    ///
    /// Default: `"6h"`. Range: more than `"0s"` to `"24h"`.
    pub(crate) longest_wait: Option<SignedDuration>,
}

/// A runner that labels choose by `runner=NAME`. The keys are those of labels, and at least one is set; what stands
/// here may exceed `[limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NamedRunner {
    /// vCPUs.
    ///
    /// Default: none.
    pub(crate) cpu: Option<Said>,
    /// GiB of memory.
    ///
    /// Default: none.
    pub(crate) ram: Option<Said>,
    /// Families or types.
    ///
    /// Default: none.
    pub(crate) family: Option<Said>,
    /// An image's name or id.
    ///
    /// Default: none.
    pub(crate) image: Option<Said>,
    /// The root volume, as `100gb:gp3`.
    ///
    /// Default: none.
    pub(crate) volume: Option<Said>,
    /// Whether first attempts may run on spot.
    ///
    /// Default: none.
    pub(crate) spot: Option<Said>,
    /// The region.
    ///
    /// Default: none.
    pub(crate) region: Option<Said>,
    /// Whether it has no public address.
    ///
    /// Default: none.
    pub(crate) private: Option<Said>,
    /// A tag of the instance, as `team:shop`.
    ///
    /// Default: none.
    pub(crate) tag: Option<Said>,
}

/// An image that labels choose by `image=NAME`: an `ami`, or the newest of an `owner` with such a `name`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Image {
    /// An AMI of the fleet's region.
    ///
    /// Required without `owner` and `name`.
    pub(crate) ami: Option<String>,
    /// An account, `self`, `amazon` or `aws-marketplace`.
    ///
    /// Required without `ami`.
    pub(crate) owner: Option<String>,
    /// The image's name; `*` stands for any text.
    ///
    /// Required without `ami`.
    pub(crate) name: Option<String>,
    /// What it is for.
    ///
    /// Default: `"x64"`.
    pub(crate) architecture: Option<Architecture>,
}
