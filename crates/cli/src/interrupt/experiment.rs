//! An experiment, and the mark by which it knows its target.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use reprise_aws::{Drills, Ec2, Ec2Error, Experiment, ExperimentState, FailureKind};
use reprise_controller::clock::{Clock, SystemClock};
use reprise_engine::drill::{self, Begun, DRILL_TAG, MARK_SHOWS_WITHIN, MARK_STAYS, MARKED, OVER};
use reprise_model::instance::Instance;

use crate::output::note;
use crate::signals::stopped;

/// The pause between two looks at the mark or the experiment, where nothing else is looked at.
const LOOKS_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// A drill of one machine.
pub(super) struct Drill<'a> {
    ec2: &'a Ec2,
    drills: Drills,
    instance: Instance,
    begun: Begun,
    experiment: Option<Experiment>,
    is_marked: bool,
}

impl<'a> Drill<'a> {
    /// Of this machine; nothing is done yet.
    pub(super) fn of(ec2: &'a Ec2, drills: Drills, instance: Instance) -> Self {
        Self {
            ec2,
            drills,
            instance,
            begun: Begun::No,
            experiment: None,
            is_marked: false,
        }
    }

    /// Marks the machine, and has it taken. Whoever drops this in the middle calls [`Self::end`] all the same.
    pub(super) async fn begin(&mut self, template: &str, now: Timestamp) -> Result<()> {
        let id = self.instance.id.clone();
        // First: a call whose answer nobody waits for any more may have been heard.
        self.is_marked = true;
        if let Err(error) = mark(self.ec2, &self.instance, MARKED).await {
            self.is_marked = may_be_done(error.kind());
            let says = format!("failed to mark {id} as the target; nothing was begun");
            return Err(error).context(says);
        }
        self.wait_for_mark().await?;
        self.begun = Begun::Perhaps;
        // One of this moment: whoever asks again wants another interruption.
        let token = format!("reprise-{id}-{}", now.as_millisecond());
        match self.drills.start(template, &token).await {
            Ok(experiment) => self.hear(experiment),
            Err(error) => {
                if !may_be_done(error.kind) {
                    self.begun = Begun::No;
                }
                return Err(error).with_context(|| {
                    format!(
                        "failed to begin the experiment of {template}; is it the output template_id of \
                         terraform/modules/drill?"
                    )
                });
            }
        }
        Ok(())
    }

    /// An experiment that finds no mark interrupts nothing.
    async fn wait_for_mark(&self) -> Result<()> {
        let (region, id) = (&self.instance.region, &self.instance.id);
        let shown = async {
            // What does not answer is asked again.
            while !matches!(self.ec2.look(region, id).await, Ok(sight) if drill::shows_mark(&sight))
            {
                SystemClock.sleep(LOOKS_EVERY).await;
            }
        };
        tokio::select! {
            () = shown => Ok(()),
            () = SystemClock.sleep(MARK_SHOWS_WITHIN) => bail!(
                "EC2 does not show the mark {DRILL_TAG} of {id} after {MARK_SHOWS_WITHIN:#}; nothing was begun, \
                 ask again"
            ),
        }
    }

    fn hear(&mut self, experiment: Experiment) {
        self.begun = match experiment.state {
            ExperimentState::Running => Begun::UnderWay,
            ExperimentState::Completed | ExperimentState::Failed => Begun::Over,
        };
        self.experiment = Some(experiment);
    }

    /// Looks how it goes, until it has ended.
    pub(super) async fn look(&mut self) -> Result<()> {
        self.look_again().await;
        match &self.experiment {
            Some(experiment) if experiment.state == ExperimentState::Failed => {
                let reason = experiment.reason.as_deref();
                bail!(
                    "the experiment {} interrupted nothing: {}",
                    experiment.id,
                    reason.unwrap_or("it does not say why")
                );
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn look_again(&mut self) {
        let Some(experiment) = &self.experiment else {
            return;
        };
        if experiment.state == ExperimentState::Running {
            // What does not answer is asked again with the next look.
            if let Ok(experiment) = self.drills.look(&experiment.id).await {
                self.hear(experiment);
            }
        }
    }

    /// The service's role may interrupt what is marked alone: so the mark stays until that was done.
    pub(super) async fn unmark_once_taken(&mut self, is_noticed: bool) {
        if is_noticed || self.begun == Begun::Over {
            self.unmark().await;
        }
    }

    /// However the watching ended: takes the mark off, and before that lets the experiment find it.
    pub(super) async fn end(mut self) {
        if self.is_marked && drill::needs_mark(self.begun) {
            note(format_args!(
                "the experiment may yet look for the mark {DRILL_TAG}, which is taken off {} when it has ended, after \
                 {MARK_STAYS:#} at the latest; another Ctrl-C takes it off at once, and may keep the machine",
                self.instance.id
            ));
            let over = async {
                while drill::needs_mark(self.begun) {
                    self.look_again().await;
                    SystemClock.sleep(LOOKS_EVERY).await;
                }
            };
            tokio::select! {
                () = over => {}
                () = SystemClock.sleep(MARK_STAYS) => {}
                () = stopped() => {}
            }
        }
        self.unmark().await;
    }

    /// A later drill must not find it again.
    async fn unmark(&mut self) {
        if !std::mem::take(&mut self.is_marked) {
            return;
        }
        if let Err(error) = mark(self.ec2, &self.instance, OVER).await {
            note(format_args!(
                "failed to take the mark {DRILL_TAG} off {}: the next drill may take it again ({error})",
                self.instance.id
            ));
        }
    }
}

/// Whether what was asked for may have been done all the same.
fn may_be_done(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Throttled | FailureKind::Refused => false,
        FailureKind::Unclear => true,
    }
}

async fn mark(ec2: &Ec2, instance: &Instance, value: &str) -> Result<(), Ec2Error> {
    let tags = BTreeMap::from([(DRILL_TAG.to_owned(), value.to_owned())]);
    ec2.tag(&instance.region, &instance.id, &tags).await
}
