//! What a message says, read from its body: from then on nobody needs the body.
//!
//! A message may be under way for a minute, and thousands at once; a webhook is 6 to 25 KB, and what is
//! read of it some hundred bytes.

use std::collections::BTreeMap;

use reprise_model::ec2_event::{self, Ec2Event};
use reprise_model::webhook::{self, Webhook};
use secrecy::SecretString;

use crate::intake::Outcome;
use crate::intake::signature::{self, SignedWith};
use crate::logging::chain;

/// What a message says.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a message and taken apart at once; most are webhooks"
)]
pub(crate) enum Letter {
    /// A webhook that GitHub signed.
    Webhook(Webhook),
    /// An event of EC2's.
    Ec2Event(Ec2Event),
}

impl Letter {
    /// Reads a message of the webhook queue.
    ///
    /// `signed` is told which secret signed it, also where it cannot be read.
    ///
    /// # Errors
    /// The message's outcome, where it is not to be believed or not to be read.
    pub(crate) fn webhook(
        secrets: &[SecretString],
        body: &str,
        attributes: &BTreeMap<String, String>,
        signed: impl FnOnce(SignedWith),
    ) -> Result<Self, Outcome> {
        let attribute = |name| attributes.get(name).map(String::as_str);
        signature::verify(secrets, body.as_bytes(), attribute(signature::SIGNATURE))
            .map(signed)
            .map_err(Outcome::Forged)?;
        let event = attribute(signature::EVENT).unwrap_or_default();
        webhook::parse(event, body.as_bytes())
            .map(Self::Webhook)
            .map_err(|error| unparsable(&error))
    }

    /// Reads a message of the queue that only EventBridge may write to.
    ///
    /// # Errors
    /// The message's outcome, where it is not to be read.
    pub(crate) fn ec2_event(body: &str) -> Result<Self, Outcome> {
        ec2_event::parse(body.as_bytes())
            .map(Self::Ec2Event)
            .map_err(|error| unparsable(&error))
    }
}

fn unparsable(error: &(dyn std::error::Error + 'static)) -> Outcome {
    Outcome::Unparsable {
        problem: chain(error).to_string(),
    }
}
