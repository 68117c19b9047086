//! The errors of SQS, as its JSON protocol and the older code beside it name them.

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqsError {
    /// The queue is not there.
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    /// A queue of that name has other attributes.
    #[error("A queue already exists with the same name and a different value for an attribute")]
    QueueNameExists,
    /// That was never a receipt handle of this queue.
    #[error("The input receipt handle \"{0}\" is not a valid receipt handle.")]
    ReceiptHandleIsInvalid(String),
    /// The message is not being worked on: its visibility timeout has run out.
    #[error("The message referred to is not in flight.")]
    MessageNotInflight,
    /// A value that SQS does not take.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// A parameter is missing, or the body is not the JSON that the action wants.
    #[error("{0}")]
    MissingParameter(String),
    /// An attribute that SQS does not know.
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    /// A batch without entries.
    #[error("There should be at least one entry in the request.")]
    EmptyBatchRequest,
    /// A batch of more than ten.
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntriesInBatchRequest(usize),
    /// Two entries of a batch with the same id.
    #[error("Id {0} repeated.")]
    BatchEntryIdsNotDistinct(String),
    /// A batch that is too large altogether.
    #[error("Batch requests cannot be longer than 1048576 bytes. You have sent {0} bytes.")]
    BatchRequestTooLong(usize),
    /// A character that XML cannot hold.
    #[error("Invalid characters found. Valid unicode characters are those that XML 1.0 allows.")]
    InvalidMessageContents,
    /// An action that this SQS does not know.
    #[error("The action {0} is not known.")]
    UnknownOperation(String),
    /// The request is not signed.
    #[error("Request is missing Authentication Token")]
    MissingAuthenticationToken,
    /// The `Authorization` header is not an AWS4 signature for SQS.
    #[error("The request signature does not conform to AWS standards.")]
    IncompleteSignature,
    /// Too many requests; only ever injected.
    #[error("Rate exceeded")]
    RequestThrottled,
    /// SQS itself failed, status 500; only ever injected.
    #[error("We encountered an internal error. Please try again.")]
    InternalFailure,
}

impl SqsError {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::MissingAuthenticationToken => 403,
            Self::InternalFailure => 500,
            Self::QueueDoesNotExist
            | Self::QueueNameExists
            | Self::ReceiptHandleIsInvalid(_)
            | Self::MessageNotInflight
            | Self::InvalidParameterValue(_)
            | Self::MissingParameter(_)
            | Self::InvalidAttributeName(_)
            | Self::EmptyBatchRequest
            | Self::TooManyEntriesInBatchRequest(_)
            | Self::BatchEntryIdsNotDistinct(_)
            | Self::BatchRequestTooLong(_)
            | Self::InvalidMessageContents
            | Self::UnknownOperation(_)
            | Self::IncompleteSignature
            | Self::RequestThrottled => 400,
        }
    }

    /// `__type` of the JSON answer.
    pub fn shape(&self) -> &'static str {
        match self {
            Self::QueueDoesNotExist => "com.amazonaws.sqs#QueueDoesNotExist",
            Self::QueueNameExists => "com.amazonaws.sqs#QueueNameExists",
            Self::ReceiptHandleIsInvalid(_) => "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            Self::MessageNotInflight => "com.amazonaws.sqs#MessageNotInflight",
            Self::InvalidParameterValue(_) => {
                "com.amazon.coral.service#InvalidParameterValueException"
            }
            Self::MissingParameter(_) => {
                "com.amazon.coral.service#MissingRequiredParameterException"
            }
            Self::InvalidAttributeName(_) => "com.amazonaws.sqs#InvalidAttributeName",
            Self::EmptyBatchRequest => "com.amazonaws.sqs#EmptyBatchRequest",
            Self::TooManyEntriesInBatchRequest(_) => {
                "com.amazonaws.sqs#TooManyEntriesInBatchRequest"
            }
            Self::BatchEntryIdsNotDistinct(_) => "com.amazonaws.sqs#BatchEntryIdsNotDistinct",
            Self::BatchRequestTooLong(_) => "com.amazonaws.sqs#BatchRequestTooLong",
            Self::InvalidMessageContents => "com.amazonaws.sqs#InvalidMessageContents",
            Self::UnknownOperation(_) => "com.amazon.coral.service#UnknownOperationException",
            Self::MissingAuthenticationToken => {
                "com.amazon.coral.service#MissingAuthenticationTokenException"
            }
            Self::IncompleteSignature => "com.amazon.coral.service#IncompleteSignatureException",
            Self::RequestThrottled => "com.amazonaws.sqs#RequestThrottled",
            Self::InternalFailure => "com.amazon.coral.service#InternalFailure",
        }
    }

    /// The code of the Query protocol, which clients of both ages branch on.
    pub fn query_code(&self) -> &'static str {
        match self {
            Self::QueueDoesNotExist => "AWS.SimpleQueueService.NonExistentQueue",
            Self::QueueNameExists => "QueueAlreadyExists",
            Self::ReceiptHandleIsInvalid(_) => "ReceiptHandleIsInvalid",
            Self::MessageNotInflight => "AWS.SimpleQueueService.MessageNotInflight",
            Self::InvalidParameterValue(_) => "InvalidParameterValue",
            Self::MissingParameter(_) => "MissingParameter",
            Self::InvalidAttributeName(_) => "InvalidAttributeName",
            Self::EmptyBatchRequest => "AWS.SimpleQueueService.EmptyBatchRequest",
            Self::TooManyEntriesInBatchRequest(_) => {
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
            }
            Self::BatchEntryIdsNotDistinct(_) => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            Self::BatchRequestTooLong(_) => "AWS.SimpleQueueService.BatchRequestTooLong",
            Self::InvalidMessageContents => "InvalidMessageContents",
            Self::UnknownOperation(_) => "InvalidAction",
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::IncompleteSignature => "IncompleteSignature",
            Self::RequestThrottled => "RequestThrottled",
            Self::InternalFailure => "InternalFailure",
        }
    }

    /// Whether the client is to blame.
    pub fn is_senders_fault(&self) -> bool {
        self.status() < 500
    }
}
