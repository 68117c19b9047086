//! Which of the configured instance types fit what labels ask for.

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
