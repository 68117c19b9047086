//! Instances that serve nothing any more are ended.
//!
//! Which they are, the engine says ([`reprise_engine::reap`]); here its questions are answered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_config::FleetSettings;
use reprise_engine::console::Occasion;
use reprise_engine::reap::{
    self, GitHubWords, KeepReason, LedgerWords, Question, Reap, ReapFacts, RunnerWords,
};
use reprise_engine::still_queued;
use reprise_engine::tenant::RunSeen;
use reprise_model::evidence::Evidence;
use reprise_model::instance::{Instance, InstanceView};
use reprise_model::ledger::{ClaimKey, LaunchClaim};
use reprise_model::reason::EndReason;
use reprise_store::Store;
use tracing::{debug, warn};

use super::interrupted::run_key;
use super::{Runs, Sweep};
use crate::context::{Controller, WorkError};
use crate::ports::Ports;
use crate::together::together;

/// What was read about an instance so far.
#[derive(Debug)]
struct Read {
    ledger: Option<Ledger>,
    refused: bool,
    runner: RunnerWords,
}

#[derive(Debug)]
struct Ledger {
    claim: Option<LaunchClaim>,
    crew: Option<Vec<LaunchClaim>>,
    evidence: Vec<Evidence>,
}

/// An instance that is to be ended, why, and the launch that its tags name.
pub(super) struct Ending {
    instance: Instance,
    why: EndReason,
    claim: Option<ClaimKey>,
}

impl<P: Ports> Controller<P> {
    /// Whether an instance serves nothing any more, and is to be ended.
    pub(super) async fn reap<'a>(
        &'a self,
        fleet: &FleetSettings,
        view: &InstanceView,
        sweep: &mut Sweep<'a, P>,
    ) -> Result<Option<Ending>, WorkError> {
        let mut read = Read {
            ledger: None,
            refused: false,
            runner: RunnerWords::Unasked,
        };
        let reaped = self.reap_by(fleet, view, &mut read, sweep).await;
        // What only waits for a turn at GitHub is decided by the next sweep.
        if read.ledger.is_some() && read.runner != RunnerWords::NotNow {
            let until = match &reaped {
                Ok(_) => reap::rests_until(view, self.now()),
                Err(_) => reap::rests_after_failure(self.now()),
            };
            self.kept.wait_until(&view.instance, until);
        }
        reaped
    }

    async fn reap_by<'a>(
        &'a self,
        fleet: &FleetSettings,
        view: &InstanceView,
        read: &mut Read,
        sweep: &mut Sweep<'a, P>,
    ) -> Result<Option<Ending>, WorkError> {
        loop {
            match self.decide_reap(fleet, view, read, &sweep.runs) {
                Reap::Keep(why) => {
                    told_kept(view, why, read);
                    return Ok(None);
                }
                Reap::Ask(question) => self.answer(question, view, read, sweep).await?,
                Reap::End(why) => {
                    let claim = read.ledger.as_ref().and_then(|read| read.claim.as_ref());
                    return Ok(Some(Ending {
                        instance: view.instance.clone(),
                        why,
                        claim: claim.map(|claim| claim.key.clone()),
                    }));
                }
            }
        }
    }

    /// Ends them together, so that they share their calls. One that failed is decided anew by the next
    /// sweep.
    pub(super) async fn end_all(&self, endings: Vec<Ending>, sweep: &mut Sweep<'_, P>) {
        let ended = together(endings.iter().map(|one| self.end_idle(one))).await;
        for (one, ended) in endings.iter().zip(ended) {
            if let Err(error) = ended {
                self.kept.wait_until(&one.instance, self.now());
                sweep.failed(error);
            }
        }
    }

    async fn end_idle(&self, ending: &Ending) -> Result<(), WorkError> {
        self.end(&ending.instance, ending.why).await?;
        self.want_console(&ending.instance, Occasion::Ended(ending.why));
        self.ask_of_ended(ending).await
    }

    /// A job that waited for an instance in vain is launched for again.
    async fn ask_of_ended(&self, ending: &Ending) -> Result<(), WorkError> {
        match &ending.claim {
            Some(claim) if still_queued::is_left_waiting(ending.why) => {
                self.ask_of_holder(claim, &ending.instance.id).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The job of an instance that EC2 took is asked about, once, unless it is known to have run there; its
    /// console is asked for.
    pub(super) async fn mourn(&self, view: &InstanceView) -> Result<(), WorkError> {
        if !still_queued::died(view) || self.mourned.until(&view.instance).is_some() {
            return Ok(());
        }
        self.want_console(&view.instance, Occasion::Listed(view));
        let known = self.store.instance(&view.instance).await?;
        let had_a_job = known.is_some_and(|known| known.record.judged.is_some());
        if let Some(key) = self.claim_key(view).filter(|_| !had_a_job) {
            self.ask_of_holder(&key, &view.instance.id).await?;
        }
        self.mourned.wait_until(&view.instance, Timestamp::MAX);
        Ok(())
    }

    fn decide_reap(
        &self,
        fleet: &FleetSettings,
        view: &InstanceView,
        read: &Read,
        runs: &Runs<'_, P>,
    ) -> Reap {
        let nothing = BTreeMap::new();
        let claim = read.ledger.as_ref().and_then(|read| read.claim.as_ref());
        let seen = claim
            .and_then(|claim| runs.get(&run_key(claim)))
            .map(|run| run.seen());
        let facts = ReapFacts {
            view,
            stack: fleet.stack.as_str(),
            rests_until: self.kept.until(&view.instance),
            ledger: read.ledger.as_ref().map(|read| LedgerWords {
                claim: read.claim.as_ref(),
                crew: read.crew.as_deref(),
                evidence: &read.evidence,
            }),
            runner_name: &self.settings.runner_name,
            github: if read.refused {
                GitHubWords::Refused
            } else {
                GitHubWords::Seen(seen.unwrap_or(RunSeen {
                    run: None,
                    lists: &nothing,
                }))
            },
            runner: read.runner,
        };
        reap::decide(&facts, &self.settings.rules, self.now())
    }

    async fn answer<'a>(
        &'a self,
        question: Question,
        view: &InstanceView,
        read: &mut Read,
        sweep: &mut Sweep<'a, P>,
    ) -> Result<(), WorkError> {
        match question {
            Question::Ledger => {
                let known = self.store.instance(&view.instance).await?;
                read.ledger = Some(Ledger {
                    claim: self.claim_of(view).await?,
                    crew: None,
                    evidence: known.map(|known| known.record.evidence).unwrap_or_default(),
                });
            }
            Question::Crew => {
                if let Some(ledger) = &mut read.ledger
                    && let Some(claim) = &ledger.claim
                {
                    ledger.crew = Some(self.crew_of(claim).await?);
                }
            }
            Question::GitHub(what) => {
                let claim = read.ledger.as_ref().and_then(|read| read.claim.as_ref());
                // It asks of a run only where a claim names one.
                let Some(claim) = claim else { return Ok(()) };
                match self
                    .run_of(&run_key(claim), &mut sweep.runs)
                    .read(what)
                    .await
                {
                    Ok(()) => {}
                    Err(error) if error.refusal().is_some() => read.refused = true,
                    Err(error) => return Err(error.into()),
                }
            }
            Question::Withdraw => {
                let claims = read
                    .ledger
                    .iter()
                    .flat_map(Ledger::claims)
                    .collect::<Vec<_>>();
                // In a box, as it is deep and seldom done.
                let withdrawn = Box::pin(self.withdraw(view, &claims, &mut sweep.rolls));
                read.runner = withdrawn.await?;
            }
        }
        Ok(())
    }
}

impl Ledger {
    /// The claims of all who may have the instance.
    fn claims(&self) -> impl Iterator<Item = &LaunchClaim> {
        self.crew.iter().flatten().chain(&self.claim)
    }
}

fn told_kept(view: &InstanceView, why: KeepReason, read: &Read) {
    let (id, reason) = (&view.instance.id, why.as_str());
    if why == KeepReason::DoubtfulForLong {
        warn!(
            target: "reprise::decision",
            decision = "kept",
            instance.id = %id,
            instance.region = %view.instance.region,
            reason,
            "an instance of the stack has run for hours and nobody can tell what for; look at it"
        );
    } else if read.ledger.is_some() {
        debug!(
            target: "reprise::decision",
            decision = "kept",
            reason,
            instance.id = %id,
            "an instance is kept"
        );
    }
}
