//! Instances that serve nothing any more are ended.
//!
//! Which they are, the engine says ([`reprise_engine::reap`]); here its questions are answered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_config::FleetSettings;
use reprise_engine::reap::{self, GitHubWords, KeepReason, LedgerWords, Question, Reap, ReapFacts};
use reprise_engine::still_queued;
use reprise_engine::tenant::RunSeen;
use reprise_model::evidence::Evidence;
use reprise_model::instance::InstanceView;
use reprise_model::ledger::LaunchClaim;
use reprise_model::reason::EndReason;
use reprise_store::Store;
use tracing::{debug, warn};

use super::Runs;
use super::interrupted::run_key;
use crate::context::{Controller, WorkError};
use crate::ports::Ports;

/// What was read about an instance so far.
#[derive(Debug, Default)]
struct Read {
    ledger: Option<Ledger>,
    refused: bool,
}

#[derive(Debug)]
struct Ledger {
    claim: Option<LaunchClaim>,
    evidence: Vec<Evidence>,
}

impl<P: Ports> Controller<P> {
    /// Ends an instance that serves nothing any more.
    pub(super) async fn reap<'a>(
        &'a self,
        fleet: &FleetSettings,
        view: &InstanceView,
        runs: &mut Runs<'a, P>,
    ) -> Result<(), WorkError> {
        let mut read = Read::default();
        let reaped = self.reap_by(fleet, view, &mut read, runs).await;
        // Also where it failed: GitHub is not to be asked by every sweep while it is down.
        if read.ledger.is_some() {
            let until = reap::rests_until(view, self.now());
            self.kept.wait_until(&view.instance, until);
        }
        reaped
    }

    async fn reap_by<'a>(
        &'a self,
        fleet: &FleetSettings,
        view: &InstanceView,
        read: &mut Read,
        runs: &mut Runs<'a, P>,
    ) -> Result<(), WorkError> {
        loop {
            match self.decide_reap(fleet, view, read, runs) {
                Reap::Keep(why) => {
                    told_kept(view, why, read);
                    return Ok(());
                }
                Reap::Ask(question) => self.answer(question, view, read, runs).await?,
                Reap::End(why) => {
                    self.end(&view.instance, why).await?;
                    return self.ask_of_ended(view, why, read).await;
                }
            }
        }
    }

    /// A job that waited for an instance in vain is launched for again.
    async fn ask_of_ended(
        &self,
        view: &InstanceView,
        why: EndReason,
        read: &Read,
    ) -> Result<(), WorkError> {
        let claim = read.ledger.as_ref().and_then(|read| read.claim.as_ref());
        match claim {
            Some(claim) if still_queued::is_left_waiting(why) => {
                self.ask_at(&claim.key, Some(&view.instance.id), self.now())
                    .await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The job of an instance that EC2 took is asked about, once, unless it is known to have run there.
    pub(super) async fn mourn(&self, view: &InstanceView) -> Result<(), WorkError> {
        if !still_queued::died(view) || self.mourned.until(&view.instance).is_some() {
            return Ok(());
        }
        let known = self.store.instance(&view.instance).await?;
        let had_a_job = known.is_some_and(|known| known.record.judged.is_some());
        if let Some(key) = self.claim_key(view).filter(|_| !had_a_job) {
            self.ask_at(&key, Some(&view.instance.id), self.now())
                .await?;
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
        };
        reap::decide(&facts, &self.settings.rules, self.now())
    }

    async fn answer<'a>(
        &'a self,
        question: Question,
        view: &InstanceView,
        read: &mut Read,
        runs: &mut Runs<'a, P>,
    ) -> Result<(), WorkError> {
        match question {
            Question::Ledger => {
                let known = self.store.instance(&view.instance).await?;
                read.ledger = Some(Ledger {
                    claim: self.claim_of(view).await?,
                    evidence: known.map(|known| known.record.evidence).unwrap_or_default(),
                });
            }
            Question::GitHub(what) => {
                let claim = read.ledger.as_ref().and_then(|read| read.claim.as_ref());
                // It asks of a run only where a claim names one.
                let Some(claim) = claim else { return Ok(()) };
                match self.run_of(&run_key(claim), runs).read(what).await {
                    Ok(()) => {}
                    Err(error) if error.refusal().is_some() => read.refused = true,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
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
