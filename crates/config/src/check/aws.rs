//! `[[aws.regions]]`: where instances are looked for, and where they may be launched.

use std::collections::BTreeSet;

use reprise_engine::offer::RegionOffer;
use reprise_model::ids::{AccountId, Region};

use crate::RegionConfig;
use crate::checker::Checker;
use crate::error::shown;
use crate::file::{self, File};

pub(super) fn regions(checker: &mut Checker<'_>, section: file::Aws) -> Vec<RegionConfig> {
    if section.regions.is_empty() {
        checker.wrong(
            "aws.regions",
            "is empty; add [[aws.regions]] with region and account",
        );
    }
    let mut named = BTreeSet::new();
    for region in &section.regions {
        let name = &region.region;
        let right = "write a region, as eu-west-1";
        checker.filled("aws.regions.region", name, right);
        if !name.trim().is_empty() && !looks_like_a_region(name) {
            let problem = format!("is {}; {right}", shown(name));
            checker.wrong("aws.regions.region", problem);
        }
        if !name.trim().is_empty() && !named.insert(name) {
            let problem = format!("is {} twice; one entry a region", shown(name));
            checker.wrong("aws.regions.region", problem);
        }
        access(checker, region);
    }
    let regions = section.regions.into_iter();
    regions
        .map(|region| RegionConfig {
            region: Region::new(region.region),
            account: AccountId::new(region.account),
            role_arn: region.role_arn,
        })
        .collect()
}

/// The regions, that of the fleet first, with the subnets to launch in; none where nothing is
/// launched.
pub(super) fn places(checker: &mut Checker<'_>, file: &File) -> Vec<RegionOffer> {
    let fleet = &file.fleet;
    if fleet.enabled == Some(false) {
        return Vec::new();
    }
    let first = file.aws.regions.first().map(|one| one.region.as_str());
    let Some(home) = fleet.region.as_deref().or(first) else {
        return Vec::new();
    };
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        (file.aws.regions.iter()).partition(|one| one.region == home);
    if here.is_empty() {
        let problem = format!("is {}, which is none of [[aws.regions]]", shown(home));
        checker.wrong("fleet.region", problem);
    }
    for one in &here {
        if !one.subnets.is_empty() || !one.private_subnets.is_empty() {
            let problem = format!("of {home} are those of [fleet]; write them there");
            checker.wrong("aws.regions.subnets", problem);
        }
    }
    let here = here.into_iter().map(|one| RegionOffer {
        subnets: fleet.subnets.clone(),
        private_subnets: fleet.private_subnets.clone(),
        ..place(one)
    });
    let is_launched_in =
        |place: &RegionOffer| !place.subnets.is_empty() || !place.private_subnets.is_empty();
    let elsewhere = elsewhere.into_iter().map(place).filter(is_launched_in);
    here.take(1).chain(elsewhere).collect()
}

/// Words and a number, as all regions are called, also those of other partitions (`us-gov-west-1`, `eusc-de-east-1`).
fn looks_like_a_region(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut words = name.rsplit('-');
    let number = words.next().unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && words.clone().count() >= 2 && words.all(is_word)
}

fn place(region: &file::AwsRegion) -> RegionOffer {
    RegionOffer {
        region: Region::new(&region.region),
        account: AccountId::new(&region.account),
        subnets: region.subnets.clone(),
        private_subnets: region.private_subnets.clone(),
    }
}

fn access(checker: &mut Checker<'_>, region: &file::AwsRegion) {
    let account = &region.account;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        let problem = format!("is {}; an account has twelve digits", shown(account));
        checker.wrong("aws.regions.account", problem);
    }
    let role = region.role_arn.as_deref();
    if role.is_some_and(|role| !role.starts_with("arn:")) {
        checker.wrong(
            "aws.regions.role_arn",
            "is no role's ARN; write it as arn:aws:iam::123456789012:role/NAME, or leave it out",
        );
    }
}
