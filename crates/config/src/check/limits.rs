//! `[limits]`: what strangers' labels may ask for. The defaults are safe: what costs much, or runs
//! somebody else's image, takes an operator's word.

use jiff::SignedDuration;
use reprise_engine::offer::Limits;
use reprise_engine::room::InstanceLimits;
use reprise_engine::rules::Rules;
use reprise_model::ids::Region;
use reprise_model::labels::{FamilyPattern, LabelPattern};

use crate::RegionConfig;
use crate::checker::Checker;
use crate::error::shown;
use crate::file;

/// A large build machine, and a few dollars an hour.
const CPU: u32 = 64;

/// Four GiB a vCPU.
const RAM: u32 = 256;

/// Some thirty times what an image takes.
const VOLUME: u32 = 500;

/// What a gp3 volume took at most when it came; an io2 of 256,000 costs thousands of dollars a month.
const IOPS: u32 = 16_000;

/// A job that has no runner by then is ended by GitHub.
const GITHUB_WAITS: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn limits(
    checker: &mut Checker<'_>,
    section: file::Limits,
    regions: &[RegionConfig],
) -> Limits {
    let defaults = InstanceLimits::default();
    let instances = InstanceLimits {
        stack: number(checker, "instances", section.instances, defaults.stack),
        repository: number(
            checker,
            "instances_per_repository",
            section.instances_per_repository,
            defaults.repository,
        ),
        run: number(
            checker,
            "instances_per_run",
            section.instances_per_run,
            defaults.run,
        ),
    };
    Limits {
        families: families(checker, section.families),
        cpu: Some(number(checker, "cpu", section.cpu, CPU)),
        ram: Some(number(checker, "ram", section.ram, RAM)),
        volume: Some(number(checker, "volume", section.volume, VOLUME)),
        iops: Some(number(checker, "iops", section.iops, IOPS)),
        image_owners: owners(checker, section.image_owners),
        regions: allowed(checker, section.regions, regions),
        labels: labels(checker, &section.labels),
        instances,
    }
}

/// How long a job waits for room.
pub(super) fn longest_wait(
    checker: &mut Checker<'_>,
    given: Option<SignedDuration>,
) -> SignedDuration {
    let wait = given.unwrap_or(Rules::default().longest_wait);
    if !wait.is_positive() || wait > GITHUB_WAITS {
        let problem = format!(
            "must be longer than nothing and not than {GITHUB_WAITS:#}, when GitHub ends the job"
        );
        checker.wrong("limits.longest_wait", problem);
    }
    wait
}

fn number(checker: &mut Checker<'_>, key: &str, value: Option<u32>, default: u32) -> u32 {
    if value == Some(0) {
        let key = format!("limits.{key}");
        checker.wrong(&key, "is 0, so that nothing would be launched");
    }
    value.unwrap_or(default)
}

fn families(checker: &mut Checker<'_>, families: Option<Vec<String>>) -> Vec<FamilyPattern> {
    let Some(families) = families else {
        return Vec::new();
    };
    if families.is_empty() {
        checker.wrong(
            "limits.families",
            "is empty, so that nothing would be launched; name families, as c7a, or leave it out",
        );
    }
    let read = families.iter().map(|text| FamilyPattern::new(text));
    read.filter_map(|family| {
        let family = family.map_err(|error| format!("holds a mistake: {error}"));
        checker.good("limits.families", family)
    })
    .collect()
}

fn labels(checker: &mut Checker<'_>, labels: &[String]) -> Vec<LabelPattern> {
    let read = labels.iter().map(|text| text.parse());
    read.filter_map(|label: Result<LabelPattern, _>| {
        let label = label.map_err(|error| format!("holds a mistake: {error}"));
        checker.good("limits.labels", label)
    })
    .collect()
}

fn owners(checker: &mut Checker<'_>, owners: Vec<String>) -> Vec<String> {
    for owner in owners.iter().filter(|owner| !is_owner(owner)) {
        let problem = format!(
            "holds {}, which is no owner; write an account's twelve digits, self, amazon or \
             aws-marketplace",
            shown(owner)
        );
        checker.wrong("limits.image_owners", problem);
    }
    owners
}

/// What DescribeImages takes for one.
pub(super) fn is_owner(text: &str) -> bool {
    is_account(text) || ["self", "amazon", "aws-marketplace", "aws-backup-vault"].contains(&text)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn allowed(
    checker: &mut Checker<'_>,
    allowed: Option<Vec<String>>,
    regions: &[RegionConfig],
) -> Vec<Region> {
    let Some(allowed) = allowed else {
        return Vec::new();
    };
    if allowed.is_empty() {
        checker.wrong(
            "limits.regions",
            "is empty, so that nothing would be launched; name regions, or leave it out",
        );
    }
    let is_there = |name: &String| regions.iter().any(|one| one.region.as_str() == name);
    for name in allowed.iter().filter(|name| !is_there(name)) {
        let problem = format!("holds {}, which is none of [[aws.regions]]", shown(name));
        checker.wrong("limits.regions", problem);
    }
    allowed.into_iter().map(Region::new).collect()
}
