//! `[fleet]`, `[breaker]` and `[runner]`: what is launched, and how it gets its runner.

use jiff::SignedDuration;
use reprise_model::machine::Architecture;
use reprise_model::policy::OnLaunchExhausted;
use serde::Deserialize;

/// What is launched.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fleet {
    /// `false` is the retry-only mode beside any other runner fleet: nothing is launched, nothing ended, and the
    /// other keys here are not needed.
    ///
    /// Default: `true`.
    pub(crate) enabled: Option<bool>,
    /// The stack's name, in at most 256 characters: instances bear it as a tag, and only those are ever ended.
    ///
    /// Required with a fleet.
    pub(crate) stack: Option<String>,
    /// Where to launch.
    ///
    /// Default: the first of `[[aws.regions]]`.
    pub(crate) region: Option<String>,
    /// The launch template, by name or id.
    ///
    /// Required with a fleet.
    pub(crate) launch_template: Option<String>,
    /// Its version: a number, `$Default` or `$Latest`.
    ///
    /// Default: `"$Default"`.
    pub(crate) launch_template_version: Option<String>,
    /// The subnets to launch in, one a zone.
    ///
    /// Required with a fleet.
    pub(crate) subnets: Vec<String>,
    /// Those for jobs that say `private`, whose machines get no public address.
    ///
    /// Default: `[]`.
    pub(crate) private_subnets: Vec<String>,
    /// The only types that labels may choose from, best first. Without them they choose from all that EC2 has, within
    /// `[limits]`.
    ///
    /// Default: `[]`.
    pub(crate) types: Vec<FleetType>,
    /// What the launch template's image is for.
    ///
    /// Default: `"x64"`.
    pub(crate) architecture: Option<Architecture>,
    /// What that image calls its root device, as `/dev/sda1`; `volume=` needs it where a label names no image.
    ///
    /// Default: none.
    pub(crate) root_device: Option<String>,
    /// Jobs with this `env=` are served; those without one are of "production".
    ///
    /// Default: `"production"`.
    pub(crate) environment: Option<String>,
    /// How often a launch is tried before it is given up.
    ///
    /// Default: `20`. Range: at least `1`.
    pub(crate) launch_tries: Option<u32>,
    /// How many instances may be launched for one job, one after the other, where they are lost before it gets one.
    ///
    /// Default: `3`. Range: at least `1`.
    pub(crate) most_launches: Option<u32>,
    /// What follows when a job gets no machine, beside the failed check run that says why.
    ///
    /// Default: `"leave-queued"`.
    pub(crate) on_launch_exhausted: Option<OnLaunchExhausted>,
    /// Whether an instance is tagged with the job that its runner took.
    ///
    /// Default: `true`.
    pub(crate) tag_jobs: Option<bool>,
    /// How often GitHub is searched for queued jobs that no event announced; `"0s"` is never.
    ///
    /// Default: `"15m"`. Range: `"0s"` to `"6h"`.
    pub(crate) find_queued_every: Option<SignedDuration>,
    /// From which age on the runner in an image in use is warned of, once a day; `"0s"` is never.
    ///
    /// Default: `"720h"`. Range: at least `"0s"`.
    pub(crate) old_image_after: Option<SignedDuration>,
    /// How old an instance may become on which GitHub shows no job that runs.
    ///
    /// Default: `"168h"`. Range: at least `"1h"`.
    pub(crate) max_run_time: Option<SignedDuration>,
}

/// When spot of a family in a zone is left alone.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Breaker {
    /// After so many failures: launches for want of capacity, and instances that EC2 took back; 0 is never.
    ///
    /// Default: `3`.
    pub(crate) failures: Option<u32>,
    /// Within this time.
    ///
    /// Default: `"10m"`. Range: more than `"0s"` to `"12h"`.
    pub(crate) within: Option<SignedDuration>,
    /// For how long; it doubles each time that it fails again.
    ///
    /// Default: `"10m"`. Range: more than `"0s"` to `"12h"`.
    pub(crate) open_for: Option<SignedDuration>,
    /// For how long at most; not shorter than `open_for`.
    ///
    /// Default: `"1h"`. Range: `open_for` to `"12h"`.
    pub(crate) open_for_at_most: Option<SignedDuration>,
    /// For how many percent of all such pools at most.
    ///
    /// Default: `50`. Range: `1` to `100`.
    pub(crate) most_open: Option<u32>,
}

/// An instance type that labels may choose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FleetType {
    /// Its name, as `c7a.large`.
    ///
    /// Required.
    pub(crate) name: String,
    /// Its vCPUs.
    ///
    /// Required. Range: `1` to `limits.cpu`.
    pub(crate) cpu: u32,
    /// Its memory in GiB.
    ///
    /// Required. Range: `1` to `limits.ram`.
    pub(crate) ram: u32,
}

/// How runners are called, and how new instances get theirs.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Runner {
    /// A regular expression over runner names with the group `instance`, and perhaps `region`.
    ///
    /// Default: what finds an instance's id anywhere in the name.
    pub(crate) name_pattern: Option<String>,
    /// The DynamoDB table, one of this name in each region of the fleet, through which each new instance gets its
    /// runner's configuration. Without one, instances bring runners along.
    ///
    /// Default: none.
    pub(crate) table: Option<String>,
    /// The unique id of the instances' role, which `aws iam get-role` shows as RoleId.
    ///
    /// Required with `table`.
    pub(crate) role_id: Option<String>,
    /// The organisation's runner group; with `table`.
    ///
    /// Default: `"Default"`.
    pub(crate) group: Option<String>,
    /// Where jobs work, below the runner's own folder; with `table`.
    ///
    /// Default: `"_work"`.
    pub(crate) work_folder: Option<String>,
}
