//! What a plan draws, as rows of the coverage: every kind of step and of fate, and every fault.
//!
//! Enums are matched whole and structs taken apart field by field: what is added comes by here.

use reprise_engine::room::InstanceLimits;
use reprise_model::job::Conclusion;
use reprise_model::policy::{EvidenceRule, MixedReruns, OnDemandRetries};
use reprise_world::ec2::{CarriedOut, Interruption, InterruptionAction};
use reprise_world::fate::{Fate, Stroke};
use reprise_world::machine::WhenTaken;
use reprise_world::world::{Deed, When};

use super::{
    Action, AgentRates, AskRates, Chance, Ec2Rates, Forgery, GitHubRates, LatencyRates, Lie, Plan,
    PostRates, Rates, Signed, SqsRates, StoreRates, WorldPlan,
};

/// All kinds of steps.
pub const STEPS: [&str; 27] = [
    "push",
    "a person cancels",
    "a person re-runs",
    "a person waits for a run's end and re-runs",
    "a person waits for a run's end and cancels",
    "a person waits for an interruption and re-runs",
    "a person waits for an interruption and cancels",
    "rebalance",
    "shortage",
    "early completed",
    "ping",
    "the webhooks' address is down",
    "forged: completed, passed",
    "forged: completed, failed",
    "forged: queued",
    "forged: warning",
    "forged: garbage",
    "forged without signature",
    "forged with nonsense for a signature",
    "forged with another secret",
    "crash before an effect",
    "crash after an effect",
    "drain",
    "a person asks for a fresh chance",
    "strike",
    "a repository is deleted",
    "a person waits for an interruption and deletes the repository",
];

/// All that may befall a host.
pub const STROKES: [&str; 10] = [
    "terminated with notice",
    "terminated without notice",
    "terminated sooner than told",
    "terminated later than told",
    "notice that is not carried out",
    "stopped",
    "hibernated",
    "stopped and resumed",
    "host dies",
    "powers itself off",
];

/// What may become of jobs.
pub const FATES: [&str; 8] = [
    "passes",
    "fails",
    "interrupted",
    "forges its tag",
    "fails when taken",
    "is cancelled when taken",
    "is lost when taken",
    "is never ended when taken",
];

/// The steps that a plan has.
pub fn steps(plan: &Plan) -> Vec<&'static str> {
    let mut steps = Vec::new();
    for step in &plan.steps {
        if let Action::Forge(forgery) = &step.what {
            steps.extend(forged(forgery));
        } else {
            steps.push(word(&step.what));
        }
    }
    steps
}

/// What befalls the hosts of a plan.
pub fn strokes(plan: &Plan) -> Vec<&'static str> {
    let mut strokes = Vec::new();
    for step in &plan.steps {
        if let Action::Strike { stroke, .. } = &step.what {
            strokes.extend(struck(stroke));
        }
    }
    let interrupted = fates(plan).filter(|fate| fate.interrupted_after.is_some());
    strokes.extend(interrupted.flat_map(|fate| struck(&fate.stroke)));
    strokes
}

/// What becomes of the jobs of a plan.
pub fn fortunes(plan: &Plan) -> Vec<&'static str> {
    fates(plan).flat_map(fortune).collect()
}

/// The faults that a plan may have, and whether it has them.
pub fn faults(plan: &Plan) -> Vec<(&'static str, bool)> {
    let Rates {
        latency,
        store,
        github,
        ec2,
        sqs,
        asks,
    } = &plan.rates;
    let mut faults = latencies(latency);
    faults.extend(of_store(store));
    faults.extend(of_github(github));
    faults.extend(of_ec2(ec2));
    faults.extend(of_sqs(sqs));
    faults.extend(of_asks(asks));
    faults.extend(of_post(&plan.post));
    faults.extend(of_agents(&plan.agents));
    faults.extend(of_world(&plan.world));
    faults.push(("several replicas", plan.replicas > 1));
    faults.push(("no search for queued jobs", !plan.search));
    faults.push(("runners are made", plan.makes_runners));
    faults.push(("runners are brought along", !plan.makes_runners));
    let few = plan.fleet.instances.stack < InstanceLimits::default().stack;
    faults.push(("few instances", few));
    faults.push(("a run had waited for a month", has_waited(plan)));
    faults
}

fn has_waited(plan: &Plan) -> bool {
    let mut pushes = plan.steps.iter().filter_map(|step| step.what.push());
    pushes.any(|push| push.spec.waited.is_positive())
}

fn fates(plan: &Plan) -> impl Iterator<Item = &Fate> {
    let pushes = plan.steps.iter().filter_map(|step| step.what.push());
    pushes.flat_map(|push| push.fates.iter().flatten())
}

fn word(action: &Action) -> &'static str {
    match action {
        Action::Push(_) => "push",
        Action::CancelByPerson { .. } => "a person cancels",
        Action::RerunByPerson { .. } => "a person re-runs",
        Action::PersonWaits { when, deed, .. } => match (when, deed) {
            (When::RunCompletes, Deed::Rerun(_)) => "a person waits for a run's end and re-runs",
            (When::InstanceIsStruck | When::RunCompletes, Deed::DeleteRepository) => {
                "a person waits for an interruption and deletes the repository"
            }
            (When::RunCompletes, Deed::Cancel) => "a person waits for a run's end and cancels",
            (When::InstanceIsStruck, Deed::Rerun(_)) => {
                "a person waits for an interruption and re-runs"
            }
            (When::InstanceIsStruck, Deed::Cancel) => {
                "a person waits for an interruption and cancels"
            }
        },
        Action::Strike { .. } => "strike",
        Action::DeleteRepository { .. } => "a repository is deleted",
        Action::Rebalance { .. } => "rebalance",
        Action::Shortage { .. } => "shortage",
        Action::EarlyCompleted { .. } => "early completed",
        Action::Ping => "ping",
        Action::AddressDown { .. } => "the webhooks' address is down",
        Action::Forge(forgery) => signature(forgery.signed),
        Action::Crash {
            after_effect: false,
            ..
        } => "crash before an effect",
        Action::Crash {
            after_effect: true, ..
        } => "crash after an effect",
        Action::Drain { .. } => "drain",
        Action::Requeue { .. } => "a person asks for a fresh chance",
        Action::Stranger { what, .. } => what.as_str(),
    }
}

fn forged(forgery: &Forgery) -> [&'static str; 2] {
    let says = match &forgery.says {
        Lie::Completed {
            conclusion: Conclusion::Success,
            ..
        } => "forged: completed, passed",
        Lie::Completed { .. } => "forged: completed, failed",
        Lie::Queued { .. } => "forged: queued",
        Lie::Warning { .. } => "forged: warning",
        Lie::Garbage => "forged: garbage",
    };
    [says, signature(forgery.signed)]
}

fn signature(signed: Signed) -> &'static str {
    match signed {
        Signed::Not => "forged without signature",
        Signed::Malformed => "forged with nonsense for a signature",
        Signed::Wrongly => "forged with another secret",
    }
}

fn struck(stroke: &Stroke) -> Vec<&'static str> {
    match stroke {
        Stroke::Usual => vec!["terminated with notice"],
        Stroke::HostDies => vec!["host dies"],
        Stroke::PowersOff => vec!["powers itself off"],
        Stroke::Interruption {
            interruption,
            resumes_after,
        } => {
            let resumed = resumes_after.map(|_| "stopped and resumed");
            let taken = taken(interruption);
            [Some(taken), resumed].into_iter().flatten().collect()
        }
    }
}

fn taken(interruption: &Interruption) -> &'static str {
    let notice = interruption.notice;
    match (interruption.action, interruption.carried_out) {
        (InterruptionAction::Stop, _) => "stopped",
        (InterruptionAction::Hibernate, _) => "hibernated",
        (InterruptionAction::Terminate, CarriedOut::Never) => "notice that is not carried out",
        (InterruptionAction::Terminate, CarriedOut::AtItsTime) => match notice {
            Some(_) => "terminated with notice",
            None => "terminated without notice",
        },
        (InterruptionAction::Terminate, CarriedOut::After(after)) => {
            if notice.is_some_and(|notice| after < notice) {
                "terminated sooner than told"
            } else {
                "terminated later than told"
            }
        }
    }
}

fn fortune(fate: &Fate) -> Vec<&'static str> {
    let ends = match (&fate.interrupted_after, &fate.ends) {
        (Some(_), _) => "interrupted",
        (None, Conclusion::Success) => "passes",
        (None, _) => "fails",
    };
    let forges = fate.forges_after.map(|_| "forges its tag");
    let when_taken = fate.when_taken.map(|when| match when {
        WhenTaken::Fails => "fails when taken",
        WhenTaken::IsCancelled => "is cancelled when taken",
        WhenTaken::IsLost => "is lost when taken",
        WhenTaken::IsNeverEnded => "is never ended when taken",
    });
    let all = [Some(ends), forges, when_taken];
    all.into_iter().flatten().collect()
}

fn has(chance: Chance) -> bool {
    chance > Chance(0)
}

fn latencies(rates: &LatencyRates) -> Vec<(&'static str, bool)> {
    let LatencyRates {
        slow,
        slow_up_to: _,
    } = rates;
    vec![("calls that take long", has(*slow))]
}

fn of_store(rates: &StoreRates) -> [(&'static str, bool); 5] {
    let StoreRates {
        repeats_conflict,
        transactions_collide,
        fails,
        lost_answers,
        due_lags,
        due_lag: _,
    } = rates;
    [
        ("store: repeats conflict", has(*repeats_conflict)),
        ("store: transactions collide", has(*transactions_collide)),
        ("store: fails", has(*fails)),
        ("store: lost answers", has(*lost_answers)),
        ("store: the index lags", has(*due_lags)),
    ]
}

fn of_asks(rates: &AskRates) -> [(&'static str, bool); 3] {
    let AskRates { hangs, fails, lies } = rates;
    [
        ("endpoint: hangs", has(*hangs)),
        ("endpoint: fails", has(*fails)),
        ("endpoint: talks nonsense", has(*lies)),
    ]
}

fn of_github(rates: &GitHubRates) -> [(&'static str, bool); 6] {
    let GitHubRates {
        fails,
        fails_after_acting,
        lost_answers,
        limited,
        retry_after: _,
        fresh_not_found,
        executes_nothing,
    } = rates;
    [
        ("github: fails", has(*fails)),
        ("github: fails after acting", has(*fails_after_acting)),
        ("github: lost answers", has(*lost_answers)),
        ("github: limits", has(*limited)),
        ("github: fresh runs are not found", has(*fresh_not_found)),
        ("github: re-runs execute nothing", has(*executes_nothing)),
    ]
}

fn of_ec2(rates: &Ec2Rates) -> Vec<(&'static str, bool)> {
    let Ec2Rates {
        throttled,
        no_spot,
        no_on_demand,
        lost_answers,
        pool_throttled,
        refused,
        terminate_fails,
    } = rates;
    vec![
        ("ec2: throttles", has(*throttled)),
        ("ec2: no spot", has(*no_spot)),
        ("ec2: no on-demand", has(*no_on_demand)),
        ("ec2: lost answers", has(*lost_answers)),
        ("ec2: throttles a pool", has(*pool_throttled)),
        ("ec2: refuses", has(*refused)),
        ("ec2: terminations fail", has(*terminate_fails)),
    ]
}

fn of_sqs(rates: &SqsRates) -> [(&'static str, bool); 4] {
    let SqsRates {
        receive_fails,
        received_twice,
        fails,
        lost_answers,
    } = rates;
    [
        ("sqs: receives fail", has(*receive_fails)),
        ("sqs: received twice", has(*received_twice)),
        ("sqs: fails", has(*fails)),
        ("sqs: lost answers", has(*lost_answers)),
    ]
}

fn of_post(rates: &PostRates) -> [(&'static str, bool); 5] {
    let PostRates {
        lost,
        redelivered_within: _,
        lost_for_good,
        ec2_lost_for_good,
        doubled,
        doubled_within: _,
        delayed,
        delayed_up_to: _,
    } = rates;
    [
        ("post: lost at first", has(*lost)),
        ("post: lost for good", has(*lost_for_good)),
        ("post: events of EC2 lost for good", has(*ec2_lost_for_good)),
        ("post: doubled", has(*doubled)),
        ("post: delayed", has(*delayed)),
    ]
}

fn of_agents(rates: &AgentRates) -> [(&'static str, bool); 4] {
    let AgentRates {
        missing,
        dies,
        dies_within: _,
        slow,
        slow_up_to: _,
        tag_fails,
    } = rates;
    [
        ("agents: missing", has(*missing)),
        ("agents: die", has(*dies)),
        ("agents: slow", has(*slow)),
        ("agents: tags fail", has(*tag_fails)),
    ]
}

fn of_world(world: &WorldPlan) -> Vec<(&'static str, bool)> {
    let WorldPlan {
        start: _,
        mandate,
        labels_are_bound,
        machines_are_ready,
        list_delay,
        list_delay_varies_by,
        boot_takes: _,
        when_taken,
        max_receive_count: _,
        rerun_failed_takes_cancelled,
        job_lists_lag,
        no_checks_read,
        no_actions_write,
        logs_are_gone,
        workflows_are_disabled,
        never_come_up,
    } = world;
    let keeps_off_spot = |mode| !mandate.retries_only && mandate.on_demand_retries == mode;
    vec![
        ("world: lists of EC2 lag", list_delay.is_positive()),
        (
            "world: lists of EC2 lag unevenly",
            list_delay_varies_by.is_positive(),
        ),
        (
            "world: jobs fail when taken",
            *when_taken == WhenTaken::Fails,
        ),
        (
            "world: jobs are cancelled when taken",
            *when_taken == WhenTaken::IsCancelled,
        ),
        (
            "world: jobs are lost when taken",
            *when_taken == WhenTaken::IsLost,
        ),
        (
            "world: re-runs take cancelled jobs along",
            *rerun_failed_takes_cancelled,
        ),
        (
            "world: re-runs leave cancelled jobs behind",
            !*rerun_failed_takes_cancelled,
        ),
        ("world: job lists lag", job_lists_lag.is_positive()),
        ("world: the App may not read checks", *no_checks_read),
        ("world: the App may not re-run", *no_actions_write),
        ("world: logs are gone", *logs_are_gone),
        ("world: workflows are disabled", *workflows_are_disabled),
        ("world: runners never come up", has(*never_come_up)),
        ("world: labels are not bound to a run", !labels_are_bound),
        ("world: machines are ready", *machines_are_ready),
        ("controllers: retry only", mandate.retries_only),
        (
            "controllers: let real failures stay failed",
            mandate.mixed == MixedReruns::Sequential,
        ),
        (
            "controllers: ask for proof",
            mandate.evidence == EvidenceRule::Proof,
        ),
        (
            "controllers: retries are always on-demand",
            keeps_off_spot(OnDemandRetries::Always),
        ),
        (
            "controllers: retries are on-demand unless opted out",
            keeps_off_spot(OnDemandRetries::UnlessOptedOut),
        ),
        (
            "controllers: only their own retries are on-demand",
            keeps_off_spot(OnDemandRetries::AutomaticOnly),
        ),
        (
            "controllers: only retries of the same job are on-demand",
            keeps_off_spot(OnDemandRetries::SameJob),
        ),
    ]
}
