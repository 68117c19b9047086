//! `[fleet]`: what is launched.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use reprise_engine::offer::{Environment, FleetOffer, ImageOffer, Limits, RegionOffer};
use reprise_engine::types::InstanceType;
use reprise_model::ids::StackName;
use reprise_model::labels::{MachineWish, Name};

use super::{breaker, lost};
use crate::FleetSettings;
use crate::checker::Checker;
use crate::error::shown;
use crate::file;

/// The longest value that EC2 takes for a tag, and the stack's name is one.
const LONGEST_TAG: usize = 256;

/// So long GitHub serves a runner that does not follow the newest version.
const OLD_IMAGE_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What stands in other sections and is chosen from.
pub(super) struct Choices {
    /// That of the fleet first.
    pub(super) places: Vec<RegionOffer>,
    pub(super) limits: Limits,
    pub(super) images: BTreeMap<Name, ImageOffer>,
    pub(super) runners: BTreeMap<Name, MachineWish>,
    pub(super) breaker: file::Breaker,
}

/// `None` in retry-only mode; also where there are mistakes, which `checker` knows of.
pub(super) fn fleet(
    checker: &mut Checker<'_>,
    section: file::Fleet,
    choices: Choices,
) -> Option<FleetSettings> {
    if !section.enabled.unwrap_or(true) {
        return None;
    }
    let stack = stack(checker, section.stack);
    let template = template(checker, section.launch_template);
    let version = section
        .launch_template_version
        .unwrap_or_else(|| "$Default".to_owned());
    let right = "write a number, $Default or $Latest";
    checker.filled("fleet.launch_template_version", &version, right);
    subnets(checker, &section.subnets, &choices.places);
    let types = types(checker, section.types, &choices.limits);
    reachable(checker, &choices);
    let old_image_after = old_image_after(checker, section.old_image_after);
    let find_queued_every = lost::find_queued_every(checker, section.find_queued_every);
    let breaker = breaker::rules(checker, &choices.breaker);
    Some(FleetSettings {
        stack: stack?,
        offer: FleetOffer {
            region: choices.places.first()?.region.clone(),
            regions: choices.places,
            types,
            architecture: section.architecture.unwrap_or_default(),
            root_device: root_device(checker, section.root_device),
            runners: choices.runners,
            images: choices.images,
            limits: choices.limits,
            environment: environment(checker, section.environment),
        },
        launch_template: template?,
        launch_template_version: version,
        find_queued_every,
        old_image_after,
        breaker,
        tag_jobs: section.tag_jobs.unwrap_or(true),
    })
}

/// `None` for nothing, which switches it off.
fn old_image_after(
    checker: &mut Checker<'_>,
    given: Option<SignedDuration>,
) -> Option<SignedDuration> {
    let after = given.unwrap_or(OLD_IMAGE_AFTER);
    if after.is_negative() {
        let right = "must not be negative; \"0s\" switches it off";
        checker.wrong("fleet.old_image_after", right);
    }
    after.is_positive().then_some(after)
}

fn template(checker: &mut Checker<'_>, template: Option<String>) -> Option<String> {
    let template = checker.need("fleet.launch_template", template)?;
    let right = "write the launch template's name or id";
    checker.filled("fleet.launch_template", &template, right);
    Some(template)
}

fn root_device(checker: &mut Checker<'_>, device: Option<String>) -> Option<String> {
    let device = device?;
    if !device.starts_with("/dev/") {
        let problem = format!("is {}; write a device, as /dev/sda1", shown(&device));
        checker.wrong("fleet.root_device", problem);
    }
    Some(device)
}

fn environment(checker: &mut Checker<'_>, name: Option<String>) -> Environment {
    let name = name.and_then(|name| {
        let read = name.parse::<Name>();
        checker.good(
            "fleet.environment",
            read.map_err(|error| format!("is wrong: {error}")),
        )
    });
    name.as_ref().map(Environment::named).unwrap_or_default()
}

/// A region that a runner or a limit names must be one to launch in.
fn reachable(checker: &mut Checker<'_>, choices: &Choices) {
    let names: BTreeSet<&str> = choices
        .places
        .iter()
        .map(|place| place.region.as_str())
        .collect();
    for (name, runner) in &choices.runners {
        if let Some(region) = &runner.region
            && !names.contains(region.as_str())
        {
            let problem = format!(
                "is {region}, where nothing is launched; give it subnets in [[aws.regions]]"
            );
            checker.wrong(&format!("runners.{name}.region"), problem);
        }
    }
    let allowed = &choices.limits.regions;
    if let Some(home) = choices.places.first()
        && !allowed.is_empty()
        && !allowed.contains(&home.region)
    {
        let problem = format!("leaves out {}, which is that of the fleet", home.region);
        checker.wrong("limits.regions", problem);
    }
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

fn subnets(checker: &mut Checker<'_>, home: &[String], places: &[RegionOffer]) {
    if home.is_empty() {
        checker.wrong("fleet.subnets", "is empty; name one subnet a zone");
    }
    for (number, place) in places.iter().enumerate() {
        let section = if number == 0 { "fleet" } else { "aws.regions" };
        for (key, subnets) in [
            ("subnets", &place.subnets),
            ("private_subnets", &place.private_subnets),
        ] {
            let is_none = |subnet: &&String| !subnet.starts_with("subnet-");
            if let Some(wrong) = subnets.iter().find(is_none) {
                let problem = format!(
                    "holds {}; write subnets' ids, as subnet-0123456789abcdef0",
                    shown(wrong)
                );
                checker.wrong(&format!("{section}.{key}"), problem);
            }
        }
    }
}

fn types(
    checker: &mut Checker<'_>,
    types: Vec<file::FleetType>,
    limits: &Limits,
) -> Vec<InstanceType> {
    for one in &types {
        let right = "write an instance type, as c7a.large";
        checker.filled("fleet.types.name", &one.name, right);
        for (key, value, most) in [("cpu", one.cpu, limits.cpu), ("ram", one.ram, limits.ram)] {
            let name = shown(&one.name);
            let place = format!("fleet.types.{key}");
            if value == 0 {
                let problem = format!("of {name} is 0, which no label asks for");
                checker.wrong(&place, format!("{problem}; write what the type has"));
            }
            if let Some(most) = most.filter(|most| value > *most) {
                let problem = format!("of {name} is {value}, and limits.{key} is {most}");
                checker.wrong(
                    &place,
                    format!("{problem}; raise that, or leave the type out"),
                );
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
