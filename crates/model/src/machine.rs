//! What machines are made of: EC2's instance types and volumes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An instance type, as DescribeInstanceTypes tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineType {
    /// Its name, as `c7a.large`.
    pub name: String,
    /// Its vCPUs.
    pub cpu: u32,
    /// Its memory in MiB.
    pub ram_mib: u64,
    /// What it runs.
    pub architecture: Architecture,
    /// Whether EC2 sells it as spot.
    pub spot: bool,
    /// Whether it is a whole host.
    pub bare_metal: bool,
    /// Whether it has graphics or other accelerators.
    pub accelerated: bool,
    /// Whether its share of the CPU is by credits, as that of `t3.large`.
    pub burstable: bool,
    /// Whether EC2 counts it among the current ones.
    pub current: bool,
}

/// The instruction set of a machine and its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// x86-64, as EC2's `x86_64`.
    #[default]
    X64,
    /// 64-bit Arm, as EC2's `arm64`.
    Arm64,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::X64, Self::Arm64];

    /// The word that labels and configuration use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X64 => "x64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The root volume; what is absent is the image's or the launch template's affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Volume {
    /// Its size in GiB.
    pub size_gib: Option<u32>,
    /// Its kind.
    pub kind: Option<VolumeKind>,
    /// Its throughput in MiB a second.
    pub throughput_mibs: Option<u32>,
    /// Its operations a second.
    pub iops: Option<u32>,
}

/// A root volume in place of the image's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootVolume {
    /// The image's own name for it, as `/dev/sda1`: with another it would be a second volume.
    pub device: String,
    /// What it is to be.
    #[serde(flatten)]
    pub volume: Volume,
}

/// A kind of volume that an instance can boot from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeKind {
    /// General purpose.
    Gp2,
    /// General purpose, with operations and throughput apart from its size.
    Gp3,
    /// Provisioned operations.
    Io1,
    /// Provisioned operations, durable.
    Io2,
    /// Magnetic, of the previous generation.
    Standard,
}

impl VolumeKind {
    /// EC2's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gp2 => "gp2",
            Self::Gp3 => "gp3",
            Self::Io1 => "io1",
            Self::Io2 => "io2",
            Self::Standard => "standard",
        }
    }
}

impl fmt::Display for VolumeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// As `volume=` says it: `80gb:gp3:500mbs:4000iops`, with the parts that are there.
impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.size_gib.map(|size| format!("{size}gb")),
            self.kind.map(|kind| kind.to_string()),
            self.throughput_mibs.map(|most| format!("{most}mbs")),
            self.iops.map(|most| format!("{most}iops")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.pad(&parts.join(":"))
    }
}
