//! A throttled call that changes something goes back to its caller at once.
//!
//! The SDK repeats it otherwise, behind the back of whoever keeps within EC2's rates: each caller's call would
//! be three. A lost connection and a fault of EC2's are still repeated by the SDK.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_ec2::config::interceptors::InterceptorContext;
use aws_sdk_ec2::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_ec2::config::{Builder, Config};
use aws_sdk_ec2::error::ProvideErrorMetadata;

use crate::error::{FailureKind, kind_of};

/// What an operation with this error is configured by, beside what its client is.
pub(super) fn no_repeat_of_throttles<E>() -> Builder
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    Config::builder().retry_classifier(ThrottlesGoBack::<E>(PhantomData))
}

struct ThrottlesGoBack<E>(PhantomData<fn() -> E>);

impl<E> fmt::Debug for ThrottlesGoBack<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThrottlesGoBack")
    }
}

impl<E> ClassifyRetry for ThrottlesGoBack<E>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failure = context.output_or_error().and_then(Result::err);
        let answer = failure
            .and_then(|failure| failure.as_operation_error())
            .and_then(|error| error.downcast_ref::<E>());
        match answer.map(|answer| kind_of(answer.code(), None)) {
            Some(FailureKind::Throttled) => RetryAction::RetryForbidden,
            Some(FailureKind::Refused | FailureKind::Unclear) | None => {
                RetryAction::NoActionIndicated
            }
        }
    }

    fn name(&self) -> &'static str {
        "throttles go back to the caller"
    }
}
