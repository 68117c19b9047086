//! A choice under way: what speaks against it, and what is not known yet.

use std::collections::BTreeMap;

use reprise_model::ids::Region;
use reprise_model::labels::{LabelPattern, MachineWish, PredefinedRunner, Range, SpotChoice};
use reprise_model::launch::SpotStrategy;
use reprise_model::machine::{Architecture, RootVolume, Volume};
use reprise_model::machine_refusal::{Known, MachineRefusal};

use super::image::Image;
use super::{MOST_POOLS, MOST_TAGS, MOST_TYPES, MachineFacts, MachineRequest, Need};
use crate::types::{Types, Wanted, choose};

/// Goes on where something speaks against it, so that everything that does is told.
pub(super) struct Choice<'a> {
    pub(super) facts: &'a MachineFacts<'a>,
    pub(super) refusals: Vec<MachineRefusal>,
    pub(super) needs: Vec<Need>,
}

/// What the labels ask for, with their runner's parts.
struct Asked {
    wish: MachineWish,
    /// The predefined runner's.
    architecture: Option<Architecture>,
    /// Whether configuration has chosen the size, and labels have said nothing of it.
    by_configuration: bool,
}

impl<'a> Choice<'a> {
    pub(super) fn new(facts: &'a MachineFacts<'a>) -> Self {
        Self {
            facts,
            refusals: Vec::new(),
            needs: Vec::new(),
        }
    }

    pub(super) fn make(&mut self) -> MachineRequest {
        self.within_limits(&self.facts.labels.machine);
        self.beside_ours(&self.facts.labels.others);
        let asked = self.asked();
        let region = asked.wish.region.clone();
        let region = region.unwrap_or_else(|| self.facts.offer.region.clone());
        let subnets = self.subnets(&region, asked.wish.private.unwrap_or(false));
        self.tags(&asked.wish.tags);
        let volume = asked.wish.volume;
        let image = self.image(asked.wish.image.as_ref(), &region, volume.is_some());
        self.same_architecture(image.architecture, asked.architecture);
        let types = self.types(&asked, &region, image.architecture);
        MachineRequest {
            instance_types: at_most_pools(types, subnets.len()),
            subnets,
            strategy: self.strategy(&asked.wish),
            volume: volume.and_then(|volume| self.root(volume, &image)),
            image: image.id,
            tags: asked.wish.tags,
            region,
        }
    }

    pub(super) fn refuse(&mut self, refusal: MachineRefusal) {
        self.refusals.push(refusal);
    }

    /// What can be said of the labels' own numbers without knowing a type. A range that only ends
    /// above a limit is no mistake: what lies below it is to be had.
    fn within_limits(&mut self, said: &MachineWish) {
        let limits = &self.facts.offer.limits;
        let volume = said.volume.unwrap_or_default();
        self.at_most_cpu(said.cpu);
        if let (Some(asked), Some(most)) = (said.ram, limits.ram)
            && asked.min > most
        {
            self.refuse(MachineRefusal::Ram { asked, most });
        }
        if let (Some(asked), Some(most)) = (volume.size_gib, limits.volume)
            && asked > most
        {
            self.refuse(MachineRefusal::Volume { asked, most });
        }
        if let (Some(asked), Some(most)) = (volume.iops, limits.iops)
            && asked > most
        {
            self.refuse(MachineRefusal::Iops { asked, most });
        }
    }

    /// The runner bears all labels of its job, and takes any job that asks for some of them.
    fn beside_ours(&mut self, others: &[String]) {
        let allowed = &self.facts.offer.limits.labels;
        let is_allowed = |label: &&String| {
            LabelPattern::is_plain(label) || allowed.iter().any(|one| one.matches(label))
        };
        for label in others.iter().filter(|label| !is_allowed(label)) {
            self.refuse(MachineRefusal::Label {
                asked: label.clone(),
                allowed: Known::of(allowed),
            });
        }
    }

    fn at_most_cpu(&mut self, asked: Option<Range>) {
        if let (Some(asked), Some(most)) = (asked, self.facts.offer.limits.cpu)
            && asked.min > most
        {
            self.refuse(MachineRefusal::Cpu { asked, most });
        }
    }

    /// A configured name goes before a predefined one.
    fn asked(&mut self) -> Asked {
        let labels = self.facts.labels;
        let said = labels.machine.clone();
        let says_size = said.cpu.is_some() || said.ram.is_some() || !said.family.is_empty();
        let Some(name) = &labels.runner else {
            return Asked::by_labels(said);
        };
        let runners = &self.facts.offer.runners;
        if let Some(runner) = runners.get(name) {
            return Asked {
                by_configuration: !says_size,
                ..Asked::by_labels(said.or(runner))
            };
        }
        if let Some(runner) = PredefinedRunner::named(name) {
            return self.predefined(said, runner);
        }
        self.refuse(MachineRefusal::UnknownRunner {
            asked: name.clone(),
            known: Known::of(runners.keys()).nearest_to(name.as_str()),
        });
        Asked::by_labels(said)
    }

    fn predefined(&mut self, said: MachineWish, runner: PredefinedRunner) -> Asked {
        let cpu = Range {
            min: runner.cpu,
            max: runner.cpu,
        };
        if said.cpu.is_none() {
            self.at_most_cpu(Some(cpu));
        }
        let of_runner = MachineWish {
            cpu: Some(cpu),
            ..MachineWish::default()
        };
        Asked {
            architecture: Some(runner.architecture),
            ..Asked::by_labels(said.or(&of_runner))
        }
    }

    fn subnets(&mut self, region: &Region, private: bool) -> Vec<String> {
        let regions = &self.facts.offer.regions;
        let limits = &self.facts.offer.limits;
        let Some(offer) = regions.iter().find(|one| one.region == *region) else {
            let names = regions.iter().map(|one| &one.region);
            self.refuse(MachineRefusal::UnknownRegion {
                asked: region.clone(),
                known: Known::of(names).nearest_to(region.as_str()),
            });
            return Vec::new();
        };
        if !limits.regions.is_empty() && !limits.regions.contains(region) {
            self.refuse(MachineRefusal::Region {
                asked: region.clone(),
                allowed: Known::of(&limits.regions),
            });
        }
        let subnets = offer.subnets(private);
        if private && subnets.is_empty() {
            let region = region.clone();
            self.refuse(MachineRefusal::NoPrivateSubnets { region });
        }
        subnets.iter().take(MOST_POOLS).cloned().collect()
    }

    /// Where the image is yet to be read, or is refused, its device is not missed.
    fn root(&mut self, volume: Volume, image: &Image) -> Option<RootVolume> {
        if let Some(device) = image.root_device.clone() {
            return Some(RootVolume { device, volume });
        }
        if self.needs.is_empty() && image.architecture.is_some() {
            self.refuse(MachineRefusal::NoRootDevice { asked: volume });
        }
        None
    }

    fn tags(&mut self, tags: &BTreeMap<String, String>) {
        for key in tags.keys().filter(|key| self.facts.tags.reserves(key)) {
            self.refusals
                .push(MachineRefusal::ReservedTag { key: key.clone() });
        }
        if tags.len() > MOST_TAGS {
            self.refuse(MachineRefusal::TooManyTags {
                asked: tags.len(),
                most: MOST_TAGS,
            });
        }
    }

    fn same_architecture(&mut self, image: Option<Architecture>, runner: Option<Architecture>) {
        if let (Some(image), Some(wanted), Some(runner)) =
            (image, runner, &self.facts.labels.runner)
            && image != wanted
        {
            let runner = runner.clone();
            self.refuse(MachineRefusal::Architecture { image, runner });
        }
    }

    fn strategy(&mut self, wish: &MachineWish) -> SpotStrategy {
        let strategy = match wish.spot.unwrap_or_default() {
            SpotChoice::On(strategy) => strategy,
            SpotChoice::Off => SpotStrategy::default(),
        };
        if strategy == SpotStrategy::CapacityOptimizedPrioritized {
            let vague = wish.family.iter().find(|family| !family.is_exact());
            let why = match vague {
                Some(family) => Some(format!("family={family} is none")),
                None if wish.family.is_empty() => Some("family= names none".to_owned()),
                None => None,
            };
            let refusal = why.map(|why| MachineRefusal::InexactTypes { why });
            self.refusals.extend(refusal);
        }
        strategy
    }

    fn types(
        &mut self,
        asked: &Asked,
        region: &Region,
        architecture: Option<Architecture>,
    ) -> Vec<String> {
        let offer = self.facts.offer;
        let catalogue = self.facts.ec2.catalogue.get(region).map(AsRef::as_ref);
        let Some(types) = Types::known(&offer.types, catalogue) else {
            self.needs.push(Need::MachineTypes(region.clone()));
            return Vec::new();
        };
        let wanted = Wanted {
            wish: &asked.wish,
            architecture,
            capacity: self.facts.capacity,
            limits: (!asked.by_configuration).then_some(&offer.limits),
        };
        choose(&wanted, &types).unwrap_or_else(|refusals| {
            self.refuse_types(refusals);
            Vec::new()
        })
    }

    /// Where something was said against the size already, that nothing fits adds nothing.
    fn refuse_types(&mut self, refusals: Vec<MachineRefusal>) {
        let is_told = self.refusals.iter().any(is_about_size);
        let adds = |refusal: &MachineRefusal| !is_told || !is_about_size(refusal);
        self.refusals.extend(refusals.into_iter().filter(adds));
    }
}

fn is_about_size(refusal: &MachineRefusal) -> bool {
    matches!(
        refusal,
        MachineRefusal::Cpu { .. }
            | MachineRefusal::Ram { .. }
            | MachineRefusal::Architecture { .. }
            | MachineRefusal::NoTypeFits { .. }
            | MachineRefusal::UnknownRunner { .. }
    )
}

impl Asked {
    fn by_labels(wish: MachineWish) -> Self {
        Self {
            wish,
            architecture: None,
            by_configuration: false,
        }
    }
}

/// The first types, in each of the subnets. Fewer types in every zone find more capacity than more
/// types in some of them.
fn at_most_pools(mut types: Vec<String>, subnets: usize) -> Vec<String> {
    let most = MOST_POOLS / subnets.max(1);
    types.truncate(most.clamp(1, MOST_TYPES));
    types
}
