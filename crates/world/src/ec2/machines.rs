//! Some dozens of real instance types, as DescribeInstanceTypes tells of them.
//!
//! The numbers are EC2's own, and a test holds them against moto's copy of the whole answer. A
//! family is a row, since its sizes share everything but the number of vCPUs, and its memory grows
//! with that.

use reprise_model::machine::{Architecture, MachineType};

/// What the sizes of a family share.
struct Family {
    name: &'static str,
    architecture: Architecture,
    /// GiB a vCPU.
    ram: u64,
    kind: Kind,
    current: bool,
    sizes: &'static [Size],
}

/// A size's name and vCPUs.
type Size = (&'static str, u32);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Usual,
    Burstable,
    Accelerated,
}

/// The sizes that runners are mostly launched on.
const USUAL: &[Size] = &[("large", 2), ("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16)];

/// The same and a whole host.
const WITH_HOST: &[Size] = &[
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("metal-48xl", 192),
];

/// Arm's begin smaller.
const SMALLER: &[Size] = &[
    ("medium", 1),
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
];

/// A burstable's larger sizes have memory as any other's.
const BURSTABLE: &[Size] = &[("large", 2), ("xlarge", 4), ("2xlarge", 8)];

/// Graphics.
const GRAPHICS: &[Size] = &[("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16)];

const X64: Architecture = Architecture::X64;
const ARM: Architecture = Architecture::Arm64;

const FAMILIES: [Family; 19] = [
    family("c5", X64, 2, USUAL).previous(),
    family("c6a", X64, 2, USUAL),
    family("c6g", ARM, 2, SMALLER),
    family("c7a", X64, 2, WITH_HOST),
    family("c7g", ARM, 2, SMALLER),
    family("c7i", X64, 2, WITH_HOST),
    family("c7i-flex", X64, 2, USUAL),
    family("c8g", ARM, 2, SMALLER),
    family("g4dn", X64, 4, GRAPHICS).of(Kind::Accelerated),
    family("g6", X64, 4, GRAPHICS).of(Kind::Accelerated),
    family("m4", X64, 4, USUAL).previous(),
    family("m6a", X64, 4, USUAL),
    family("m7a", X64, 4, WITH_HOST),
    family("m7g", ARM, 4, SMALLER),
    family("m7i", X64, 4, WITH_HOST),
    family("r7a", X64, 8, WITH_HOST),
    family("r7i", X64, 8, WITH_HOST),
    family("t3", X64, 4, BURSTABLE).of(Kind::Burstable),
    family("t4g", ARM, 4, BURSTABLE).of(Kind::Burstable),
];

const fn family(
    name: &'static str,
    architecture: Architecture,
    ram: u64,
    sizes: &'static [Size],
) -> Family {
    Family {
        name,
        architecture,
        ram,
        kind: Kind::Usual,
        current: true,
        sizes,
    }
}

impl Family {
    const fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    const fn previous(mut self) -> Self {
        self.current = false;
        self
    }

    fn types(&self) -> impl Iterator<Item = MachineType> {
        self.sizes.iter().map(|(size, cpu)| MachineType {
            name: format!("{}.{size}", self.name),
            cpu: *cpu,
            ram_mib: u64::from(*cpu) * self.ram * 1024,
            architecture: self.architecture,
            spot: true,
            bare_metal: size.starts_with("metal"),
            accelerated: self.kind == Kind::Accelerated,
            burstable: self.kind == Kind::Burstable,
            current: self.current,
        })
    }
}

/// All of them, by name.
pub fn machine_types() -> Vec<MachineType> {
    let mut types: Vec<_> = FAMILIES.iter().flat_map(Family::types).collect();
    types.sort_by(|one, other| one.name.cmp(&other.name));
    types
}
