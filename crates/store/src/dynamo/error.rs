//! What DynamoDB refused or left open, with what an operator can do about it.
//!
//! No SDK type leaves through here: an error is a case with DynamoDB's code and words.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use reprise_model::ids::Region;

use crate::contract::StoreError;

/// Why DynamoDB did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DynamoError {
    /// There is no such table.
    #[error(
        "there is no table {table} in {region}; create it, or correct table and region under [{section}]"
    )]
    MissingTable {
        /// Which table.
        table: String,
        /// Where it is configured.
        section: &'static str,
        /// Where it was looked for.
        region: Region,
    },
    /// The table is not what this version works with.
    #[error("the table {table} in {region} cannot be used: {problem}")]
    Shape {
        /// Which table.
        table: String,
        /// Where.
        region: Region,
        /// What is wrong, and what it should be.
        problem: String,
    },
    /// The program has no credentials.
    #[error(
        "no AWS credentials were found; give the task or instance a role, or set AWS_ACCESS_KEY_ID \
         and AWS_SECRET_ACCESS_KEY: {detail}"
    )]
    NoCredentials {
        /// What was tried.
        detail: String,
    },
    /// The credentials do not allow it.
    #[error(
        "access to the table {table} in {region} was denied; allow the program's role to use it and \
         its index: {detail}"
    )]
    Denied {
        /// Which table.
        table: String,
        /// Where.
        region: Region,
        /// DynamoDB's code and words, which name the action.
        detail: String,
    },
    /// Too many requests, also after some repetitions.
    #[error(
        "DynamoDB throttles the table {table}; this passes by itself, unless its capacity or its \
         limits are set too low: {detail}"
    )]
    Throttled {
        /// Which table.
        table: String,
        /// DynamoDB's code and words.
        detail: String,
    },
    /// DynamoDB does not accept the request.
    #[error("DynamoDB refused the request: {detail}")]
    Refused {
        /// DynamoDB's code and words.
        detail: String,
    },
    /// No answer, or one that says nothing, also after some repetitions: it may have happened.
    #[error("no clear answer from DynamoDB, it may or may not have happened: {detail}")]
    Unclear {
        /// What happened on the way.
        detail: String,
    },
}

const DENIALS: [&str; 7] = [
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
];

/// Also within the words of a cancelled transaction, where the codes of its items stand.
const THROTTLES: [&str; 6] = [
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "Throttling",
    "LimitExceededException",
    "TransactionConflict",
    "TransactionInProgress",
];

/// Whose errors they are: the table that is worked on.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(super) region: Region,
    section: &'static str,
}

impl Caller {
    /// The table that a section of the configuration names.
    pub(crate) fn new(name: &str, region: &Region, section: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            region: region.clone(),
            section,
        }
    }

    /// An SDK error, met while doing something.
    pub(crate) fn failed<E>(&self, operation: &'static str, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let source = match error.as_service_error() {
            Some(answer) => {
                let status = error.raw_response().map(|raw| raw.status().as_u16());
                self.of_answer(answer.code(), answer.message(), status)
            }
            None => of_silence(error),
        };
        backend(operation, source)
    }

    /// A request that could not even be put together.
    pub(crate) fn unbuilt(&self, operation: &'static str, error: BuildError) -> StoreError {
        let detail = error.to_string();
        backend(operation, DynamoError::Refused { detail })
    }

    /// DynamoDB answered, and left something undone again and again.
    pub(crate) fn throttled(&self, operation: &'static str, detail: &str) -> StoreError {
        let (table, detail) = (self.name.clone(), detail.to_owned());
        backend(operation, DynamoError::Throttled { table, detail })
    }

    /// The table has another shape.
    pub(super) fn shape(&self, operation: &'static str, problem: String) -> StoreError {
        let (table, region) = (self.name.clone(), self.region.clone());
        let source = DynamoError::Shape {
            table,
            region,
            problem,
        };
        backend(operation, source)
    }

    fn of_answer(
        &self,
        code: Option<&str>,
        message: Option<&str>,
        status: Option<u16>,
    ) -> DynamoError {
        let (table, region) = (self.name.clone(), self.region.clone());
        let code = code.unwrap_or("an error without a code");
        let detail = match message {
            Some(message) => format!("{code}: {message}"),
            None => code.to_owned(),
        };
        if code == "ResourceNotFoundException" {
            DynamoError::MissingTable {
                table,
                section: self.section,
                region,
            }
        } else if DENIALS.contains(&code) {
            DynamoError::Denied {
                table,
                region,
                detail,
            }
        } else if THROTTLES.iter().any(|word| detail.contains(word)) {
            DynamoError::Throttled { table, detail }
        } else if status.is_none_or(|status| status >= 500) {
            DynamoError::Unclear { detail }
        } else {
            DynamoError::Refused { detail }
        }
    }
}

fn backend(operation: &'static str, source: DynamoError) -> StoreError {
    StoreError::Backend {
        operation,
        source: source.into(),
    }
}

/// DynamoDB did not answer at all.
fn of_silence<E: Error + 'static>(error: &SdkError<E>) -> DynamoError {
    let (mut detail, mut no_credentials) = (error.to_string(), false);
    let mut next = error.source();
    while let Some(cause) = next {
        detail = format!("{detail}: {cause}");
        no_credentials |= cause.is::<CredentialsError>();
        next = cause.source();
    }
    if no_credentials {
        DynamoError::NoCredentials { detail }
    } else if matches!(error, SdkError::ConstructionFailure(_)) {
        DynamoError::Refused { detail }
    } else {
        DynamoError::Unclear { detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_says_what_to_do() {
        let table = Caller::new("ledger", &Region::new("eu-west-1"), "store");
        for (code, message, status, says) in [
            (
                "ResourceNotFoundException",
                "Requested resource not found",
                400,
                "there is no table ledger in eu-west-1; create it, or correct table and region \
                 under [store]",
            ),
            (
                "AccessDeniedException",
                "not authorized to perform: dynamodb:UpdateItem",
                400,
                "access to the table ledger in eu-west-1 was denied; allow the program's role to use \
                 it and its index: AccessDeniedException: not authorized to perform: \
                 dynamodb:UpdateItem",
            ),
            (
                "ThrottlingException",
                "slow down",
                400,
                "DynamoDB throttles the table ledger; this passes by itself, unless its capacity or \
                 its limits are set too low: ThrottlingException: slow down",
            ),
            (
                "TransactionCanceledException",
                "specific reasons [None, TransactionConflict]",
                400,
                "DynamoDB throttles the table ledger; this passes by itself, unless its capacity or \
                 its limits are set too low: TransactionCanceledException: specific reasons [None, \
                 TransactionConflict]",
            ),
            (
                "InternalServerError",
                "sorry",
                500,
                "no clear answer from DynamoDB, it may or may not have happened: \
                 InternalServerError: sorry",
            ),
            (
                "ValidationException",
                "too large",
                400,
                "DynamoDB refused the request: ValidationException: too large",
            ),
        ] {
            let error = table.of_answer(Some(code), Some(message), Some(status));
            assert_eq!(error.to_string(), says);
        }
    }
}
