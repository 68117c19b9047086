//! Everything that the agent asks of the metadata service, and what it remembers of it.
//!
//! Credentials are fetched when they are needed and not before: an agent that was never given
//! notice holds none.

use jiff::Timestamp;
use reprise_model::instance::Instance;

use crate::clock::Clock;
use crate::credentials::{CREDENTIALS_PATH, NO_ROLE, RoleCredentials, read_credentials, read_role};
use crate::identity::{IDENTITY_PATH, read_identity};
use crate::metadata::{Answer, Metadata, MetadataError};
use crate::notice::{NOTICE_PATH, REBALANCE_PATH, Reading, read_notice};
use crate::session::Session;

/// Asks, and keeps what stays true.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    session: Session,
    instance: Option<Instance>,
    credentials: Option<RoleCredentials>,
}

/// A poll that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Polled {
    /// There is no notice.
    Clear,
    /// There is something in the notice's place, in an answer of that `Date`.
    Body(Reading, Option<Timestamp>),
}

impl Lookup {
    /// One poll of the notice.
    pub(crate) async fn poll<M: Metadata, C: Clock>(
        &mut self,
        metadata: &M,
        clock: &C,
    ) -> Result<Polled, MetadataError> {
        let answer = self.session.get(metadata, clock, NOTICE_PATH).await?;
        match answer.status {
            200 => Ok(Polled::Body(read_notice(&answer.body), answer.date)),
            404 => Ok(Polled::Clear),
            other => Err(MetadataError::from_status(other)),
        }
    }

    /// Whether EC2 recommends to leave this instance: it may be interrupted sooner than others.
    pub(crate) async fn rebalance_recommended<M: Metadata, C: Clock>(
        &mut self,
        metadata: &M,
        clock: &C,
    ) -> Result<bool, MetadataError> {
        let answer = self.session.get(metadata, clock, REBALANCE_PATH).await?;
        match answer.status {
            200 => Ok(true),
            404 => Ok(false),
            other => Err(MetadataError::from_status(other)),
        }
    }

    /// The agent's instance, if it is known already.
    pub(crate) fn known_instance(&self) -> Option<&Instance> {
        self.instance.as_ref()
    }

    /// The agent's instance, asked for if it is not known yet.
    pub(crate) async fn instance<M: Metadata, C: Clock>(
        &mut self,
        metadata: &M,
        clock: &C,
    ) -> Result<Instance, String> {
        if let Some(instance) = &self.instance {
            return Ok(instance.clone());
        }
        let answer = self.ask(metadata, clock, IDENTITY_PATH).await?;
        let instance = read_identity(&success(answer)?)?;
        tracing::info!(
            instance.id = %instance.id,
            instance.region = %instance.region,
            instance.account = %instance.account,
            "the instance is known"
        );
        self.instance = Some(instance.clone());
        Ok(instance)
    }

    /// Credentials of the instance's role; those at hand if they are fresh, or if there are no
    /// newer ones to be had.
    pub(crate) async fn credentials<M: Metadata, C: Clock>(
        &mut self,
        metadata: &M,
        clock: &C,
    ) -> Result<RoleCredentials, String> {
        if let Some(held) = &self.credentials
            && held.fresh_at(clock.wall())
        {
            return Ok(held.clone());
        }
        match self.fetch_credentials(metadata, clock).await {
            Ok(credentials) => {
                self.credentials = Some(credentials.clone());
                Ok(credentials)
            }
            Err(error) => self.credentials.clone().ok_or(error),
        }
    }

    /// Drops the credentials at hand, because EC2 does not accept them.
    pub(crate) fn forget_credentials(&mut self) {
        self.credentials = None;
    }

    async fn fetch_credentials<M: Metadata, C: Clock>(
        &mut self,
        metadata: &M,
        clock: &C,
    ) -> Result<RoleCredentials, String> {
        let roles = self.ask(metadata, clock, CREDENTIALS_PATH).await?;
        if roles.status == 404 {
            return Err(NO_ROLE.to_owned());
        }
        let role = read_role(&success(roles)?)?;
        let path = format!("{CREDENTIALS_PATH}{role}");
        let answer = self.ask(metadata, clock, &path).await?;
        read_credentials(&success(answer)?)
    }

    async fn ask<M: Metadata, C: Clock>(
        &mut self,
        metadata: &M,
        clock: &C,
        path: &str,
    ) -> Result<Answer, String> {
        self.session
            .get(metadata, clock, path)
            .await
            .map_err(|error| error.to_string())
    }
}

fn success(answer: Answer) -> Result<Vec<u8>, String> {
    match answer.status {
        200 => Ok(answer.body),
        other => Err(MetadataError::from_status(other).to_string()),
    }
}
