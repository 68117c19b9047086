//! SQS queues and the EC2 fleet: the only crate that names those two SDKs.
