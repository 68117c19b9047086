//! EventBridge events of EC2.
