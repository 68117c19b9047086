//! How often things fail, and how.

use jiff::SignedDuration;

/// How often something happens, in thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(pub u16);

/// How often a controller's surroundings fail, and how long they take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    /// How long calls take.
    pub latency: LatencyRates,
    /// The store.
    pub store: StoreRates,
    /// GitHub.
    pub github: GitHubRates,
    /// EC2.
    pub ec2: Ec2Rates,
    /// SQS.
    pub sqs: SqsRates,
    /// The operator's endpoint.
    pub asks: AskRates,
}

/// How long a call takes, beside the milliseconds that each takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LatencyRates {
    /// A call that takes much longer.
    pub slow: Chance,
    /// How long at most.
    pub slow_up_to: SignedDuration,
}

/// The store's faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreRates {
    /// A commit is done, its answer is lost, and the client's own repeat conflicts with it.
    pub repeats_conflict: Chance,
    /// A commit of several records is refused because another transaction was at one of them.
    pub transactions_collide: Chance,
    /// A call fails and does nothing.
    pub fails: Chance,
    /// A commit is done and its answer is lost.
    pub lost_answers: Chance,
    /// What is due is read from an index that lags behind.
    pub due_lags: Chance,
    /// By how much.
    pub due_lag: SignedDuration,
}

/// GitHub's faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GitHubRates {
    /// A call is answered 5xx and does nothing.
    pub fails: Chance,
    /// A re-run is answered 5xx although it was carried out.
    pub fails_after_acting: Chance,
    /// A call's answer never comes; whether it was carried out is as likely as not.
    pub lost_answers: Chance,
    /// The secondary limit refuses a call.
    pub limited: Chance,
    /// How long it asks to wait.
    pub retry_after: SignedDuration,
    /// A run that was just made is not found.
    pub fresh_not_found: Chance,
    /// A re-run is accepted, and nothing executes in its attempt.
    pub executes_nothing: Chance,
}

/// EC2's faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ec2Rates {
    /// A call is throttled.
    pub throttled: Chance,
    /// There is no spot capacity.
    pub no_spot: Chance,
    /// There is no on-demand capacity.
    pub no_on_demand: Chance,
    /// A launch's answer is lost; whether it was carried out is as likely as not.
    pub lost_answers: Chance,
    /// A pool is throttled within an answered launch.
    pub pool_throttled: Chance,
    /// A launch is refused for good, as for a limit of the account.
    pub refused: Chance,
    /// A termination fails.
    pub terminate_fails: Chance,
}

/// SQS's faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SqsRates {
    /// A receive fails; whether it hid messages is as likely as not.
    pub receive_fails: Chance,
    /// A received message stays visible to others.
    pub received_twice: Chance,
    /// A delete or a change of visibility fails and does nothing.
    pub fails: Chance,
    /// A delete is done and its answer is lost.
    pub lost_answers: Chance,
}

/// How often the operator's endpoint gives no answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AskRates {
    /// Nothing comes.
    pub hangs: Chance,
    /// It answers with 500.
    pub fails: Chance,
    /// What it says is no answer.
    pub lies: Chance,
}

/// How messages travel from GitHub and EventBridge to the queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PostRates {
    /// A message is lost at first and redelivered later.
    pub lost: Chance,
    /// How much later at most.
    pub redelivered_within: SignedDuration,
    /// A webhook is lost for ever behind its address, so that GitHub takes it for delivered; one that
    /// tells that a job is queued only where such jobs are searched for.
    pub lost_for_good: Chance,
    /// An event of EC2 is lost for ever: EventBridge promises its best effort.
    pub ec2_lost_for_good: Chance,
    /// A message comes twice.
    pub doubled: Chance,
    /// How much later its double comes at most.
    pub doubled_within: SignedDuration,
    /// A message comes late, and so after others that were sent later.
    pub delayed: Chance,
    /// How late at most.
    pub delayed_up_to: SignedDuration,
}

/// How agents do, decided once an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentRates {
    /// There is none.
    pub missing: Chance,
    /// It dies some time after the boot.
    pub dies: Chance,
    /// How long after the boot at most.
    pub dies_within: SignedDuration,
    /// Its calls to EC2 take long.
    pub slow: Chance,
    /// How long at most.
    pub slow_up_to: SignedDuration,
    /// A call to EC2 fails.
    pub tag_fails: Chance,
}
