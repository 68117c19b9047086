//! The credentials of an instance's role, and who a signed request comes from.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;

use super::call::Caller;
use super::error::Ec2Error;
use super::state::Ec2;
use crate::aws_auth::{Signer, Unsigned, signer, signing_time};

/// Access keys that begin so belong to instances; all others speak for the account.
const INSTANCE_KEY_PREFIX: &str = "ASIAFAKE";

/// What the metadata service hands to an instance. Nothing in it is a secret of anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceCredentials {
    /// `ASIAFAKE` and a part of the instance's id.
    pub access_key_id: String,
    /// The fake secret to sign with.
    pub secret_access_key: String,
    /// The fake session token, wanted in `X-Amz-Security-Token`.
    pub token: String,
    /// When they were made.
    pub last_updated: Timestamp,
    /// When the next ones are to be fetched: six hours later, as AWS does.
    pub expiration: Timestamp,
}

impl Ec2 {
    /// The credentials of an instance that has a role.
    pub fn credentials(&self, id: &InstanceId, now: Timestamp) -> Option<InstanceCredentials> {
        let instance = self.instances.get(id).filter(|one| one.role.is_some())?;
        let valid_for = SignedDuration::from_hours(6);
        Some(InstanceCredentials {
            access_key_id: access_key(&instance.id),
            secret_access_key: secret(&instance.id),
            token: session_token(&instance.id),
            last_updated: now,
            expiration: now.checked_add(valid_for).unwrap_or(Timestamp::MAX),
        })
    }

    /// A request that was signed too long ago, or will be, is refused.
    pub(super) fn check_signing_time(
        &self,
        now: Timestamp,
        request: &http::Request<Vec<u8>>,
    ) -> Result<(), Ec2Error> {
        let Some(valid_for) = self.settings.signatures_last else {
            return Ok(());
        };
        let signed_at = signing_time(request);
        match signed_at.is_some_and(|at| now.duration_since(at).abs() <= valid_for) {
            true => Ok(()),
            false => Err(Ec2Error::new(400, "RequestExpired", "Request has expired.")),
        }
    }

    /// Who sent the request.
    pub(super) fn caller_of(&self, request: &http::Request<Vec<u8>>) -> Result<Caller, Ec2Error> {
        self.caller_for("ec2", request)
    }

    /// Who sent a request to a service here. An instance's signature is checked in full, since its
    /// secret is known.
    pub(crate) fn caller_for(
        &self,
        service: &str,
        request: &http::Request<Vec<u8>>,
    ) -> Result<Caller, Ec2Error> {
        let signer = signer(request).map_err(|unsigned| match unsigned {
            Unsigned::Missing => Ec2Error::missing_token(),
            Unsigned::Malformed => Ec2Error::auth_failure(),
        })?;
        if signer.service != service || signer.region != self.settings.region.as_str() {
            return Err(Ec2Error::auth_failure());
        }
        if signer.access_key.starts_with(INSTANCE_KEY_PREFIX) {
            self.instance_caller(&signer, request)
                .ok_or_else(Ec2Error::auth_failure)
        } else {
            Ok(Caller::Account(signer.access_key))
        }
    }

    fn instance_caller(&self, signer: &Signer, request: &http::Request<Vec<u8>>) -> Option<Caller> {
        let id = self.keys.get(&signer.access_key)?;
        let token = request.headers().get("x-amz-security-token")?;
        (token.as_bytes() == session_token(id).as_bytes()
            && signer.is_signed_with(&secret(id), request))
        .then(|| Caller::Instance(id.clone()))
    }
}

/// The access key of an instance, the same for all its life.
pub(super) fn access_key(id: &InstanceId) -> String {
    let digits = id.as_str().trim_start_matches("i-").to_ascii_uppercase();
    // Real keys have 20 characters; the last 12 digits still tell instances apart.
    let tail = &digits[digits.len().saturating_sub(12)..];
    format!("{INSTANCE_KEY_PREFIX}{tail}")
}

fn secret(id: &InstanceId) -> String {
    format!("fake-secret-of-{id}")
}

fn session_token(id: &InstanceId) -> String {
    format!("fake-session-token-of-{id}")
}
