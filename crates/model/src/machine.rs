//! What EC2 says of the instance types that it has.

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
