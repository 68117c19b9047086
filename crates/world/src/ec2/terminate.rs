//! TerminateInstances: all of them, or none when one is unknown.

use reprise_model::ids::InstanceId;
use reprise_model::instance::InstanceState;

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::describe_wire::{read_ids, state_xml};
use super::error::Ec2Error;
use super::instance::EndReason;
use super::query::Params;
use super::state::Ec2;
use super::xml::Xml;

/// What a termination did to one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateTransition {
    /// The instance.
    pub id: InstanceId,
    /// Its state before.
    pub previous: InstanceState,
    /// Its state now.
    pub current: InstanceState,
}

impl Ec2 {
    /// Ends instances. Ending one that already ends or ended is no error.
    pub fn terminate_instances(
        &mut self,
        call: &Call,
        ids: &[InstanceId],
    ) -> Result<Vec<StateTransition>, Ec2Error> {
        let action = Action::TerminateInstances;
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let draws = [(Bucket::Calls(action), 1), (Bucket::Terminations, count)];
        self.called(call, action, &draws, |ec2| {
            if ids.is_empty() {
                return Err(Ec2Error::missing_parameter("InstanceId"));
            }
            let unknown: Vec<&InstanceId> = ids
                .iter()
                .filter(|id| !ec2.instances.contains_key(id))
                .collect();
            if !unknown.is_empty() {
                return Err(Ec2Error::unknown_instances(&unknown));
            }
            call.unless_dry()?;
            Ok(ids.iter().map(|id| ec2.terminate(call, id)).collect())
        })
    }

    fn terminate(&mut self, call: &Call, id: &InstanceId) -> StateTransition {
        let previous = self.state_of(id);
        match previous {
            InstanceState::Pending
            | InstanceState::Running
            | InstanceState::Stopping
            | InstanceState::Stopped => self.begin_end(call.now, id, EndReason::UserInitiated),
            InstanceState::ShuttingDown | InstanceState::Terminated | InstanceState::Unknown => {}
        }
        StateTransition {
            id: id.clone(),
            previous,
            current: self.state_of(id),
        }
    }

    fn state_of(&self, id: &InstanceId) -> InstanceState {
        self.instances
            .get(id)
            .map_or(InstanceState::Unknown, |instance| instance.state())
    }

    pub(super) fn terminate_instances_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let transitions = self.terminate_instances(call, &read_ids(params)?)?;
        let mut xml = Xml::default();
        xml.items("instancesSet", &transitions, |xml, transition| {
            xml.text("instanceId", transition.id.as_str());
            state_xml(xml, "currentState", transition.current);
            state_xml(xml, "previousState", transition.previous);
        });
        Ok(xml)
    }
}
