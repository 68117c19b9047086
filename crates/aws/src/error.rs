//! What can go wrong on the way to AWS, told in three kinds that each ask for something different.
//!
//! No SDK type leaves through here: an error is the kind, AWS's code and its words. It is `Clone`,
//! since one failed call answers every caller of its batch.

use std::error::Error;
use std::fmt;

use aws_sdk_ec2::error::{BuildError, ProvideErrorMetadata, SdkError};
use reprise_model::ids::Region;

/// What an error asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// Too many requests: it passes by itself.
    Throttled,
    /// AWS said no: a permission, a quota or an invalid request. An operator must act.
    Refused,
    /// No answer, or one that says nothing: it may or may not have happened.
    Unclear,
}

impl FailureKind {
    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Unclear => "unclear",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttled => "throttled by AWS, it passes by itself",
            Self::Refused => {
                "refused by AWS, check the permissions, the quotas and the configuration"
            }
            Self::Unclear => "no clear answer from AWS",
        })
    }
}

/// A call to AWS that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {kind}: {detail}")]
pub struct CallError {
    /// What was asked for, as `describe instances in eu-west-1`.
    pub operation: String,
    /// What it asks for.
    pub kind: FailureKind,
    /// AWS's code, as `UnauthorizedOperation`; absent if AWS did not answer.
    pub code: Option<String>,
    /// AWS's code and words, or what happened on the way.
    pub detail: String,
}

/// An SQS call that did not do what was asked.
pub type SqsError = CallError;

/// Why EC2 did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ec2Error {
    /// Nothing is known of how to reach the region.
    #[error("region {region} is not configured: add it to [[aws.regions]]")]
    UnknownRegion {
        /// Which.
        region: Region,
    },
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Ec2Error {
    /// What it asks for.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::UnknownRegion { .. } => FailureKind::Refused,
            Self::Call(call) => call.kind,
        }
    }
}

/// The codes by which services say that the caller may not.
const DENIALS: [&str; 4] = [
    "AccessDenied",
    "AccessDeniedException",
    "NotAuthorized",
    "UnauthorizedOperation",
];

impl CallError {
    /// Whether AWS said that this caller may not.
    pub fn is_denied(&self) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| DENIALS.contains(&code))
    }

    /// Reads an SDK error.
    pub(crate) fn from_sdk<E>(operation: impl Into<String>, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let (kind, code, detail) = match error.as_service_error() {
            Some(answer) => {
                let code = answer.code().map(str::to_owned);
                let detail = code_and_words(answer.code(), answer.message());
                (kind_of(answer.code(), status), code, detail)
            }
            // Only a request that could not even be built never left this machine.
            None if matches!(error, SdkError::ConstructionFailure(_)) => {
                (FailureKind::Refused, None, chain(error))
            }
            None => (FailureKind::Unclear, None, chain(error)),
        };
        Self {
            operation: operation.into(),
            kind,
            code,
            detail,
        }
    }

    /// AWS's own verdict on one entry of a batch.
    pub(crate) fn of_entry(
        operation: impl Into<String>,
        code: &str,
        message: Option<&str>,
        sender_fault: bool,
    ) -> Self {
        let status = if sender_fault { 400 } else { 500 };
        Self {
            operation: operation.into(),
            kind: kind_of(Some(code), Some(status)),
            code: Some(code.to_owned()),
            detail: code_and_words(Some(code), message),
        }
    }

    /// AWS's own answer to a request that no SDK made.
    pub(crate) fn of_answer(
        operation: impl Into<String>,
        code: Option<&str>,
        message: Option<&str>,
        status: u16,
    ) -> Self {
        Self {
            operation: operation.into(),
            kind: kind_of(code, Some(status)),
            code: code.map(str::to_owned),
            detail: match (code, message) {
                (None, None) => format!("HTTP {status}"),
                (code, message) => code_and_words(code, message),
            },
        }
    }

    /// It never left this machine.
    pub(crate) fn refused(operation: impl Into<String>, detail: String) -> Self {
        Self {
            operation: operation.into(),
            kind: FailureKind::Refused,
            code: None,
            detail,
        }
    }

    /// No answer came, or none that can be read.
    pub(crate) fn unclear(operation: impl Into<String>, detail: String) -> Self {
        Self {
            kind: FailureKind::Unclear,
            ..Self::refused(operation, detail)
        }
    }

    /// A request that the SDK would not even put together.
    pub(crate) fn unbuilt(operation: impl Into<String>, error: &BuildError) -> Self {
        Self {
            operation: operation.into(),
            kind: FailureKind::Refused,
            code: None,
            detail: chain(error),
        }
    }

    /// Nothing came back for one of several things asked in one call.
    pub(crate) fn unanswered(operation: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            kind: FailureKind::Unclear,
            code: None,
            detail: "the answer does not mention this request".to_owned(),
        }
    }
}

/// The codes that only say "not so fast", whatever their HTTP status (EC2 answers 503 or 400).
const THROTTLES: [&str; 12] = [
    "EC2ThrottledException",
    "KMS.ThrottlingException",
    "KmsThrottled",
    "OverLimit",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// The codes by which EC2 says that it failed itself.
const FAULTS: [&str; 4] = [
    "InternalError",
    "InternalFailure",
    "ServiceUnavailable",
    "Unavailable",
];

/// The kind of an answer that AWS gave. A code without a status comes from within a 200.
pub(crate) fn kind_of(code: Option<&str>, status: Option<u16>) -> FailureKind {
    let is = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    if is(&THROTTLES) || status == Some(429) {
        FailureKind::Throttled
    } else if is(&FAULTS) || status.is_some_and(|status| status >= 500) {
        FailureKind::Unclear
    } else {
        FailureKind::Refused
    }
}

/// `Code: words`, or the half of it that is there.
pub(crate) fn code_and_words(code: Option<&str>, message: Option<&str>) -> String {
    match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "an error without a code".to_owned(),
    }
}

/// An error and its sources: the SDK's own text is only "dispatch failure" and the like.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_is_a_throttle_whatever_its_status() {
        for (code, status) in [
            ("RequestLimitExceeded", Some(503)),
            ("Throttling", Some(400)),
            ("RequestThrottled", Some(403)),
            ("RequestLimitExceeded", None),
            ("Anything", Some(429)),
        ] {
            assert_eq!(
                kind_of(Some(code), status),
                FailureKind::Throttled,
                "{code}"
            );
        }
    }

    #[test]
    fn what_aws_blames_on_itself_is_unclear() {
        for (code, status) in [
            (Some("InternalError"), Some(500)),
            (Some("InternalError"), None),
            (Some("SomethingNew"), Some(502)),
            (None, Some(503)),
        ] {
            assert_eq!(kind_of(code, status), FailureKind::Unclear, "{code:?}");
        }
    }

    #[test]
    fn a_no_is_refused() {
        for code in [
            "UnauthorizedOperation",
            "InvalidParameterValue",
            "VcpuLimitExceeded",
            "IdempotentParameterMismatch",
        ] {
            assert_eq!(
                kind_of(Some(code), Some(400)),
                FailureKind::Refused,
                "{code}"
            );
        }
    }

    #[test]
    fn access_denied_is_told_from_every_other_no() {
        let answered = |code| CallError::of_answer("ask", Some(code), None, 400).is_denied();
        assert!(answered("AccessDeniedException"));
        assert!(answered("UnauthorizedOperation"));
        assert!(!answered("ValidationException"));
        assert!(!answered("ThrottlingException"));
        assert!(!CallError::unclear("ask", "no route".to_owned()).is_denied());
    }

    #[test]
    fn the_text_says_what_failed_what_to_do_and_what_aws_said() {
        let error = CallError::of_entry(
            "delete a message",
            "ReceiptHandleIsInvalid",
            Some("it expired"),
            true,
        );
        assert_eq!(
            error.to_string(),
            "delete a message: refused by AWS, check the permissions, the quotas and the \
             configuration: ReceiptHandleIsInvalid: it expired"
        );
    }
}
