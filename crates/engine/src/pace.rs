//! At what pace AWS and GitHub are asked.
//!
//! Both count requests and refuse whoever asks too much, and who goes on asking is refused for longer. So
//! each request that counts takes a turn first. What cannot be had soon is not waited for: the answer is
//! when to come again, which the caller writes down as a due time.
//!
//! Kept in memory, a replica's own. What others take from the same account is not known here; it shows as a
//! refusal, which lowers the pace for a while.

mod bucket;
mod ec2;
mod github;

pub use bucket::{Bucket, Limit};
pub use ec2::{Ec2Action, Ec2Pace};
pub use github::{Errand, GitHubAnswer, GitHubPace, NotNow, WaitReason};
