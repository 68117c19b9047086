use reprise_model::ec2_event::{Ec2EventKind, InterruptAction, parse};
use reprise_model::instance::{Capacity, InstanceState};

use super::*;

const NOTICE: SignedDuration = SignedDuration::from_secs(120);

fn status(ec2: &mut Ec2, seconds: i64, id: &InstanceId) -> (&'static str, String) {
    let query = SpotRequestQuery {
        filters: vec![Filter::new("instance-id", [id.as_str()])],
        ..SpotRequestQuery::default()
    };
    let found = ec2.describe_spot_requests(&Call::by_account(at(seconds)), &query);
    let (_, request) = found.expect("requests").remove(0);
    (request.state, request.status)
}

fn state(ec2: &mut Ec2, seconds: i64, id: &InstanceId) -> (InstanceState, Option<&'static str>) {
    ec2.advance(at(seconds));
    let instance = ec2.instance(id).expect("an instance");
    (instance.state(), instance.end_reason().map(EndReason::code))
}

fn kinds(ec2: &mut Ec2) -> Vec<Ec2EventKind> {
    ec2.take_events()
        .iter()
        .map(|text| parse(text.as_bytes()).expect("an event").kind)
        .collect()
}

#[test]
fn an_interruption_gives_notice_and_then_ends_the_instance() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    assert_eq!(
        status(&mut ec2, 30, &id),
        ("active", "fulfilled".to_owned())
    );
    ec2.interrupt(at(30), &id, Interruption::terminate(NOTICE))
        .expect("interrupted");
    assert_eq!(
        status(&mut ec2, 30, &id),
        ("active", "marked-for-termination".to_owned())
    );
    assert_eq!(ec2.next_due(), Some(at(150)));
    assert_eq!(state(&mut ec2, 149, &id), (InstanceState::Running, None));
    let reason = Some("Server.SpotInstanceTermination");
    assert_eq!(
        state(&mut ec2, 150, &id),
        (InstanceState::ShuttingDown, reason)
    );
    assert_eq!(
        state(&mut ec2, 180, &id),
        (InstanceState::Terminated, reason)
    );
    assert_eq!(
        status(&mut ec2, 180, &id),
        ("closed", "instance-terminated-no-capacity".to_owned())
    );
}

#[test]
fn event_bridge_hears_of_every_state_and_of_the_notice_in_their_order() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    ec2.interrupt(at(30), &id, Interruption::terminate(NOTICE))
        .expect("interrupted");
    ec2.advance(at(1000));
    let change = |state| Ec2EventKind::StateChange {
        instance: id.clone(),
        state,
    };
    let warning = Ec2EventKind::InterruptionWarning {
        instance: id.clone(),
        action: InterruptAction::Terminate,
    };
    assert_eq!(
        kinds(&mut ec2),
        [
            change(InstanceState::Pending),
            change(InstanceState::Running),
            warning,
            change(InstanceState::ShuttingDown),
            change(InstanceState::Terminated),
        ]
    );
}

#[test]
fn the_story_tells_when_things_happened_however_late_it_is_asked_for() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    ec2.interrupt(at(30), &id, Interruption::terminate(NOTICE))
        .expect("interrupted");
    ec2.advance(at(1000));
    let story = ec2.take_happenings();
    let times: Vec<Timestamp> = story.iter().map(|line| line.at).collect();
    assert_eq!(times, [at(0), at(20), at(30), at(150), at(180)]);
    assert!(matches!(
        &story[0].what,
        Happened::Launched { capacity: Capacity::Spot, zone, .. } if zone == "eu-west-1a"
    ));
    assert_eq!(
        story[4].what,
        Happened::Terminated {
            id,
            reason: EndReason::SpotTermination
        }
    );
}

#[test]
fn an_interruption_by_price_says_so_at_the_end() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    let interruption = Interruption {
        cause: InterruptionCause::Price,
        ..Interruption::terminate(SignedDuration::ZERO)
    };
    ec2.interrupt(at(30), &id, interruption)
        .expect("interrupted");
    assert_eq!(
        status(&mut ec2, 30, &id),
        ("closed", "instance-terminated-by-price".to_owned())
    );
}

#[test]
fn an_interruption_without_notice_warns_nobody() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    let interruption = Interruption {
        notice: None,
        ..Interruption::terminate(NOTICE)
    };
    ec2.interrupt(at(30), &id, interruption)
        .expect("interrupted");
    assert_eq!(state(&mut ec2, 30, &id).0, InstanceState::ShuttingDown);
    let warned = kinds(&mut ec2)
        .iter()
        .any(|kind| matches!(kind, Ec2EventKind::InterruptionWarning { .. }));
    assert!(!warned);
}

#[test]
fn who_ends_an_instance_first_gives_the_reason() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 3);
    for id in &ids {
        ec2.interrupt(at(30), id, Interruption::terminate(NOTICE))
            .expect("interrupted");
    }
    ec2.terminate_instances(&Call::by_account(at(60)), &ids[..1])
        .expect("ended");
    ec2.shutdown_from_inside(at(60), &ids[1])
        .expect("shut down");
    ec2.host_dies(at(60), &ids[2]).expect("died");
    assert_eq!(state(&mut ec2, 60, &ids[2]).0, InstanceState::Terminated);
    let reasons: Vec<_> = ids
        .iter()
        .map(|id| state(&mut ec2, 1000, id).1.unwrap_or_default())
        .collect();
    assert_eq!(
        reasons,
        [
            "Client.UserInitiatedShutdown",
            "Client.InstanceInitiatedShutdown",
            "Server.InternalError"
        ]
    );
    assert_eq!(
        status(&mut ec2, 1000, &ids[0]),
        ("closed", "instance-terminated-by-user".to_owned())
    );
}

#[test]
fn a_stopped_instance_comes_back_with_its_tags_and_without_its_notice() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    let stop = Interruption {
        action: InterruptionAction::Stop,
        ..Interruption::terminate(NOTICE)
    };
    ec2.interrupt(at(30), &id, stop).expect("interrupted");
    assert_eq!(status(&mut ec2, 30, &id).1, "marked-for-stop");
    let reason = Some("Server.SpotInstanceShutdown");
    assert_eq!(state(&mut ec2, 150, &id), (InstanceState::Stopping, reason));
    assert_eq!(state(&mut ec2, 180, &id), (InstanceState::Stopped, reason));
    ec2.resume(at(1000), &id).expect("resumed");
    assert_eq!(state(&mut ec2, 1020, &id), (InstanceState::Running, None));
    let instance = ec2.instance(&id).expect("an instance");
    assert_eq!(instance.notice, None);
    assert!(instance.tags().contains_key("aws:ec2:fleet-id"));
}

#[test]
fn a_status_shows_as_late_as_the_state_by_itself() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    ec2.interrupt(at(30), &id, Interruption::terminate(NOTICE))
        .expect("interrupted");
    ec2.set_list_delay(SignedDuration::from_secs(5));
    for (seconds, code) in [
        (34, "fulfilled"),
        (35, "marked-for-termination"),
        (154, "marked-for-termination"),
        (155, "instance-terminated-no-capacity"),
    ] {
        assert_eq!(status(&mut ec2, seconds, &id).1, code, "at {seconds}");
    }
}

#[test]
fn hibernation_begins_with_its_notice() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    let hibernate = Interruption {
        action: InterruptionAction::Hibernate,
        ..Interruption::terminate(NOTICE)
    };
    ec2.interrupt(at(30), &id, hibernate).expect("interrupted");
    assert_eq!(state(&mut ec2, 30, &id).0, InstanceState::Stopping);
}

#[test]
fn fate_strikes_only_living_spot_instances() {
    let mut ec2 = ec2();
    let on_demand = launch_on_demand(&mut ec2);
    let notice = Interruption::terminate(NOTICE);
    assert_eq!(
        ec2.interrupt(at(1), &on_demand, notice),
        Err(MarketError::NotSpot(on_demand.clone()))
    );
    assert_eq!(
        ec2.interrupt(at(1), &unknown_id(1), notice),
        Err(MarketError::Unknown(unknown_id(1)))
    );
    ec2.host_dies(at(1), &on_demand).expect("died");
    assert_eq!(
        ec2.host_dies(at(2), &on_demand)
            .expect_err("dead")
            .to_string(),
        format!("{on_demand} is terminated; strike a pending or running instance")
    );
}

#[test]
fn an_adopted_instance_runs_and_can_be_interrupted() {
    let mut ec2 = ec2();
    let adopted = Adopted {
        id: unknown_id(5),
        instance_type: "c7a.large".to_owned(),
        zone: "eu-west-1a".to_owned(),
        capacity: Capacity::Spot,
        tags: tag("k", "v"),
        role: Some("runner-role".to_owned()),
    };
    ec2.register_instance(at(0), adopted);
    ec2.interrupt(at(1), &unknown_id(5), Interruption::terminate(NOTICE))
        .expect("interrupted");
    assert_eq!(
        state(&mut ec2, 121, &unknown_id(5)).0,
        InstanceState::ShuttingDown
    );
    assert!(ec2.credentials(&unknown_id(5), at(121)).is_some());
}

#[test]
fn a_rebalance_recommendation_is_an_event_and_nothing_more() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    ec2.advance(at(30));
    ec2.take_events();
    ec2.recommend_rebalance(at(30), &id).expect("recommended");
    assert_eq!(
        kinds(&mut ec2),
        [Ec2EventKind::RebalanceRecommendation {
            instance: id.clone()
        }]
    );
    assert_eq!(state(&mut ec2, 10_000, &id), (InstanceState::Running, None));
    assert_eq!(ec2.next_due(), None);
}

#[test]
fn a_notice_may_be_carried_out_early_late_or_never() {
    for (carried_out, ends) in [
        (CarriedOut::AtItsTime, Some(150)),
        (CarriedOut::After(SignedDuration::from_secs(40)), Some(70)),
        (CarriedOut::After(SignedDuration::from_secs(300)), Some(330)),
        (CarriedOut::Never, None),
    ] {
        let mut ec2 = ec2();
        let id = launch_spot(&mut ec2, 1).remove(0);
        let interruption = Interruption {
            carried_out,
            ..Interruption::terminate(NOTICE)
        };
        ec2.interrupt(at(30), &id, interruption)
            .expect("interrupted");
        let told = ec2.instance(&id).and_then(|one| one.notice);
        assert_eq!(
            told.map(|notice| notice.time),
            Some(at(150)),
            "{carried_out:?}"
        );
        ec2.advance(at(1_000));
        let ended = ec2
            .take_happenings()
            .into_iter()
            .find(|line| matches!(line.what, Happened::ShuttingDown { .. }))
            .map(|line| line.at);
        assert_eq!(ended, ends.map(at), "{carried_out:?}");
        assert_eq!(ec2.instance(&id).expect("there").is_up(), ends.is_none());
    }
}
