//! A session with the metadata service: one token, renewed in time, replaced when it is refused.
//!
//! Invariants: a refused or expired token costs no poll; the new one is fetched within the same
//! question. A question has three requests at most (with a token that is refused, for a new one, with
//! that), each with a deadline of its own. Only a renewal may fail without ending it, and the rest of
//! it comes a second later at most: a second after an outage every request is one that is answered.

use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::metadata::{Answer, Metadata, MetadataError, SessionToken};

/// The longest that the service grants: six hours.
pub const TOKEN_TTL_SECONDS: u32 = 21_600;

/// How long before its end a token is renewed: an outage of an hour then costs nothing.
pub const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// How long after a renewal that failed the next one is tried. The old token is good for an hour
/// yet, and a service that is short of breath is not helped by a second request with each poll.
const RENEW_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// How long one request to the metadata service may take.
///
/// Counted in real time (tokio's), never by [`Clock`]: it guards against a peer of the real world,
/// whose latency does not shrink when a demo's clock runs sixty times as fast. Under tokio's
/// paused time it is virtual like everything else.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(1);

/// Holds the token between questions.
#[derive(Debug, Default)]
pub struct Session {
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    token: SessionToken,
    since: Timestamp,
    /// No renewal before that, because one has just failed.
    rests_until: Timestamp,
}

/// A token to ask with.
struct Chosen {
    token: SessionToken,
    /// Whether it was handed out within this question.
    fresh: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Freshness {
    Good,
    /// Still accepted, but it is time for a new one.
    Renew,
    Expired,
}

impl Session {
    /// Asks for `path`; any status but 401 and 403 comes back as an answer.
    pub async fn get<M: Metadata, C: Clock>(
        &mut self,
        metadata: &M,
        clock: &C,
        path: &str,
    ) -> Result<Answer, MetadataError> {
        let Chosen { token, fresh } = self.token(metadata, clock).await?;
        let mut answer = within(metadata.get(path, &token)).await?;
        // One that was handed out a moment ago would be refused for another reason than its age.
        if answer.status == 401 && !fresh {
            self.held = None;
            let token = self.new_token(metadata, clock).await?;
            answer = within(metadata.get(path, &token)).await?;
        }
        if answer.status == 401 {
            self.held = None;
        }
        match answer.status {
            401 | 403 => Err(MetadataError::from_status(answer.status)),
            _ => Ok(answer),
        }
    }

    async fn token<M: Metadata, C: Clock>(
        &mut self,
        metadata: &M,
        clock: &C,
    ) -> Result<Chosen, MetadataError> {
        let now = clock.now();
        let usable = match &self.held {
            Some(held) => match held.freshness(now) {
                Freshness::Good => return Ok(held.chosen()),
                Freshness::Renew => Some(held.chosen()),
                Freshness::Expired => None,
            },
            None => None,
        };
        match (self.new_token(metadata, clock).await, usable) {
            (Ok(token), _) => Ok(Chosen { token, fresh: true }),
            (Err(error), None) => Err(error),
            (Err(_), Some(old)) => {
                if let Some(held) = &mut self.held {
                    held.rests_until = now + RENEW_AGAIN;
                }
                Ok(old)
            }
        }
    }

    async fn new_token<M: Metadata, C: Clock>(
        &mut self,
        metadata: &M,
        clock: &C,
    ) -> Result<SessionToken, MetadataError> {
        let since = clock.now();
        let token = within(metadata.token(TOKEN_TTL_SECONDS)).await?;
        self.held = Some(Held {
            token: token.clone(),
            since,
            rests_until: since,
        });
        Ok(token)
    }
}

impl Held {
    fn chosen(&self) -> Chosen {
        Chosen {
            token: self.token.clone(),
            fresh: false,
        }
    }

    fn freshness(&self, now: Timestamp) -> Freshness {
        let age = now.duration_since(self.since);
        let ttl = SignedDuration::from_secs(i64::from(TOKEN_TTL_SECONDS));
        if age >= ttl {
            Freshness::Expired
        } else if age >= ttl - RENEW_BEFORE && now >= self.rests_until {
            Freshness::Renew
        } else {
            Freshness::Good
        }
    }
}

async fn within<T>(
    request: impl Future<Output = Result<T, MetadataError>>,
) -> Result<T, MetadataError> {
    tokio::time::timeout(REQUEST_DEADLINE, request)
        .await
        .unwrap_or(Err(MetadataError::TimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freshness_after(seconds: i64) -> Freshness {
        let since = Timestamp::UNIX_EPOCH;
        let held = Held {
            token: SessionToken::new("t"),
            since,
            rests_until: since,
        };
        held.freshness(since + SignedDuration::from_secs(seconds))
    }

    #[test]
    fn a_token_is_renewed_an_hour_before_its_end() {
        assert_eq!(freshness_after(0), Freshness::Good);
        assert_eq!(freshness_after(5 * 3600 - 1), Freshness::Good);
        assert_eq!(freshness_after(5 * 3600), Freshness::Renew);
        assert_eq!(freshness_after(6 * 3600 - 1), Freshness::Renew);
        assert_eq!(freshness_after(6 * 3600), Freshness::Expired);
    }

    #[test]
    fn a_token_is_never_shown() {
        let held = Held {
            token: SessionToken::new("very-secret"),
            since: Timestamp::UNIX_EPOCH,
            rests_until: Timestamp::UNIX_EPOCH,
        };
        assert!(!format!("{held:?}").contains("very-secret"));
    }
}
