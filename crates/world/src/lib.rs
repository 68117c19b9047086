//! A simulated EC2, metadata service, SQS, EventBridge, GitHub and runner whose clock is an argument.
