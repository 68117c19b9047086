//! Webhooks that did not arrive are delivered again.
//!
//! Which, and when, the engine says ([`reprise_engine::redeliver`]); here GitHub's list is read and
//! GitHub is asked. A webhook that comes again is dealt with like any other.

use jiff::{SignedDuration, Timestamp};
use reprise_engine::pace::Errand;
use reprise_engine::redeliver::{Deliveries, GivenUp, Order, RedeliverRules, RestReason, Step};
use reprise_model::delivery::RedeliveryAnswer;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::ports::{GitHub, Ports, RedeliveryReply};

/// GitHub wants so much time between two requests that change something.
const PACE: SignedDuration = SignedDuration::from_secs(1);

impl<P: Ports> Controller<P> {
    /// Reads on in GitHub's list and asks for what failed, as far as one turn goes; when to go on.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub(super) async fn redeliver(
        &self,
        rules: &RedeliverRules,
        deliveries: &mut Deliveries,
    ) -> Result<Timestamp, WorkError> {
        deliveries.begin(rules, self.now());
        loop {
            match deliveries.next(rules, self.now()) {
                Step::Read(from) => {
                    let page = self
                        .github_for(Errand::Read)
                        .deliveries(from.as_ref())
                        .await?;
                    deliveries.read(page, self.settings.fleet.is_some());
                }
                Step::Ask(order) => self.ask_again(&order, deliveries).await,
                Step::GiveUp(given_up) => {
                    self.metrics
                        .delivery_given_up(given_up.event.as_str(), given_up.why.as_str());
                    told_given_up(&given_up);
                    deliveries.gave_up(&given_up);
                }
                Step::Rest { why, until } => {
                    self.metrics.deliveries_open(deliveries.open());
                    told_rest(why, deliveries.open());
                    return Ok(until);
                }
            }
        }
    }

    async fn ask_again(&self, order: &Order, deliveries: &mut Deliveries) {
        deliveries.asking(order, self.now());
        let reply = self.github_for(Errand::Read).redeliver(order.attempt).await;
        deliveries.answered(order, &reply.answer, reply.retry_after, self.now());
        self.metrics
            .redelivery(order.event.as_str(), reply.answer.as_str());
        told_asked(order, &reply);
        self.clock.sleep(PACE).await;
    }
}

fn told_asked(order: &Order, reply: &RedeliveryReply) {
    let (event, reason) = (order.event.as_str(), reply.answer.as_str());
    match &reply.answer {
        RedeliveryAnswer::Accepted => info!(
            target: "reprise::decision",
            decision = "redelivery",
            reason,
            webhook.delivery = %order.delivery,
            webhook.event = event,
            tries = order.tries + 1,
            "a webhook that did not arrive is delivered again"
        ),
        RedeliveryAnswer::Refused { .. } | RedeliveryAnswer::NotNow | RedeliveryAnswer::Unclear => {
            warn!(
                target: "reprise::decision",
                decision = "redelivery",
                reason,
                webhook.delivery = %order.delivery,
                webhook.event = event,
                tries = order.tries + 1,
                detail = reply.detail,
                "GitHub was asked to deliver a webhook again, and did not say yes"
            )
        }
    }
}

fn told_given_up(given_up: &GivenUp) {
    warn!(
        target: "reprise::decision",
        decision = "delivery-given-up",
        reason = given_up.why.as_str(),
        webhook.delivery = %given_up.delivery,
        webhook.event = given_up.event.as_str(),
        tries = given_up.tries,
        "a webhook did not arrive and is not asked for again; see the App's recent deliveries"
    );
}

fn told_rest(why: RestReason, open: usize) {
    match why {
        RestReason::AddressDown | RestReason::MindFull => warn!(
            target: "reprise::decision",
            decision = "redeliveries-rest",
            reason = why.as_str(),
            deliveries.failed = open,
            "webhooks do not arrive; see the App's recent deliveries and the webhook's address"
        ),
        RestReason::NothingOpen => {}
        RestReason::TooEarly
        | RestReason::AskedEnough
        | RestReason::ReadEnough
        | RestReason::Limited => debug!(
            target: "reprise::decision",
            decision = "redeliveries-rest",
            reason = why.as_str(),
            deliveries.failed = open,
            "no webhook is asked for again for now"
        ),
    }
}
