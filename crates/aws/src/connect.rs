//! From settings to SDK configuration: credentials, endpoints, time-outs and repeats.
//!
//! Credentials and endpoints come from where every AWS program takes them (environment, profile,
//! container or instance role; `AWS_ENDPOINT_URL` and its per-service forms). Nothing is contacted
//! before the first call, except that a role is assumed then.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_ec2::config::SharedCredentialsProvider;
use reprise_model::ids::{AccountId, Region};

use crate::error::chain;

/// A region to work in, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionSettings {
    /// Which region.
    pub region: Region,
    /// The account that owns its instances.
    pub account: AccountId,
    /// The role to take on for it; `None` uses the program's own credentials.
    pub role_arn: Option<String>,
}

/// The session name that CloudTrail shows for an assumed role.
const ROLE_SESSION: &str = "reprise";

/// A connection within one region takes milliseconds; a host that does not answer is found out
/// early enough for another try within the operation's time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// CreateFleet of type instant places the instances before it answers, which takes up to some
/// 15 seconds with many pools; the others answer within one.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// Two full attempts and the pauses between them.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(70);

/// The first try and two more, with the SDK's jittered backoff. Every call made here is safe to
/// repeat: reads, terminations, deletions and visibility changes are idempotent, CreateFleet
/// carries a client token, and a doubled queue message is harmless by design. A change at EC2 that is
/// throttled goes back to its caller instead.
const ATTEMPTS: u32 = 3;

/// The program's own configuration. With the region given, the SDK looks for none: where no variable names one, it
/// would ask the metadata service, and warn of that, time and again.
pub(crate) async fn base(region: &Region) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.as_str().to_owned()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts(ATTEMPT_TIMEOUT, OPERATION_TIMEOUT))
        // Bodies are small, and the time-outs above bound each call anyway.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await
}

/// Nobody gave this program credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoCredentials(String);

/// Whether there are credentials of its own; what they are worth the first call shows.
///
/// # Errors
/// Why there are none.
pub async fn credentials(region: &Region) -> Result<(), NoCredentials> {
    let Some(provider) = base(region).await.credentials_provider() else {
        return Err(NoCredentials(
            "there is nowhere to look for them".to_owned(),
        ));
    };
    let found = provider.provide_credentials().await;
    found
        .map(|_| ())
        .map_err(|error| NoCredentials(chain(&error)))
}

/// The base, in a region and with a role.
pub(crate) async fn in_region(
    base: &SdkConfig,
    region: &Region,
    role_arn: Option<&str>,
) -> SdkConfig {
    let region = aws_config::Region::new(region.as_str().to_owned());
    let builder = base.to_builder().region(region.clone());
    let Some(role_arn) = role_arn else {
        return builder.build();
    };
    let role = AssumeRoleProvider::builder(role_arn)
        .session_name(ROLE_SESSION)
        .region(region)
        .configure(base)
        .build()
        .await;
    builder
        .credentials_provider(SharedCredentialsProvider::new(role))
        .build()
}

/// Time-outs for calls that take up to `attempt` each.
pub(crate) fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}
