//! Which instance types fit what is asked for, and in which order.
//!
//! Labels choose among what configuration allows and can never add to it.

use reprise_model::breaker::family_of;
use reprise_model::instance::Capacity;
use reprise_model::labels::{FamilyPattern, MachineWish, Range};
use reprise_model::machine::{Architecture, MachineType};
use reprise_model::machine_refusal::{Known, MachineRefusal};

use crate::offer::Limits;

#[cfg(test)]
mod tests;

/// The vCPUs of a job whose labels name neither `cpu=` nor an exact type.
pub const DEFAULT_CPU: Range = Range { min: 2, max: 2 };

/// An instance type that configuration allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// Its name, as `c7a.large`.
    pub name: String,
    /// Its vCPUs.
    pub cpu: u32,
    /// Its memory in GiB.
    pub ram: u32,
}

/// What types are chosen by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The whole wish.
    pub(crate) wish: &'a MachineWish,
    /// What the image is for; `None` where that is not known yet.
    pub(crate) architecture: Option<Architecture>,
    /// As what the types are to be bought.
    pub(crate) capacity: Capacity,
    /// What binds the choice; `None` where no label has said anything of it.
    pub(crate) limits: Option<&'a Limits>,
}

/// The names of the types that fit, best first: in the order of the wish's families, then in that of
/// the configured types, then the smaller before the larger, then by name.
///
/// # Errors
/// Every reason that there is for having none.
pub(crate) fn choose(
    wanted: &Wanted<'_>,
    there: &Types<'_>,
) -> Result<Vec<String>, Vec<MachineRefusal>> {
    let refusals = refused_families(wanted, there);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let fitting: Vec<&Candidate<'_>> = there.0.iter().filter(|one| fits(wanted, one)).collect();
    let allowed: Vec<&Candidate<'_>> = fitting
        .iter()
        .copied()
        .filter(|one| wanted.limits.is_none_or(|limits| allows(limits, one)))
        .collect();
    let mut chosen: Vec<&Candidate<'_>> = allowed
        .iter()
        .copied()
        .filter(|one| one.spot || wanted.capacity == Capacity::OnDemand)
        .collect();
    if chosen.is_empty() {
        return Err(vec![nothing_left(wanted, &fitting, &allowed)]);
    }
    chosen.sort_by_key(|one| one.order(&wanted.wish.family));
    Ok(chosen.into_iter().map(|one| one.name.to_owned()).collect())
}

/// The types that there are.
#[derive(Debug)]
pub(crate) struct Types<'a>(Vec<Candidate<'a>>);

impl<'a> Types<'a> {
    /// The configured ones, with what EC2 says of them where that is known; all of EC2's where none
    /// is configured. `None` where nothing is known at all.
    pub(crate) fn known(
        configured: &'a [InstanceType],
        catalogue: Option<&'a [MachineType]>,
    ) -> Option<Self> {
        match catalogue {
            None if configured.is_empty() => None,
            None => Some(Self(
                configured
                    .iter()
                    .enumerate()
                    .map(Candidate::configured)
                    .collect(),
            )),
            Some(all) if configured.is_empty() => {
                Some(Self(all.iter().map(Candidate::described).collect()))
            }
            Some(all) => Some(Self(both(configured, all))),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|one| one.name)
    }

    /// The families, each once.
    fn families(&self) -> Vec<&str> {
        let mut families: Vec<&str> = self.names().map(family_of).collect();
        families.sort_unstable();
        families.dedup();
        families
    }
}

fn both<'a>(configured: &'a [InstanceType], all: &'a [MachineType]) -> Vec<Candidate<'a>> {
    let described = |one: &InstanceType| all.iter().find(|machine| machine.name == one.name);
    let known = configured.iter().enumerate();
    known
        .filter_map(|(rank, one)| {
            let described = Candidate::described(described(one)?);
            // Who lists a type has named it.
            Some(Candidate {
                rank,
                peculiar: None,
                ..described
            })
        })
        .collect()
}

/// A type, as far as it is known.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    name: &'a str,
    cpu: u32,
    ram_mib: u64,
    /// `None` where only configuration tells of it.
    architecture: Option<Architecture>,
    spot: bool,
    peculiar: Option<Peculiarity>,
    /// Its place among the configured ones.
    rank: usize,
}

/// What keeps a type out unless it is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peculiarity {
    BareMetal,
    Accelerated,
    Burstable,
    Previous,
}

impl<'a> Candidate<'a> {
    fn configured((rank, one): (usize, &'a InstanceType)) -> Self {
        Self {
            name: &one.name,
            cpu: one.cpu,
            ram_mib: u64::from(one.ram) * MIB_A_GIB,
            architecture: None,
            spot: true,
            peculiar: None,
            rank,
        }
    }

    fn described(one: &'a MachineType) -> Self {
        Self {
            name: &one.name,
            cpu: one.cpu,
            ram_mib: one.ram_mib,
            architecture: Some(one.architecture),
            spot: one.spot,
            peculiar: Peculiarity::of(one),
            rank: 0,
        }
    }

    fn order(&self, family: &[FamilyPattern]) -> (usize, usize, u32, u64, &'a str) {
        let place = family.iter().position(|pattern| pattern.matches(self.name));
        let place = place.unwrap_or(usize::MAX);
        (place, self.rank, self.cpu, self.ram_mib, self.name)
    }
}

impl Peculiarity {
    fn of(one: &MachineType) -> Option<Self> {
        [
            (one.bare_metal, Self::BareMetal),
            (one.accelerated, Self::Accelerated),
            (one.burstable, Self::Burstable),
            (!one.current, Self::Previous),
        ]
        .into_iter()
        .find_map(|(is, peculiarity)| is.then_some(peculiarity))
    }

    /// Whether a pattern that matches the type means it. Whole hosts are meant by their size, others
    /// by their family: `t3` means no `t3a`, and `*` means none of them.
    fn is_meant_by(self, pattern: &FamilyPattern, name: &str) -> bool {
        let (family, size) = pattern
            .as_str()
            .split_once('.')
            .unwrap_or((pattern.as_str(), ""));
        match self {
            Self::BareMetal => size.starts_with("metal"),
            Self::Accelerated | Self::Burstable | Self::Previous => family == family_of(name),
        }
    }

    /// Whether it takes an operator's word to launch one.
    fn needs_operator(self) -> bool {
        match self {
            Self::BareMetal | Self::Accelerated => true,
            Self::Burstable | Self::Previous => false,
        }
    }
}

const MIB_A_GIB: u64 = 1024;

fn fits(wanted: &Wanted<'_>, one: &Candidate<'_>) -> bool {
    let wish = wanted.wish;
    fits_family(&wish.family, one)
        && fits_cpu(wish, one)
        && wish.ram.is_none_or(|ram| fits_ram(ram, one))
        && fits_architecture(wanted.architecture, one)
}

fn fits_family(family: &[FamilyPattern], one: &Candidate<'_>) -> bool {
    let mut matching = family.iter().filter(|pattern| pattern.matches(one.name));
    match one.peculiar {
        None => family.is_empty() || matching.next().is_some(),
        Some(peculiar) => matching.any(|pattern| peculiar.is_meant_by(pattern, one.name)),
    }
}

/// Who names an exact type has said how many vCPUs it has.
fn fits_cpu(wish: &MachineWish, one: &Candidate<'_>) -> bool {
    match wish.cpu {
        Some(cpu) => cpu.contains(one.cpu),
        None => is_named(&wish.family, one) || DEFAULT_CPU.contains(one.cpu),
    }
}

fn fits_architecture(wanted: Option<Architecture>, one: &Candidate<'_>) -> bool {
    match (wanted, one.architecture) {
        (Some(wanted), Some(is)) => wanted == is,
        (None, _) | (_, None) => true,
    }
}

fn fits_ram(ram: Range, one: &Candidate<'_>) -> bool {
    let mib = |gib: u32| u64::from(gib) * MIB_A_GIB;
    (mib(ram.min)..=mib(ram.max)).contains(&one.ram_mib)
}

fn is_named(family: &[FamilyPattern], one: &Candidate<'_>) -> bool {
    family.iter().any(|pattern| pattern.as_str() == one.name)
}

fn allows(limits: &Limits, one: &Candidate<'_>) -> bool {
    allows_family(limits, one)
        && limits.cpu.is_none_or(|most| one.cpu <= most)
        && limits
            .ram
            .is_none_or(|most| one.ram_mib <= u64::from(most) * MIB_A_GIB)
}

fn allows_family(limits: &Limits, one: &Candidate<'_>) -> bool {
    if limits.families.is_empty() {
        !one.peculiar.is_some_and(Peculiarity::needs_operator)
    } else {
        limits
            .families
            .iter()
            .any(|pattern| pattern.matches(one.name))
    }
}

/// The families of the wish that there are not, and those of which nothing is allowed.
fn refused_families(wanted: &Wanted<'_>, there: &Types<'_>) -> Vec<MachineRefusal> {
    let families = wanted.wish.family.iter();
    families
        .filter_map(|asked| refused_family(asked, wanted.limits, there))
        .collect()
}

fn refused_family(
    asked: &FamilyPattern,
    limits: Option<&Limits>,
    there: &Types<'_>,
) -> Option<MachineRefusal> {
    let mut matching = there
        .0
        .iter()
        .filter(|one| asked.matches(one.name))
        .peekable();
    let asked = asked.clone();
    if matching.peek().is_none() {
        let known = Known::of(there.families()).nearest_to(family_of(asked.as_str()));
        return Some(MachineRefusal::UnknownFamily { asked, known });
    }
    let limits = limits?;
    if matching.any(|one| allows_family(limits, one)) {
        return None;
    }
    let allowed = if limits.families.is_empty() {
        Known::of(["every family without accelerators"])
    } else {
        Known::of(&limits.families)
    };
    Some(MachineRefusal::Family { asked, allowed })
}

/// The nearest reason: types that fit and are not for spot, types that fit and are too large, or none
/// that fits.
fn nothing_left(
    wanted: &Wanted<'_>,
    fitting: &[&Candidate<'_>],
    allowed: &[&Candidate<'_>],
) -> MachineRefusal {
    if !allowed.is_empty() {
        let types: Vec<&str> = allowed.iter().map(|one| one.name).collect();
        return MachineRefusal::NotSoldAsSpot {
            types: types.join(", "),
        };
    }
    let limits = wanted.limits;
    let smallest = fitting.iter().map(|one| one.cpu).min();
    if let (Some(cpu), Some(most)) = (smallest, limits.and_then(|limits| limits.cpu))
        && cpu > most
    {
        let asked = Range { min: cpu, max: cpu };
        return MachineRefusal::Cpu { asked, most };
    }
    MachineRefusal::NoTypeFits {
        asked: asked_for(wanted),
    }
}

/// What is asked for, as it would be written; with the defaults where nothing is said, because they
/// may be what nothing fits.
fn asked_for(wanted: &Wanted<'_>) -> String {
    let wish = wanted.wish;
    let families: Vec<&str> = wish.family.iter().map(FamilyPattern::as_str).collect();
    let family = (!families.is_empty()).then(|| format!("family={}", families.join("+")));
    let cpu = match wish.cpu {
        Some(cpu) => format!("cpu={cpu}"),
        None => format!("cpu={DEFAULT_CPU} (the default)"),
    };
    let ram = wish.ram.map(|ram| format!("ram={ram}"));
    let image = wanted
        .architecture
        .map(|image| format!("an image for {image}"));
    let parts: Vec<String> = family
        .into_iter()
        .chain([cpu])
        .chain(ram)
        .chain(image)
        .collect();
    parts.join(", ")
}
