//! What labels ask for, in words.

use reprise_engine::types::DEFAULT_CPU;
use reprise_model::labels::{FamilyPattern, JobLabels, MachineWish, PredefinedRunner, Range};

/// A line: what it is about, and what is said of it.
pub(super) type Line = (&'static str, String);

pub(super) fn lines(labels: &JobLabels) -> Vec<Line> {
    let machine = &labels.machine;
    let mut lines = vec![("id", id(labels))];
    lines.extend(labels.runner.as_ref().map(|_| ("runner", runner(labels))));
    lines.push(("vCPUs", cpu(labels)));
    lines.push(("memory", said(&machine.ram.map(gib), labels, "any")));
    lines.push(("types", said(&family(machine), labels, "any family")));
    let image = machine.image.as_ref().map(ToString::to_string);
    lines.push(("image", said(&image, labels, "the launch template's")));
    let volume = machine.volume.map(|volume| volume.to_string());
    lines.push(("volume", said(&volume, labels, "the image's")));
    lines.extend(
        machine
            .region
            .as_ref()
            .map(|region| ("region", region.to_string())),
    );
    lines.extend(
        machine
            .private
            .map(|private| ("network", network(private).to_owned())),
    );
    lines.extend(tags(machine).map(|tags| ("tags", tags)));
    lines.extend(labels.env.as_ref().map(|env| ("env", env.to_string())));
    lines
}

fn id(labels: &JobLabels) -> String {
    match &labels.id {
        Some(id) => id.clone(),
        None => "none: any job with the same labels may take this job's machine; write \
                 runs-on=${{ github.run_id }} and the job's name"
            .to_owned(),
    }
}

fn runner(labels: &JobLabels) -> String {
    let Some(name) = &labels.runner else {
        return String::new();
    };
    match PredefinedRunner::named(name) {
        Some(runner) => format!(
            "{name}: {} vCPUs, {}, unless the configuration has a runner of that name",
            runner.cpu, runner.architecture
        ),
        None => format!("{name}, which the configuration must have"),
    }
}

/// What a label says, else a named runner, else what is so without either.
fn said(label: &Option<String>, labels: &JobLabels, default: &str) -> String {
    match (label, &labels.runner) {
        (Some(said), _) => said.clone(),
        (None, Some(_)) => format!("as the runner says, else {default}"),
        (None, None) => default.to_owned(),
    }
}

fn cpu(labels: &JobLabels) -> String {
    let exact = labels.machine.family.iter().any(FamilyPattern::is_exact);
    let default = if exact {
        "as many as the named types have".to_owned()
    } else {
        format!("{}, the default", range(DEFAULT_CPU))
    };
    said(&labels.machine.cpu.map(range), labels, &default)
}

fn gib(ram: Range) -> String {
    format!("{} GiB", range(ram))
}

fn range(range: Range) -> String {
    if range.min == range.max {
        range.min.to_string()
    } else {
        format!("{} to {}", range.min, range.max)
    }
}

fn family(machine: &MachineWish) -> Option<String> {
    let names = machine.family.iter().map(ToString::to_string);
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn network(private: bool) -> &'static str {
    if private {
        "without a public address"
    } else {
        "with a public address"
    }
}

fn tags(machine: &MachineWish) -> Option<String> {
    let tags = machine
        .tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    let tags: Vec<String> = tags.collect();
    (!tags.is_empty()).then(|| tags.join(", "))
}
