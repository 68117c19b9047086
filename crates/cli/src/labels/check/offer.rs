//! Which machine a configuration gives to labels, as far as that is known without asking EC2.

use reprise_config::Settings;
use reprise_engine::select::{Ec2Facts, MachineFacts, MachineRequest, Need, Selection, select};
use reprise_model::instance::Capacity;
use reprise_model::labels::JobLabels;

/// Lines about the machine, and whether there is one as far as that is known.
pub(super) fn machine(
    settings: &Settings,
    labels: &JobLabels,
    capacity: Capacity,
) -> (Vec<String>, bool) {
    let Some(fleet) = &settings.fleet else {
        let nothing = "nothing is launched: the configuration's fleet is not enabled";
        return (vec![nothing.to_owned()], false);
    };
    if !fleet.offer.environment.serves(labels.env.as_ref()) {
        let nothing = "nothing is launched: it is of another environment than the configuration";
        return (vec![nothing.to_owned()], false);
    }
    let chosen = select(&MachineFacts {
        labels,
        offer: &fleet.offer,
        tags: &settings.rules.tags,
        capacity,
        ec2: &Ec2Facts::default(),
    });
    match chosen {
        Selection::Machine(request) => (wanted(&request), true),
        Selection::Read(need) => (vec![depends_on(&need)], true),
        Selection::Refused(refusals) => {
            let lines = refusals.iter().map(|one| format!("refused: {one}"));
            (lines.collect(), false)
        }
    }
}

fn depends_on(need: &Need) -> String {
    match need {
        Need::MachineTypes(region) => {
            format!("as what fits of all that EC2 has in {region}; this command does not ask EC2")
        }
        Need::Image(query) => format!(
            "from {} in {}, if EC2 has it; this command does not ask EC2",
            query.source, query.region
        ),
    }
}

fn wanted(request: &MachineRequest) -> Vec<String> {
    let types = request.instance_types.join(", ");
    let mut lines = vec![format!("as {types} in {}", request.region)];
    lines.extend(request.image.as_ref().map(|image| format!("from {image}")));
    lines.extend(
        request
            .volume
            .as_ref()
            .map(|volume| format!("with a volume of {}", volume.volume)),
    );
    lines
}
