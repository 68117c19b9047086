//! Which of the configured instance types fit what labels ask for.
//!
//! Labels choose among what configuration allows and can never add to it.

use reprise_model::labels::{FamilyPattern, MachineWish, Range};

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

/// The names of the types that fit, in the order in which they are configured. Empty when none
/// does.
pub fn choose(types: &[InstanceType], wish: &MachineWish) -> Vec<String> {
    types
        .iter()
        .filter(|candidate| fits(candidate, wish))
        .map(|candidate| candidate.name.clone())
        .collect()
}

fn fits(candidate: &InstanceType, wish: &MachineWish) -> bool {
    fits_family(candidate, &wish.family)
        && fits_cpu(candidate, wish)
        && wish.ram.is_none_or(|ram| ram.contains(candidate.ram))
}

fn fits_family(candidate: &InstanceType, family: &[FamilyPattern]) -> bool {
    family.is_empty()
        || family
            .iter()
            .any(|pattern| pattern.matches(&candidate.name))
}

/// Who names an exact type has said how many vCPUs it has.
fn fits_cpu(candidate: &InstanceType, wish: &MachineWish) -> bool {
    match wish.cpu {
        Some(cpu) => cpu.contains(candidate.cpu),
        None => is_named(candidate, &wish.family) || DEFAULT_CPU.contains(candidate.cpu),
    }
}

fn is_named(candidate: &InstanceType, family: &[FamilyPattern]) -> bool {
    family
        .iter()
        .any(|pattern| pattern.as_str() == candidate.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_ask_for_nothing_get_the_types_with_two_vcpus_in_the_configured_order() {
        assert_eq!(chosen(""), ["m7a.large", "c7a.large", "c7i.large"]);
    }

    #[test]
    fn a_family_narrows_the_choice_and_keeps_the_default_of_two_vcpus() {
        assert_eq!(chosen("family=c7a"), ["c7a.large"]);
        assert_eq!(chosen("family=c7"), ["c7a.large", "c7i.large"]);
        assert_eq!(chosen("family=c7a.*"), ["c7a.large"]);
    }

    #[test]
    fn several_families_keep_the_configured_order_of_preference() {
        assert_eq!(chosen("family=c7i+m7a"), ["m7a.large", "c7i.large"]);
    }

    #[test]
    fn an_exact_type_needs_no_cpu_label() {
        assert_eq!(chosen("family=c7a.4xlarge"), ["c7a.4xlarge"]);
        assert_eq!(
            chosen("family=c7a.4xlarge+m7a"),
            ["m7a.large", "c7a.4xlarge"]
        );
    }

    #[test]
    fn a_single_number_of_vcpus_means_exactly_that_many() {
        assert_eq!(chosen("cpu=4"), ["c7a.xlarge"]);
    }

    #[test]
    fn a_range_of_vcpus_is_inclusive() {
        assert_eq!(chosen("cpu=4+16"), ["c7a.xlarge", "c7a.4xlarge"]);
    }

    #[test]
    fn ram_narrows_the_choice_further() {
        assert_eq!(chosen("ram=8"), ["m7a.large"]);
        assert_eq!(
            chosen("cpu=2+16/ram=8+32"),
            ["m7a.large", "c7a.xlarge", "c7a.4xlarge"]
        );
    }

    #[test]
    fn nothing_is_chosen_when_nothing_configured_fits() {
        for label in ["family=p5", "cpu=64", "family=c7a.4xlarge/cpu=2", "ram=1"] {
            assert!(chosen(label).is_empty(), "{label}");
        }
    }

    fn chosen(label: &str) -> Vec<String> {
        let types: Vec<InstanceType> = [
            ("m7a.large", 2, 8),
            ("c7a.large", 2, 4),
            ("c7a.xlarge", 4, 8),
            ("c7a.4xlarge", 16, 32),
            ("c7i.large", 2, 4),
        ]
        .into_iter()
        .map(|(name, cpu, ram)| InstanceType {
            name: name.to_owned(),
            cpu,
            ram,
        })
        .collect();
        choose(&types, &labels(label))
    }

    /// Written by hand, so that a mistake in the grammar fails the grammar's tests, not these.
    fn labels(text: &str) -> MachineWish {
        let mut labels = MachineWish::default();
        for part in text.split('/').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').expect("a key and a value");
            match key {
                "family" => {
                    labels.family = value
                        .split('+')
                        .map(|pattern| FamilyPattern::new(pattern).expect("valid"))
                        .collect();
                }
                "cpu" => labels.cpu = Some(range(value)),
                "ram" => labels.ram = Some(range(value)),
                other => panic!("{other} is not used in these tests"),
            }
        }
        labels
    }

    fn range(value: &str) -> Range {
        let (min, max) = value.split_once('+').unwrap_or((value, value));
        Range {
            min: min.parse().expect("a number"),
            max: max.parse().expect("a number"),
        }
    }
}
