//! Who may call what, how often, and the record of it: every call of either door passes here.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use reprise_model::ids::InstanceId;

use super::buckets::Bucket;
use super::error::Ec2Error;
use super::state::Ec2;

/// How many calls the record keeps; the counts go on for ever.
const RECORD_LENGTH: usize = 10_000;

/// The actions that this EC2 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Launches instances.
    CreateFleet,
    /// Registers a launch template.
    CreateLaunchTemplate,
    /// Tags instances.
    CreateTags,
    /// Describes images.
    DescribeImages,
    /// Describes instance types.
    DescribeInstanceTypes,
    /// Describes instances.
    DescribeInstances,
    /// Describes launch templates.
    DescribeLaunchTemplates,
    /// Describes spot requests.
    DescribeSpotInstanceRequests,
    /// Describes subnets.
    DescribeSubnets,
    /// Describes tags.
    DescribeTags,
    /// Tells what an instance wrote to its console.
    GetConsoleOutput,
    /// Launches instances without a fleet; here only to see if that would be allowed.
    RunInstances,
    /// Ends instances.
    TerminateInstances,
}

impl Action {
    const ALL: [Self; 13] = [
        Self::CreateFleet,
        Self::CreateLaunchTemplate,
        Self::CreateTags,
        Self::DescribeImages,
        Self::DescribeInstanceTypes,
        Self::DescribeInstances,
        Self::DescribeLaunchTemplates,
        Self::DescribeSpotInstanceRequests,
        Self::DescribeSubnets,
        Self::DescribeTags,
        Self::GetConsoleOutput,
        Self::RunInstances,
        Self::TerminateInstances,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateFleet => "CreateFleet",
            Self::CreateLaunchTemplate => "CreateLaunchTemplate",
            Self::CreateTags => "CreateTags",
            Self::DescribeImages => "DescribeImages",
            Self::DescribeInstanceTypes => "DescribeInstanceTypes",
            Self::DescribeInstances => "DescribeInstances",
            Self::DescribeLaunchTemplates => "DescribeLaunchTemplates",
            Self::DescribeSpotInstanceRequests => "DescribeSpotInstanceRequests",
            Self::DescribeSubnets => "DescribeSubnets",
            Self::DescribeTags => "DescribeTags",
            Self::GetConsoleOutput => "GetConsoleOutput",
            Self::RunInstances => "RunInstances",
            Self::TerminateInstances => "TerminateInstances",
        }
    }

    pub(super) fn from_name(name: &str) -> Result<Self, Ec2Error> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == name)
            .ok_or_else(|| Ec2Error::invalid_action(name))
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// Somebody with the rights of the whole account, by access key.
    Account(String),
    /// An instance with the credentials of its role.
    Instance(InstanceId),
}

/// When and by whom an action is called, and whether only to see if it would be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The time of the call.
    pub now: Timestamp,
    /// The caller.
    pub caller: Caller,
    /// `DryRun`.
    pub dry_run: bool,
}

impl Call {
    /// A call by the account, for instance the controller's.
    pub fn by_account(now: Timestamp) -> Self {
        Self {
            now,
            caller: Caller::Account("AKIAFAKECONTROLLER".to_owned()),
            dry_run: false,
        }
    }

    /// A call by an instance with its own credentials.
    pub fn by_instance(now: Timestamp, id: InstanceId) -> Self {
        Self {
            now,
            caller: Caller::Instance(id),
            dry_run: false,
        }
    }

    /// Called after all checks and before any change.
    pub(super) fn unless_dry(&self) -> Result<(), Ec2Error> {
        if self.dry_run {
            Err(Ec2Error::dry_run())
        } else {
            Ok(())
        }
    }
}

/// One call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiCall {
    /// When.
    pub at: Timestamp,
    /// What.
    pub action: Action,
    /// By whom.
    pub caller: Caller,
    /// The code of its refusal.
    pub error: Option<String>,
}

/// The record of calls and the faults that wait for one.
#[derive(Debug, Clone, Default)]
pub(super) struct CallLog {
    recent: VecDeque<ApiCall>,
    counts: BTreeMap<Action, u64>,
    faults: BTreeMap<Action, VecDeque<Ec2Error>>,
}

impl CallLog {
    fn note(&mut self, call: ApiCall) {
        *self.counts.entry(call.action).or_default() += 1;
        if self.recent.len() == RECORD_LENGTH {
            self.recent.pop_front();
        }
        self.recent.push_back(call);
    }
}

impl Ec2 {
    /// The last calls (10,000 at most), oldest first, refused ones too.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &ApiCall> {
        self.log.recent.iter()
    }

    /// How often each action was called since the beginning.
    pub fn call_counts(&self) -> &BTreeMap<Action, u64> {
        &self.log.counts
    }

    /// Lets the next call of `action` that has no fault yet fail with `error`, without any effect.
    pub fn fail_next(&mut self, action: Action, error: Ec2Error) {
        let faults = self.log.faults.entry(action).or_default();
        faults.push_back(error);
    }

    /// Runs a call: time passes, it is admitted or refused, and it is recorded either way.
    pub(super) fn called<T>(
        &mut self,
        call: &Call,
        action: Action,
        draws: &[(Bucket, u32)],
        run: impl FnOnce(&mut Self) -> Result<T, Ec2Error>,
    ) -> Result<T, Ec2Error> {
        self.advance(call.now);
        let answer = self
            .admit(call, action, draws)
            .and_then(|()| run(&mut *self));
        self.log.note(ApiCall {
            at: call.now,
            action,
            caller: call.caller.clone(),
            error: answer.as_ref().err().map(|error| error.code.clone()),
        });
        answer
    }

    fn admit(
        &mut self,
        call: &Call,
        action: Action,
        draws: &[(Bucket, u32)],
    ) -> Result<(), Ec2Error> {
        let fault = self
            .log
            .faults
            .get_mut(&action)
            .and_then(VecDeque::pop_front);
        if let Some(error) = fault {
            return Err(error);
        }
        if self.settings.rate_limits && !self.buckets.draw(call.now, draws) {
            return Err(Ec2Error::request_limit_exceeded());
        }
        // What exactly an instance may tag is the business of CreateTags itself.
        match (&call.caller, action) {
            (Caller::Account(_), _) | (Caller::Instance(_), Action::CreateTags) => Ok(()),
            (
                Caller::Instance(_),
                Action::CreateFleet
                | Action::CreateLaunchTemplate
                | Action::DescribeImages
                | Action::DescribeInstanceTypes
                | Action::DescribeInstances
                | Action::DescribeLaunchTemplates
                | Action::DescribeSpotInstanceRequests
                | Action::DescribeSubnets
                | Action::DescribeTags
                | Action::GetConsoleOutput
                | Action::RunInstances
                | Action::TerminateInstances,
            ) => Err(Ec2Error::unauthorized(action.as_str())),
        }
    }
}
