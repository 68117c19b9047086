use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn notice(action: Action, ends_at: i64) -> Sight {
    let time = Some(at(ends_at));
    Sight::Notice(Notice { action, time }, None)
}

fn throttled() -> TagFailure {
    TagFailure::Throttled {
        code: "RequestLimitExceeded".to_owned(),
    }
}

fn expired() -> TagFailure {
    TagFailure::StaleCredentials {
        code: "ExpiredToken".to_owned(),
    }
}

fn noticed(action: Action, ends_at: i64) -> Watch {
    let mut watch = Watch::default();
    let change = watch.see(notice(action, ends_at), at(0));
    assert!(matches!(change, Change::FirstSight), "{change:?}");
    watch
}

#[test]
fn without_a_notice_there_is_nothing_to_do() {
    let mut watch = Watch::default();
    assert_eq!(watch.see(Sight::Clear, at(0)), Change::Same);
    assert_eq!(watch.due(at(0)), Due::Nothing);
    assert_eq!(watch.attempted(Ok(()), at(0), 0.5), None);
    assert_eq!(watch.case(), None);
}

#[test]
fn every_action_is_tagged_for_at_once() {
    for action in [
        Action::Terminate,
        Action::Stop,
        Action::Hibernate,
        Action::Other("evict".to_owned()),
    ] {
        let mut watch = noticed(action, 120);
        assert_eq!(watch.due(at(0)), Due::Tag);
    }
}

#[test]
fn a_confirmed_tag_is_not_put_twice() {
    let mut watch = noticed(Action::Terminate, 120);
    assert_eq!(watch.attempted(Ok(()), at(0), 0.5), Some(Verdict::Tagged));
    assert_eq!(watch.due(at(1)), Due::Nothing);
    assert_eq!(
        watch.see(notice(Action::Terminate, 120), at(1)),
        Change::Same
    );
    assert_eq!(watch.due(at(500)), Due::Nothing);
}

#[test]
fn a_failed_attempt_waits_with_full_jitter() {
    let mut watch = noticed(Action::Terminate, 120);
    let again = |millis| {
        Some(Verdict::Again {
            after: SignedDuration::from_millis(millis),
            new_credentials: false,
        })
    };
    assert_eq!(watch.attempted(Err(throttled()), at(0), 1.0), again(250));
    assert_eq!(watch.attempted(Err(throttled()), at(1), 0.5), again(250));
    assert_eq!(watch.attempted(Err(throttled()), at(10), 1.0), again(1000));
    assert_eq!(watch.due(at(10)), Due::Wait(at(11)));
    assert_eq!(watch.due(at(11)), Due::Tag);
}

#[test]
fn a_hibernation_never_waits_longer_than_a_second() {
    let mut watch = noticed(Action::Hibernate, 120);
    for _ in 0..10 {
        let Some(Verdict::Again { after, .. }) = watch.attempted(Err(throttled()), at(0), 1.0)
        else {
            panic!("must try again");
        };
        assert!(after <= SignedDuration::from_secs(1), "{after}");
    }
}

#[test]
fn it_tries_until_five_seconds_before_the_end_and_then_says_why_it_failed() {
    let mut watch = noticed(Action::Terminate, 90);
    assert!(watch.attempted(Err(throttled()), at(84), 1.0).is_some());
    assert!(watch.attempted(Err(throttled()), at(84), 1.0).is_some());
    assert!(watch.attempted(Err(throttled()), at(84), 1.0).is_some());
    assert!(watch.attempted(Err(throttled()), at(84), 1.0).is_some());
    assert_eq!(
        watch.due(at(84)),
        Due::Wait(at(85)),
        "not past the deadline"
    );
    let reason = GaveUp::DeadlinePassed { last: throttled() };
    assert_eq!(watch.due(at(85)), Due::GiveUp(reason.clone()));
    assert_eq!(watch.due(at(86)), Due::Nothing, "it is said once");
    let (_, tagging) = watch.case().expect("a notice");
    assert_eq!(
        tagging,
        &Tagging::GaveUp {
            attempts: 4,
            reason
        }
    );
}

#[test]
fn a_notice_whose_time_is_past_is_tagged_for_at_once_and_for_two_minutes() {
    for ends_at in [-60, -600] {
        let mut watch = noticed(Action::Terminate, ends_at);
        assert_eq!(watch.due(at(0)), Due::Tag);
        assert!(watch.attempted(Err(throttled()), at(3), 0.5).is_some());
        assert_eq!(watch.due(at(100)), Due::Tag);
        assert!(matches!(watch.due(at(115)), Due::GiveUp(_)));
    }
}

#[test]
fn a_notice_that_is_late_already_still_gets_its_one_attempt() {
    let mut watch = noticed(Action::Terminate, 3);
    assert_eq!(watch.due(at(1)), Due::Tag);
    assert!(watch.attempted(Err(throttled()), at(1), 0.5).is_some());
    assert!(matches!(watch.due(at(1)), Due::GiveUp(_)));
}

#[test]
fn a_notice_that_outlived_its_end_gives_way_to_one_whose_time_lies_ahead() {
    let mut stale = noticed(Action::Terminate, -600);
    let changed =
        |watch: &mut Watch, ends_at, now| watch.see(notice(Action::Terminate, ends_at), at(now));
    assert_eq!(changed(&mut stale, -500, 10), Change::Same);
    assert_eq!(changed(&mut stale, 120, 20), Change::FirstSight);
    let (seen, present) = stale.seen().expect("a notice");
    assert_eq!((seen.at, seen.remaining.span.as_secs()), (at(20), 100));
    assert!(present);
    assert_eq!(
        changed(&mut stale, 200, 200),
        Change::Same,
        "not outlived yet"
    );
    assert_eq!(changed(&mut stale, 400, 300), Change::FirstSight);
}

#[test]
fn an_agent_that_starts_again_goes_on_where_it_was() {
    let seen = |span| Seen {
        notice: Notice {
            action: Action::Terminate,
            time: Some(at(120)),
        },
        at: at(0),
        remaining: Remaining {
            span: SignedDuration::from_secs(span),
            standing: Standing::Ahead,
        },
    };
    let mut watch = Watch::default();
    watch.resume(seen(120), true, false);
    assert_eq!(watch.due(at(50)), Due::Nothing, "it is tagged");
    assert_eq!(
        watch.see(notice(Action::Terminate, 120), at(50)),
        Change::Same
    );
    watch.resume(seen(120), false, false);
    assert_eq!(watch.due(at(50)), Due::Tag);
    assert!(watch.attempted(Err(throttled()), at(50), 1.0).is_some());
    assert!(matches!(watch.due(at(115)), Due::GiveUp(_)), "no later end");
}

#[test]
fn a_denial_ends_the_attempts_at_once() {
    let mut watch = noticed(Action::Terminate, 120);
    let denied = TagFailure::Denied {
        code: "UnauthorizedOperation".to_owned(),
        message: String::new(),
    };
    assert_eq!(
        watch.attempted(Err(denied.clone()), at(0), 0.5),
        Some(Verdict::GaveUp(GaveUp::Final(denied)))
    );
    assert_eq!(watch.due(at(1)), Due::Nothing);
}

#[test]
fn expired_credentials_are_replaced_at_once_but_not_in_a_tight_loop() {
    let mut watch = noticed(Action::Terminate, 120);
    let again = |millis| {
        Some(Verdict::Again {
            after: SignedDuration::from_millis(millis),
            new_credentials: true,
        })
    };
    assert_eq!(watch.attempted(Err(expired()), at(0), 1.0), again(0));
    assert_eq!(watch.due(at(0)), Due::Tag);
    assert_eq!(watch.attempted(Err(expired()), at(0), 1.0), again(500));
}

#[test]
fn a_changing_time_moves_no_deadline() {
    let mut watch = noticed(Action::Terminate, 60);
    assert!(watch.attempted(Err(throttled()), at(0), 1.0).is_some());
    for second in 1..55 {
        assert_eq!(
            watch.see(notice(Action::Terminate, second + 500), at(second)),
            Change::Same
        );
    }
    assert!(matches!(watch.due(at(55)), Due::GiveUp(_)));
}

#[test]
fn a_notice_that_comes_back_in_other_words_is_the_same_if_it_was_away_for_a_moment() {
    let seen =
        |watch: &mut Watch, ends_at, now| watch.see(notice(Action::Terminate, ends_at), at(now));
    let mut watch = noticed(Action::Terminate, 120);
    assert_eq!(watch.attempted(Ok(()), at(0), 0.5), Some(Verdict::Tagged));
    assert_eq!(watch.see(Sight::Clear, at(1)), Change::Gone);
    assert_eq!(watch.see(Sight::Clear, at(10)), Change::Same);
    assert_eq!(seen(&mut watch, 122, 11), Change::Back);
    let (first, present) = watch.seen().expect("a notice");
    assert_eq!((first.ends_at(), present), (at(120), true));
    assert_eq!(watch.due(at(11)), Due::Nothing, "it is tagged");
    assert_eq!(watch.see(Sight::Clear, at(12)), Change::Gone);
    // Counted by the first one its job would end at once.
    assert_eq!(seen(&mut watch, 225, 105), Change::FirstSight);
    let (second, _) = watch.seen().expect("a notice");
    assert_eq!(second.ends_at(), at(225));
}

#[test]
fn a_notice_of_another_action_is_another_notice() {
    let mut watch = noticed(Action::Hibernate, 120);
    assert_eq!(
        watch.see(notice(Action::Terminate, 120), at(1)),
        Change::FirstSight
    );
    let mut watch = noticed(Action::Hibernate, 120);
    assert_eq!(watch.see(Sight::Clear, at(59)), Change::Gone);
    assert_eq!(
        watch.see(notice(Action::Terminate, 180), at(60)),
        Change::FirstSight
    );
    assert_eq!(watch.due(at(60)), Due::Tag);
}

#[test]
fn a_notice_that_goes_and_comes_is_the_same_and_another_time_is_another_notice() {
    let mut watch = noticed(Action::Hibernate, 120);
    assert_eq!(watch.attempted(Ok(()), at(0), 0.5), Some(Verdict::Tagged));
    assert_eq!(watch.see(Sight::Clear, at(1)), Change::Gone);
    assert_eq!(watch.see(Sight::Clear, at(2)), Change::Same);
    assert_eq!(
        watch.see(notice(Action::Hibernate, 120), at(3)),
        Change::Back
    );
    assert_eq!(watch.due(at(3)), Due::Nothing);
    assert_eq!(watch.see(Sight::Clear, at(4)), Change::Gone);
    let change = watch.see(notice(Action::Hibernate, 9120), at(9000));
    assert!(matches!(change, Change::FirstSight), "{change:?}");
    assert_eq!(watch.due(at(9000)), Due::Tag);
}
