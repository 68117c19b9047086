//! What happens in one part of the world is carried to the others.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_model::ids::InstanceId;
use reprise_model::tags::TRUE;

use super::{DeliveryMode, Outgoing, Queue, Termination, When, World};
use crate::ec2::{Ec2Happening, EndReason, Happened};
use crate::github::HappeningKind;
use crate::machine::SignKind;
use crate::sqs::{AttributeValue, MessageAttribute, NewMessage};
use crate::story::{Tale, Told};

impl World {
    /// Carries everything on until nothing new comes of it.
    pub(super) fn settle(&mut self) {
        while self.carry_ec2()
            | self.carry_github()
            | self.give_out_jobs()
            | self.serve_hosted_jobs()
            | self.obey_github()
            | self.stop_hosted_jobs()
        {}
        self.deliver();
    }

    fn carry_ec2(&mut self) -> bool {
        let happenings = self.places.take_happenings();
        let any = !happenings.is_empty();
        for happening in happenings {
            self.react(&happening);
            self.tell_ec2(happening);
        }
        any
    }

    fn react(&mut self, happening: &Ec2Happening) {
        let at = happening.at;
        match &happening.what {
            Happened::Launched {
                id,
                instance_type,
                capacity,
                tags,
                ..
            } => self.machine_launched(at, id, instance_type, *capacity, tags),
            Happened::Running(id) => self.machine_runs(at, id),
            Happened::Notice { id, .. } => {
                self.people_see_struck(at, id);
                self.save_checkpoint(at, id);
                if let Some(machine) = self.machines.get_mut(id) {
                    machine.notice_at = Some(at);
                    machine.note_sign(at, SignKind::Notice);
                }
            }
            Happened::ShuttingDown { id, reason } | Happened::Terminated { id, reason } => {
                self.people_see_struck(at, id);
                if *reason == EndReason::UserInitiated {
                    self.note_termination(happening);
                }
                self.machine_ends(at, id, *reason);
            }
            Happened::Tagged { id, key, value, .. } => {
                let is_sign = (key, value) == (&self.settings.tags.interrupted(), &TRUE.to_owned());
                if let Some(machine) = self.machines.get_mut(id).filter(|_| is_sign) {
                    machine.note_sign(at, SignKind::Tag);
                }
            }
            Happened::Stopped(id) => self.machine_stopped(at, id),
            Happened::LaunchRefused { .. } | Happened::RebalanceRecommended(_) => {}
        }
    }

    fn people_see_struck(&mut self, at: Timestamp, id: &InstanceId) {
        let busy = self.machines.get(id).filter(|machine| machine.is_busy());
        let run = busy.and_then(|machine| Some(self.github.job(machine.job?)?.0.id));
        if let Some(run) = run {
            self.people_notice(at, run, When::InstanceIsStruck);
        }
    }

    fn note_termination(&mut self, happening: &Ec2Happening) {
        let Happened::ShuttingDown { id, .. } = &happening.what else {
            return;
        };
        if let Some(machine) = self.machines.get(id) {
            self.terminations.push(Termination {
                at: happening.at,
                instance: id.clone(),
                ours: machine.ours,
                running: machine.is_busy().then_some(machine.job).flatten(),
            });
        }
    }

    fn carry_github(&mut self) -> bool {
        let happenings = self.github.take_happenings();
        let any = !happenings.is_empty();
        for happening in happenings {
            if let HappeningKind::RunCompleted { .. } = happening.what {
                self.people_notice(happening.at, happening.run, When::RunCompletes);
            }
            self.tell_github(happening);
        }
        any
    }

    /// Sends webhooks and EC2 events, each to its own queue.
    fn deliver(&mut self) {
        for webhook in self.github.take_deliveries() {
            self.send(Outgoing {
                queue: Queue::Webhooks,
                body: webhook.body,
                attributes: vec![
                    ("X-Hub-Signature-256".to_owned(), webhook.signature),
                    ("X-GitHub-Event".to_owned(), webhook.event.to_owned()),
                    ("X-GitHub-Delivery".to_owned(), webhook.id.to_string()),
                ],
            });
        }
        for body in self.places.take_events() {
            self.send(Outgoing {
                queue: Queue::Ec2Events,
                body,
                attributes: Vec::new(),
            });
        }
    }

    /// Somebody posts a message to the address behind a queue.
    pub fn post(&mut self, now: Timestamp, message: Outgoing) {
        self.advance(now);
        self.send(message);
    }

    /// Adds a line to the story.
    pub(crate) fn tell(&mut self, at: Timestamp, what: Tale) {
        self.changes += 1;
        self.last_change = self.last_change.max(at);
        self.story.push(Told { at, what });
    }

    fn send(&mut self, message: Outgoing) {
        self.changes += 1;
        match self.settings.delivery {
            DeliveryMode::Elsewhere => self.outgoing.push(message),
            DeliveryMode::Own => self.send_to_own_queue(message),
        }
    }

    fn send_to_own_queue(&mut self, message: Outgoing) {
        let queue = self.settings.queues.of(message.queue).to_owned();
        let sent = self.sqs.send(
            self.now,
            &queue,
            NewMessage {
                body: message.body,
                attributes: text_attributes(message.attributes),
                ..NewMessage::default()
            },
        );
        if let Err(error) = sent {
            tracing::error!(queue, %error, "a message of the simulated world was lost");
        }
    }
}

fn text_attributes(texts: Vec<(String, String)>) -> BTreeMap<String, MessageAttribute> {
    let attribute = |text| MessageAttribute {
        data_type: "String".to_owned(),
        value: AttributeValue::Text(text),
    };
    let pairs = texts.into_iter();
    pairs.map(|(name, text)| (name, attribute(text))).collect()
}
