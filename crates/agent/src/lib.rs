//! The agent on a runner instance: sees the interruption notice and tags the instance.
