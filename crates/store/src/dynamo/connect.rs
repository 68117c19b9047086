//! The client: credentials, endpoint, time-outs and repeats.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::interceptors::InterceptorContext;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use reprise_model::ids::Region;

use super::commit::{CONDITION_FAILED, reasons};

/// Within a region a connection takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// DynamoDB answers in some ten milliseconds, and in a second when a partition moves.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// Whoever claimed work has 30 seconds for it, and several calls to make.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The first try and four more. Each is safe to repeat: a read, a write on condition, a transaction
/// with a token, or a runner's row, which is the same each time.
pub(crate) const ATTEMPTS: u32 = 5;

/// Doubled with each attempt and jittered: under two seconds in all. A table on demand that is
/// throttled has room again after about as long.
pub(crate) const FIRST_BACKOFF: Duration = Duration::from_millis(100);

pub(crate) const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// The session name that CloudTrail shows for an assumed role.
const ROLE_SESSION: &str = "reprise";

pub(crate) async fn client(region: &Region) -> Client {
    of(&shared(region).await)
}

/// The same with this role instead of the program's own credentials.
pub(crate) async fn client_as(region: &Region, role_arn: &str) -> Client {
    let own = shared(region).await;
    let role = AssumeRoleProvider::builder(role_arn)
        .session_name(ROLE_SESSION)
        .region(aws_config::Region::new(region.as_str().to_owned()))
        .configure(&own)
        .build()
        .await;
    let role = SharedCredentialsProvider::new(role);
    of(&own.into_builder().credentials_provider(role).build())
}

fn of(shared: &SdkConfig) -> Client {
    let config = aws_sdk_dynamodb::config::Builder::from(shared)
        .retry_classifier(Collisions)
        .build();
    Client::from_conf(config)
}

async fn shared(region: &Region) -> SdkConfig {
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(ATTEMPT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.as_str().to_owned()))
        .retry_config(retries)
        .timeout_config(timeouts)
        // Bodies are small, and the time-outs above bound each call anyway.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await
}

/// Two writes of one item at the same moment, one of them in a transaction: DynamoDB refuses one
/// without a look at its condition, and the SDK would not repeat it.
#[derive(Debug)]
struct Collisions;

impl ClassifyRetry for Collisions {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err);
        let Some(error) = error.and_then(|error| error.as_operation_error()) else {
            return RetryAction::NoActionIndicated;
        };
        let passes = if let Some(error) = error.downcast_ref::<TransactWriteItemsError>() {
            passes_by_itself(error)
        } else if let Some(error) = error.downcast_ref::<UpdateItemError>() {
            error.is_transaction_conflict_exception()
        } else {
            false
        };
        if passes {
            RetryAction::throttling_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "collisions of transactions"
    }
}

/// A condition that failed stays failed, whatever else was in the way.
fn passes_by_itself(error: &TransactWriteItemsError) -> bool {
    const PASSES: [&str; 3] = [
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    ];
    let codes = || reasons(error).filter_map(|reason| reason.code());
    codes().any(|code| PASSES.contains(&code)) && !codes().any(|code| code == CONDITION_FAILED)
}
