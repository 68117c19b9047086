//! DescribeInstanceTypes: what the region has, by name, by filters, in pages.

use reprise_model::machine::{Architecture, MachineType};

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::describe::{Page, page};
use super::error::Ec2Error;
use super::filter::{Filter, check_lengths};
use super::query::Params;
use super::state::Ec2;
use super::xml::Xml;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DescribeInstanceTypes {
    /// By name: one that EC2 does not have fails the whole call.
    pub names: Vec<String>,
    /// By filter.
    pub filters: Vec<Filter>,
    /// Types a page, 5 to 100.
    pub max_results: Option<usize>,
    /// Where the last page ended.
    pub next_token: Option<String>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineTypePage {
    /// The types, by name.
    pub types: Vec<MachineType>,
    /// Where the next page begins, if there is one.
    pub next_token: Option<String>,
}

/// What a type's page size may be.
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 5..=100;

impl Ec2 {
    /// Describes instance types.
    pub fn describe_instance_types(
        &mut self,
        call: &Call,
        request: &DescribeInstanceTypes,
    ) -> Result<MachineTypePage, Ec2Error> {
        let action = Action::DescribeInstanceTypes;
        let narrowed = !request.names.is_empty()
            || !request.filters.is_empty()
            || request.max_results.is_some();
        let bucket = if narrowed {
            Bucket::Calls(action)
        } else {
            Bucket::UnfilteredCalls(action)
        };
        let Page { items, next_token } = self.called(call, action, &[(bucket, 1)], |ec2| {
            check_lengths(&request.filters)?;
            check_page_size(request.max_results)?;
            let matching = ec2.matching_types(request)?;
            call.unless_dry()?;
            let token = request.next_token.as_deref();
            page(matching, |one| &one.name, request.max_results, token)
        })?;
        Ok(MachineTypePage {
            types: items,
            next_token,
        })
    }

    fn matching_types(
        &self,
        request: &DescribeInstanceTypes,
    ) -> Result<Vec<MachineType>, Ec2Error> {
        let all = &self.settings.machine_types;
        let unknown = request
            .names
            .iter()
            .find(|name| all.iter().all(|one| one.name != **name));
        if let Some(unknown) = unknown {
            let message =
                format!("The following supplied instance types do not exist: [{unknown}]");
            return Err(Ec2Error::new(400, "InvalidInstanceType", message));
        }
        let mut matching = Vec::new();
        for one in all {
            let named = request.names.is_empty() || request.names.contains(&one.name);
            if named && passes(one, &request.filters)? {
                matching.push(one.clone());
            }
        }
        Ok(matching)
    }

    pub(super) fn describe_instance_types_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let request = DescribeInstanceTypes {
            names: params.list("InstanceType").collect(),
            filters: Filter::read_all(params)?,
            max_results: params.number("MaxResults")?,
            next_token: params.get("NextToken").map(str::to_owned),
        };
        let page = self.describe_instance_types(call, &request)?;
        let mut xml = Xml::default();
        xml.items("instanceTypeSet", &page.types, render);
        xml.maybe("nextToken", page.next_token.as_deref());
        Ok(xml)
    }
}

fn check_page_size(size: Option<usize>) -> Result<(), Ec2Error> {
    match size {
        Some(size) if !PAGE_SIZES.contains(&size) => Err(Ec2Error::invalid_value(format!(
            "Value ( {size} ) for parameter maxResults is invalid. Expecting a value from 5 to 100."
        ))),
        Some(_) | None => Ok(()),
    }
}

fn passes(one: &MachineType, filters: &[Filter]) -> Result<bool, Ec2Error> {
    for filter in filters {
        let word = |is: bool| filter.admits(if is { "true" } else { "false" });
        let admitted = match filter.name.as_str() {
            "bare-metal" => word(one.bare_metal),
            "burstable-performance-supported" => word(one.burstable),
            "current-generation" => word(one.current),
            "instance-type" => filter.admits(&one.name),
            "memory-info.size-in-mib" => filter.admits(&one.ram_mib.to_string()),
            "processor-info.supported-architecture" => filter.admits(architecture(one)),
            "supported-root-device-type" => filter.admits("ebs"),
            "supported-usage-class" => usage_classes(one).iter().any(|word| filter.admits(word)),
            "vcpu-info.default-vcpus" => filter.admits(&one.cpu.to_string()),
            _ => return Err(filter.unknown()),
        };
        if !admitted {
            return Ok(false);
        }
    }
    Ok(true)
}

fn architecture(one: &MachineType) -> &'static str {
    match one.architecture {
        Architecture::X64 => "x86_64",
        Architecture::Arm64 => "arm64",
    }
}

fn usage_classes(one: &MachineType) -> &'static [&'static str] {
    if one.spot {
        &["on-demand", "spot"]
    } else {
        &["on-demand"]
    }
}

fn render(xml: &mut Xml, one: &MachineType) {
    let word = |is: bool| if is { "true" } else { "false" };
    xml.text("instanceType", &one.name);
    xml.text("currentGeneration", word(one.current));
    plain_items(xml, "supportedUsageClasses", usage_classes(one));
    plain_items(xml, "supportedRootDeviceTypes", &["ebs"]);
    xml.text("bareMetal", word(one.bare_metal));
    xml.within("processorInfo", |xml| {
        plain_items(xml, "supportedArchitectures", &[architecture(one)]);
    });
    xml.within("vCpuInfo", |xml| {
        xml.text("defaultVCpus", &one.cpu.to_string());
    });
    xml.within("memoryInfo", |xml| {
        xml.text("sizeInMiB", &one.ram_mib.to_string());
    });
    if one.accelerated {
        xml.within("gpuInfo", |xml| {
            xml.items("gpus", ["NVIDIA"], |xml, maker| {
                xml.text("manufacturer", maker);
            });
        });
    }
    xml.text("burstablePerformanceSupported", word(one.burstable));
}

fn plain_items(xml: &mut Xml, name: &str, items: &[&str]) {
    xml.within(name, |xml| {
        for item in items {
            xml.text("item", item);
        }
    });
}
