//! `[fleet]`: what is launched.

use reprise_engine::launch::FleetOffer;
use reprise_engine::types::InstanceType;
use reprise_model::ids::{Region, StackName};

use super::lost;
use crate::checker::Checker;
use crate::error::shown;
use crate::file;
use crate::{FleetSettings, RegionConfig};

/// The longest value that EC2 takes for a tag, and the stack's name is one.
const LONGEST_TAG: usize = 256;

/// `None` in retry-only mode; also where there are mistakes, which `checker` knows of.
pub(super) fn fleet(
    checker: &mut Checker<'_>,
    section: file::Fleet,
    regions: &[RegionConfig],
) -> Option<FleetSettings> {
    if !section.enabled.unwrap_or(true) {
        return None;
    }
    let stack = stack(checker, section.stack);
    let template = checker.need("fleet.launch_template", section.launch_template);
    let version = section
        .launch_template_version
        .unwrap_or_else(|| "$Default".to_owned());
    let right = "write the launch template's name or id";
    checker.filled(
        "fleet.launch_template",
        template.as_deref().unwrap_or("-"),
        right,
    );
    let right = "write a number, $Default or $Latest";
    checker.filled("fleet.launch_template_version", &version, right);
    subnets(checker, &section.subnets);
    for (name, image) in &section.images {
        let key = format!("fleet.images.{}", shown(name));
        checker.filled(&key, image, "write an image's id, as ami-0123456789abcdef0");
    }
    let types = types(checker, section.types);
    let region = region(checker, section.region, regions);
    let find_queued_every = lost::find_queued_every(checker, section.find_queued_every);
    Some(FleetSettings {
        stack: stack?,
        offer: FleetOffer {
            region: region?,
            types,
            images: section.images,
        },
        launch_template: template?,
        launch_template_version: version,
        subnets: section.subnets,
        find_queued_every,
    })
}

fn stack(checker: &mut Checker<'_>, stack: Option<String>) -> Option<StackName> {
    let stack = checker.need("fleet.stack", stack)?;
    let right = "write a name that no other installation in the account has";
    checker.filled("fleet.stack", &stack, right);
    if stack.chars().count() > LONGEST_TAG {
        let problem = format!("is longer than {LONGEST_TAG} characters, which EC2 takes for a tag");
        checker.wrong("fleet.stack", problem);
    }
    Some(StackName::new(stack))
}

fn subnets(checker: &mut Checker<'_>, subnets: &[String]) {
    if subnets.is_empty() {
        checker.wrong("fleet.subnets", "is empty; name one subnet a zone");
    }
    if subnets.iter().any(|subnet| subnet.trim().is_empty()) {
        checker.wrong(
            "fleet.subnets",
            "holds an empty text; write subnets' ids, as subnet-0123456789abcdef0",
        );
    }
}

fn types(checker: &mut Checker<'_>, types: Vec<file::FleetType>) -> Vec<InstanceType> {
    if types.is_empty() {
        checker.wrong(
            "fleet.types",
            "is empty; add types as { name = \"c7a.large\", cpu = 2, ram = 4 }",
        );
    }
    for one in &types {
        let right = "write an instance type, as c7a.large";
        checker.filled("fleet.types.name", &one.name, right);
        for (key, value) in [("fleet.types.cpu", one.cpu), ("fleet.types.ram", one.ram)] {
            if value == 0 {
                let problem = format!("of {} is 0, which no label asks for", shown(&one.name));
                checker.wrong(key, format!("{problem}; write what the type has"));
            }
        }
    }
    let types = types.into_iter();
    types
        .map(|one| InstanceType {
            name: one.name,
            cpu: one.cpu,
            ram: one.ram,
        })
        .collect()
}

fn region(
    checker: &mut Checker<'_>,
    region: Option<String>,
    regions: &[RegionConfig],
) -> Option<Region> {
    let first = regions.first().map(|one| one.region.clone());
    let region = region.map(Region::new).or(first)?;
    if !regions.iter().any(|one| one.region == region) {
        let problem = format!(
            "is {}, which is none of [[aws.regions]]",
            shown(region.as_str())
        );
        checker.wrong("fleet.region", problem);
    }
    Some(region)
}
