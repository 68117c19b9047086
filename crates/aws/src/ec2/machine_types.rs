//! DescribeInstanceTypes: what a region has, in our words.
//!
//! Only what a runner can be launched on is asked for: 64-bit x86 or Arm, started from an EBS
//! volume, sold as on-demand or spot. Zones are not asked about: a type that a zone does not offer
//! is an error of that pool alone.

use aws_sdk_ec2::types::{ArchitectureType, InstanceTypeInfo, UsageClassType};
use reprise_model::machine::{Architecture, MachineType};

use super::Scope;
use super::describe::filter;
use crate::error::CallError;

/// The most that EC2 puts on one page.
const PAGE: i32 = 100;

/// All types of the region, by name.
pub(super) async fn all(scope: &Scope) -> Result<Vec<MachineType>, CallError> {
    let mut pages = scope
        .client
        .describe_instance_types()
        .filters(any_of(
            "processor-info.supported-architecture",
            &["x86_64", "arm64"],
        ))
        .filters(any_of("supported-root-device-type", &["ebs"]))
        .filters(any_of("supported-usage-class", &["on-demand", "spot"]))
        .max_results(PAGE)
        .into_paginator()
        .send();
    let mut types = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            CallError::from_sdk(
                format!("describe instance types in {}", scope.region),
                &error,
            )
        })?;
        types.extend(page.instance_types().iter().filter_map(machine_type));
    }
    types.sort_by(|one: &MachineType, other| one.name.cmp(&other.name));
    Ok(types)
}

fn any_of(name: &str, values: &[&str]) -> aws_sdk_ec2::types::Filter {
    filter(
        name,
        values.iter().map(|value| (*value).to_owned()).collect(),
    )
}

/// `None` for one that lacks what a choice goes by, or runs neither of our architectures.
fn machine_type(info: &InstanceTypeInfo) -> Option<MachineType> {
    let cpu = info.v_cpu_info()?.default_v_cpus()?;
    let ram = info.memory_info()?.size_in_mib()?;
    let sold_as = info.supported_usage_classes();
    Some(MachineType {
        name: info.instance_type()?.as_str().to_owned(),
        cpu: u32::try_from(cpu).ok()?,
        ram_mib: u64::try_from(ram).ok()?,
        architecture: architecture(info)?,
        spot: sold_as.contains(&UsageClassType::Spot),
        bare_metal: info.bare_metal() == Some(true),
        accelerated: is_accelerated(info),
        burstable: info.burstable_performance_supported() == Some(true),
        current: info.current_generation() == Some(true),
    })
}

/// Old types run i386 beside x86_64.
fn architecture(info: &InstanceTypeInfo) -> Option<Architecture> {
    let supported = info.processor_info()?.supported_architectures();
    if supported.contains(&ArchitectureType::X8664) {
        Some(Architecture::X64)
    } else if supported.contains(&ArchitectureType::Arm64) {
        Some(Architecture::Arm64)
    } else {
        None
    }
}

fn is_accelerated(info: &InstanceTypeInfo) -> bool {
    info.gpu_info().is_some()
        || info.fpga_info().is_some()
        || info.inference_accelerator_info().is_some()
        || info.neuron_info().is_some()
        || info.media_accelerator_info().is_some()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::builders::InstanceTypeInfoBuilder;
    use aws_sdk_ec2::types::{GpuInfo, InstanceType, MemoryInfo, ProcessorInfo, VCpuInfo};

    use super::*;

    fn info(architectures: &[ArchitectureType]) -> InstanceTypeInfoBuilder {
        let processor = ProcessorInfo::builder()
            .set_supported_architectures(Some(architectures.to_vec()))
            .build();
        InstanceTypeInfo::builder()
            .instance_type(InstanceType::from("c7a.large"))
            .processor_info(processor)
            .v_cpu_info(VCpuInfo::builder().default_v_cpus(2).build())
            .memory_info(MemoryInfo::builder().size_in_mib(4096).build())
            .supported_usage_classes(UsageClassType::OnDemand)
            .supported_usage_classes(UsageClassType::Spot)
            .current_generation(true)
            .bare_metal(false)
            .burstable_performance_supported(false)
    }

    #[test]
    fn a_type_is_read_with_all_that_a_choice_goes_by() {
        let expected = MachineType {
            name: "c7a.large".to_owned(),
            cpu: 2,
            ram_mib: 4096,
            architecture: Architecture::X64,
            spot: true,
            bare_metal: false,
            accelerated: false,
            burstable: false,
            current: true,
        };
        let read = machine_type(&info(&[ArchitectureType::X8664]).build());
        assert_eq!(read, Some(expected));
    }

    #[test]
    fn a_graphics_type_is_accelerated_and_an_old_one_is_not_current() {
        let old = info(&[ArchitectureType::I386, ArchitectureType::X8664])
            .gpu_info(GpuInfo::builder().build())
            .current_generation(false)
            .set_supported_usage_classes(None)
            .build();
        let read = machine_type(&old).expect("a type");
        assert_eq!(read.architecture, Architecture::X64);
        assert!(read.accelerated && !read.current && !read.spot);
    }

    #[test]
    fn an_arm_type_is_one_and_what_runs_neither_is_left_out() {
        let arm = machine_type(&info(&[ArchitectureType::Arm64]).build());
        assert_eq!(arm.map(|one| one.architecture), Some(Architecture::Arm64));
        for other in [
            ArchitectureType::Arm64Mac,
            ArchitectureType::X8664Mac,
            ArchitectureType::I386,
        ] {
            assert_eq!(machine_type(&info(&[other]).build()), None);
        }
    }

    #[test]
    fn a_type_without_a_size_is_left_out() {
        let none = info(&[ArchitectureType::X8664])
            .set_v_cpu_info(None)
            .build();
        assert_eq!(machine_type(&none), None);
    }
}
