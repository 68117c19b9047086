//! Runners whose names say what they are: `2cpu-linux-x64`.

use super::Name;
use crate::machine::Architecture;

/// What a predefined name stands for, where configuration has no runner of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredefinedRunner {
    /// Its vCPUs.
    pub cpu: u32,
    /// Its architecture.
    pub architecture: Architecture,
}

impl PredefinedRunner {
    /// Reads `<n>cpu-linux-x64` and `<n>cpu-linux-arm64`; `None` for any other name.
    pub fn named(name: &Name) -> Option<Self> {
        let (cpu, architecture) = name.as_str().split_once("cpu-linux-")?;
        Some(Self {
            cpu: super::values::CPU.read(cpu)?,
            architecture: Architecture::ALL
                .into_iter()
                .find(|one| one.as_str() == architecture)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<(u32, Architecture)> {
        let name: Name = name.parse().expect("a name");
        PredefinedRunner::named(&name).map(|runner| (runner.cpu, runner.architecture))
    }

    #[test]
    fn a_predefined_name_says_how_many_vcpus_and_which_architecture() {
        assert_eq!(read("2cpu-linux-x64"), Some((2, Architecture::X64)));
        assert_eq!(read("64CPU-Linux-ARM64"), Some((64, Architecture::Arm64)));
    }

    #[test]
    fn any_other_name_stands_for_nothing_by_itself() {
        for name in [
            "fast",
            "0cpu-linux-x64",
            "4097cpu-linux-x64",
            "cpu-linux-x64",
            "2cpu-windows-x64",
            "2cpu-linux-riscv",
            "2cpu-linux-x64-gpu",
        ] {
            assert_eq!(read(name), None, "{name}");
        }
    }
}
