//! The port to the instance metadata service, version 2 only.
//!
//! It carries requests and answers and decides nothing: tokens are kept and renewed by
//! [`crate::session`].

use std::fmt;
use std::future::Future;

use jiff::Timestamp;

/// Asks the instance metadata service.
pub trait Metadata: Send + Sync {
    /// `PUT /latest/api/token`: a session token that is good for `ttl_seconds`.
    fn token(
        &self,
        ttl_seconds: u32,
    ) -> impl Future<Output = Result<SessionToken, MetadataError>> + Send;

    /// `GET path`, as `/latest/meta-data/instance-id`, with a token. Every status is an answer.
    fn get(
        &self,
        path: &str,
        token: &SessionToken,
    ) -> impl Future<Output = Result<Answer, MetadataError>> + Send;
}

impl<M: Metadata> Metadata for &M {
    async fn token(&self, ttl_seconds: u32) -> Result<SessionToken, MetadataError> {
        (**self).token(ttl_seconds).await
    }

    async fn get(&self, path: &str, token: &SessionToken) -> Result<Answer, MetadataError> {
        (**self).get(path, token).await
    }
}

/// A session token. Whoever holds it can read the instance's credentials, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    /// Takes the token as the service gave it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, for the request's header and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(hidden)")
    }
}

/// What the service said.
///
/// No `Debug`: the same type carries credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, limited in size by the port.
    pub body: Vec<u8>,
    /// The time of day at which the service wrote it, if it said so legibly.
    pub date: Option<Timestamp>,
}

/// Why there was no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Nothing came within the deadline.
    #[error("the metadata service did not answer in time")]
    TimedOut,
    /// Refused, reset, cut off, not HTTP, or too long.
    #[error("the metadata service cannot be read: {0}")]
    Transport(String),
    /// It refuses the token that it has just handed out.
    #[error("the metadata service refuses its own fresh token (401)")]
    TokenRefused,
    /// Switched off for this instance.
    #[error(
        "the metadata service is disabled for this instance (403); enable its HTTP endpoint with \
         modify-instance-metadata-options"
    )]
    Disabled,
    /// Any other status that is no answer to the question.
    #[error("the metadata service answered with status {0}")]
    Status(u16),
}

impl MetadataError {
    /// The error that a status other than success stands for.
    pub fn from_status(status: u16) -> Self {
        match status {
            401 => Self::TokenRefused,
            403 => Self::Disabled,
            other => Self::Status(other),
        }
    }
}
