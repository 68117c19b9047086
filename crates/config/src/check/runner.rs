//! `[runner]`: how runners are called, and how new instances get theirs.

use jiff::SignedDuration;
use reprise_engine::offer::RegionOffer;
use reprise_model::ids::Region;
use reprise_model::runner_name::RunnerNamePattern;
use reprise_model::runner_row::RoleId;

use crate::checker::Checker;
use crate::error::shown;
use crate::{FleetSettings, RunnersConfig, file};

use super::store::{NO_TABLE, is_table};

/// Longer than any expression over names of 64 characters, and short enough to be shown.
const LONGEST_PATTERN: usize = 500;

/// The group that every organisation has.
const DEFAULT_GROUP: &str = "Default";

/// Where the runner's own program works unless told otherwise.
const DEFAULT_FOLDER: &str = "_work";

/// What a configuration waits for others: up to 25 rows are written by one call. An instance boots for
/// longer than that before it asks for its own, so nobody waits for it; the message of its job, which is
/// held meanwhile, has to be hidden anew only after five seconds.
const HAND_OVER_WINDOW: SignedDuration = SignedDuration::from_millis(1_500);

pub(super) fn name_pattern(
    checker: &mut Checker<'_>,
    pattern: Option<String>,
) -> Option<RunnerNamePattern> {
    let Some(pattern) = pattern else {
        return Some(RunnerNamePattern::default());
    };
    if pattern.chars().count() > LONGEST_PATTERN {
        let problem = format!("is longer than {LONGEST_PATTERN} characters; shorten it");
        checker.wrong("runner.name_pattern", problem);
        return None;
    }
    let read = RunnerNamePattern::try_from(pattern);
    checker.good(
        "runner.name_pattern",
        read.map_err(|error| format!("cannot be used: {error}")),
    )
}

/// `None` where instances bring their runners along; also where there are mistakes, which `checker`
/// knows of.
pub(super) fn runners(
    checker: &mut Checker<'_>,
    section: file::Runner,
    enabled: bool,
    fleet: Option<&FleetSettings>,
) -> Option<RunnersConfig> {
    let Some(table) = section.table else {
        for (key, given) in [
            ("runner.role_id", section.role_id.is_some()),
            ("runner.group", section.group.is_some()),
            ("runner.work_folder", section.work_folder.is_some()),
        ] {
            if given {
                let right = "is of no use without runner.table; set that, or take this out";
                checker.wrong(key, right);
            }
        }
        return None;
    };
    if !enabled {
        let right =
            "hands runners to instances of a fleet, and fleet.enabled is false; take it out";
        checker.wrong("runner.table", right);
    }
    if !is_table(&table) {
        checker.wrong("runner.table", NO_TABLE);
    }
    let role_id = checker.need("runner.role_id", section.role_id);
    let role_id = role_id.and_then(|text| {
        let problem = format!(
            "is {}, which is no role's unique id; `aws iam get-role` shows it as RoleId, it begins with AROA",
            shown(&text)
        );
        checker.good("runner.role_id", RoleId::try_from(text).map_err(|_| problem))
    });
    let group = section.group.unwrap_or_else(|| DEFAULT_GROUP.to_owned());
    let right = "write the name of a runner group of the organisation";
    checker.filled("runner.group", &group, right);
    if let Some(fleet) = fleet {
        one_account(checker, &fleet.offer.regions);
    }
    let work_folder = section.work_folder;
    let work_folder = work_folder.unwrap_or_else(|| DEFAULT_FOLDER.to_owned());
    let right = "write a folder below the runner's own, as _work";
    checker.filled("runner.work_folder", &work_folder, right);
    Some(RunnersConfig {
        table,
        regions: regions(fleet?),
        role_id: role_id?,
        group,
        work_folder,
        hand_over_window: HAND_OVER_WINDOW,
    })
}

fn regions(fleet: &FleetSettings) -> Vec<Region> {
    let places = fleet.offer.regions.iter();
    places.map(|place| place.region.clone()).collect()
}

/// A role is one account's, and so is the key that is made of its id.
fn one_account(checker: &mut Checker<'_>, places: &[RegionOffer]) {
    let home = places.first().map(|place| &place.account);
    let other = places.iter().find(|place| Some(&place.account) != home);
    if let Some(RegionOffer { region, .. }) = other {
        let problem = format!(
            "serves instances of one account, and those in {region} are another's; take its \
             subnets out of [[aws.regions]]"
        );
        checker.wrong("runner.table", problem);
    }
}
