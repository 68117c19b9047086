//! GetConsoleOutput: what an instance's system and its agent wrote, made up of what happened to it.
//!
//! As at EC2, the usual output is what had been written at the last start or end, some seconds later;
//! `Latest` is up to date, and only for what runs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_model::instance::InstanceState;

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::describe_wire::parse_id;
use super::error::Ec2Error;
use super::instance::Ec2Instance;
use super::query::Params;
use super::state::{Ec2, later};
use super::xml::{Xml, millis};

/// How long after a start or an end its output is there.
const POSTED_AFTER: SignedDuration = SignedDuration::from_secs(15);

/// What a console shows, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleOutput {
    /// When it was posted.
    pub at: Timestamp,
    /// The text.
    pub text: String,
}

impl Ec2 {
    /// What an instance has written to its console; `None` where nothing was posted yet.
    pub fn console_output(
        &mut self,
        call: &Call,
        id: &InstanceId,
        latest: bool,
    ) -> Result<Option<ConsoleOutput>, Ec2Error> {
        let action = Action::GetConsoleOutput;
        self.called(call, action, &[(Bucket::Calls(action), 1)], |ec2| {
            let Some(instance) = ec2.instances.get(id) else {
                return Err(Ec2Error::unknown_instances(&[id]));
            };
            if latest && !instance.is_up() {
                return Err(Ec2Error::new(
                    400,
                    "UnsupportedOperation",
                    "This instance does not support retrieving the latest console logs.",
                ));
            }
            call.unless_dry()?;
            let at = if latest {
                Some(call.now)
            } else {
                posted_at(instance, call.now)
            };
            let key = &ec2.settings.instance_may_tag.0;
            Ok(at.and_then(|at| written(instance, key, at)))
        })
    }

    pub(super) fn console_output_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let id = parse_id(params.required("InstanceId")?)?;
        let latest = params.get("Latest") == Some("true");
        let output = self.console_output(call, &id, latest)?;
        let mut xml = Xml::default();
        xml.text("instanceId", id.as_str());
        if let Some(output) = output {
            xml.text("timestamp", &millis(output.at));
            xml.text("output", &STANDARD.encode(output.text));
        }
        Ok(xml)
    }
}

/// The last start or end whose output is there.
fn posted_at(instance: &Ec2Instance, now: Timestamp) -> Option<Timestamp> {
    let turns = instance.states.iter().rev();
    let mut posts = turns
        .filter(|(_, state, _)| match state {
            InstanceState::Running | InstanceState::Stopped | InstanceState::Terminated => true,
            InstanceState::Pending
            | InstanceState::ShuttingDown
            | InstanceState::Stopping
            | InstanceState::Unknown => false,
        })
        .map(|(at, _, _)| later(*at, POSTED_AFTER));
    posts.find(|at| *at <= now)
}

/// What had been written by then. A machine that never ran wrote nothing.
fn written(instance: &Ec2Instance, interrupted: &str, at: Timestamp) -> Option<ConsoleOutput> {
    let states = instance.states.iter();
    let mut lines: Vec<(Timestamp, String)> = states
        .filter_map(|(when, state, _)| Some((*when, system_says(*state)?)))
        .collect();
    if let Some(notice) = instance.notice {
        let words = format!(
            "reprise-agent: notice: {} at {:.0}",
            notice.action.as_str(),
            notice.time
        );
        lines.push((notice.since, words));
    }
    let tags = instance
        .tag_log
        .iter()
        .filter(|(_, key, _)| key == interrupted);
    lines.extend(tags.map(|(when, key, value)| {
        let words = format!("reprise-agent: tagged {} {key}={value}", instance.id);
        (*when, words)
    }));
    lines.retain(|(when, _)| *when <= at);
    lines.sort_by_key(|(when, _)| *when);
    let text: Vec<String> = lines
        .into_iter()
        .map(|(when, words)| format!("[{when:.3}] {words}\r\n"))
        .collect();
    (!text.is_empty()).then(|| ConsoleOutput {
        at,
        text: text.concat(),
    })
}

fn system_says(state: InstanceState) -> Option<String> {
    let words = match state {
        InstanceState::Running => "\u{1b}[0;32m[  OK  ]\u{1b}[0m Started reprise-agent.service",
        InstanceState::ShuttingDown | InstanceState::Stopping => "systemd-shutdown: powering off",
        InstanceState::Pending
        | InstanceState::Terminated
        | InstanceState::Stopped
        | InstanceState::Unknown => return None,
    };
    Some(words.to_owned())
}
