//! `[[aws.regions]]`.

use std::collections::BTreeSet;

use reprise_model::ids::{AccountId, Region};

use crate::RegionConfig;
use crate::checker::Checker;
use crate::error::shown;
use crate::file;

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
