//! The port to the instance's row in the runner table, and what its failures mean.

use std::fmt;
use std::future::Future;
use std::time::SystemTime;

use reprise_model::instance::Instance;

use crate::credentials::RoleCredentials;

/// The table through which the controller hands over a runner's configuration.
pub trait RunnerTable: Send + Sync {
    /// The configuration that lies in the instance's row; `None` while there is no row.
    fn read(
        &self,
        request: &RowRequest,
    ) -> impl Future<Output = Result<Option<JitConfig>, RowFailure>> + Send;
}

/// Whose row, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRequest {
    /// The instance.
    pub instance: Instance,
    /// Who asks.
    pub credentials: RoleCredentials,
    /// The true time of day, for the signature.
    pub signed_at: SystemTime,
}

/// What a runner starts with, once. It is a secret of GitHub's, so it is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct JitConfig {
    /// The runner's name, where the row says it.
    pub runner: Option<String>,
    /// The configuration in base64, as the runner's program takes it.
    pub encoded: String,
}

impl fmt::Debug for JitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JitConfig")
            .field("runner", &self.runner)
            .finish_non_exhaustive()
    }
}

/// Why the row could not be read. All of it may be different the next time: roles, policies and tables
/// are made while instances boot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFailure {
    /// The role may not do it.
    #[error(
        "DynamoDB denies the row ({code}); allow dynamodb:GetItem where dynamodb:LeadingKeys is \
         ${{aws:userid}} in the instance's role, and check role_id: {message}"
    )]
    Denied {
        /// DynamoDB's error code.
        code: String,
        /// DynamoDB's words, cut.
        message: String,
    },
    /// There is no such table in the instance's region.
    #[error("there is no table {table} in {region}; correct the table under [runner]")]
    NoTable {
        /// As configured.
        table: String,
        /// The instance's.
        region: String,
    },
    /// The credentials have expired or are not valid (yet).
    #[error("DynamoDB does not accept the credentials ({code})")]
    StaleCredentials {
        /// DynamoDB's error code.
        code: String,
    },
    /// Any other answer.
    #[error("DynamoDB answered with status {status} ({code})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// DynamoDB's error code, or a word for its absence.
        code: String,
    },
    /// The row is not as the controller writes it.
    #[error(
        "the row has no configuration that this agent can read; the agent may be older than the controller"
    )]
    Unreadable,
    /// Nothing came within the deadline.
    #[error("DynamoDB did not answer in time")]
    TimedOut,
    /// Refused, reset, no name, no TLS.
    #[error("DynamoDB cannot be reached: {0}")]
    Transport(String),
    /// There is nothing to sign with.
    #[error("no credentials: {0}")]
    NoCredentials(String),
    /// The agent does not know its instance yet.
    #[error("the instance's identity is not known: {0}")]
    NoIdentity(String),
}
