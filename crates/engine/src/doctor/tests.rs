use std::collections::BTreeSet;

use reprise_model::delivery::{HookAttempt, HookEvent};
use reprise_model::ids::{DeliveryId, HookAttemptId};

use super::app::{EVENTS, PERMISSIONS};
use super::*;
use crate::samples::at;

/// The App's manifest.
const MANIFEST: &str = include_str!("../../../../deploy/github-app/manifest.json");

const ALL: Needs = Needs { runners: true };

fn full() -> Grant {
    Grant {
        name: "acme".to_owned(),
        permissions: PERMISSIONS
            .map(|(name, level)| (name.to_owned(), level.to_owned()))
            .into(),
        events: EVENTS.map(str::to_owned).into(),
        suspended: false,
    }
}

fn queue_as_it_is_to_be() -> Queue {
    Queue {
        key: "queues.webhooks",
        waiting: Some(3),
        retention: Some(345_600),
        visibility: Some(30),
        redrive: Some(("arn:dead".to_owned(), 5)),
        dead: Some("arn:dead".to_owned()),
    }
}

fn attempt(seconds: i64, arrived: bool) -> HookAttempt {
    HookAttempt {
        id: HookAttemptId(1),
        // One of its own at each time.
        delivery: DeliveryId::new(seconds.to_string()),
        at: at(seconds),
        redelivery: false,
        arrived,
        event: HookEvent::of("workflow_job", Some("queued")),
    }
}

const RULE: &str = "arn:aws:events:eu-west-1:1:rule/warning";
const WARNINGS: &str = "EC2 Spot Instance Interruption Warning";

/// A rule with these fields in its pattern; an empty text stands for a condition that is no plain text.
fn rule(enabled: bool, pattern: &[(&str, &str)]) -> Rule {
    let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let field = |(name, text): &(&str, &str)| ((*name).to_owned(), vec![value(text)]);
    Rule {
        name: "warning".to_owned(),
        arn: RULE.to_owned(),
        enabled,
        pattern: Some(pattern.iter().map(field).collect()),
    }
}

fn judged(list: &[Rule], admitted: &str) -> Finding {
    rules(Some(list), &BTreeSet::from([admitted.to_owned()]))
}

/// A line of the manifest a permission: the engine reads no JSON.
#[test]
fn what_is_checked_is_what_the_manifest_asks_for() {
    for (name, level) in PERMISSIONS {
        assert!(
            MANIFEST.contains(&format!("\"{name}\": \"{level}\"")),
            "{name}"
        );
    }
    let (_, permissions) = MANIFEST.split_once("default_permissions").expect("some");
    let (permissions, events) = permissions.split_once('}').expect("an end");
    assert_eq!(permissions.matches(':').count(), PERMISSIONS.len() + 1);
    let (_, events) = events.split_once('[').expect("a list");
    let (events, _) = events.split_once(']').expect("an end");
    let asked: BTreeSet<&str> = events
        .split(',')
        .map(|one| one.trim().trim_matches('"'))
        .collect();
    assert_eq!(asked, BTreeSet::from(EVENTS));
}

#[test]
fn every_permission_and_event_that_lacks_is_told() {
    assert_eq!(app(&full(), ALL).health, Health::Ok);
    for (name, level) in PERMISSIONS {
        let mut grant = full();
        grant.permissions.remove(name);
        let found = app(&grant, ALL);
        assert_eq!(found.health, Health::Wrong, "{name}");
        assert!(
            found.says.contains(&format!("{name}={level}")),
            "{}",
            found.says
        );
    }
    for event in EVENTS {
        let mut grant = full();
        grant.events.remove(event);
        assert!(installation(&grant, ALL).says.contains(event));
    }
    let mut reads = full();
    reads
        .permissions
        .insert("actions".to_owned(), "read".to_owned());
    assert_eq!(
        app(&reads, ALL).health,
        Health::Wrong,
        "reading is less than writing"
    );
    let mut writes = full();
    writes
        .permissions
        .insert("metadata".to_owned(), "write".to_owned());
    assert_eq!(
        app(&writes, ALL).health,
        Health::Ok,
        "writing is more than reading"
    );
}

#[test]
fn runners_are_needed_where_there_is_a_fleet_and_a_person_grants_them_otherwise() {
    let mut grant = full();
    grant.permissions.remove("organization_self_hosted_runners");
    assert_eq!(app(&grant, Needs { runners: false }).health, Health::Ok);
    assert_eq!(app(&grant, ALL).health, Health::Wrong);
    grant
        .permissions
        .insert("administration".to_owned(), "write".to_owned());
    assert_eq!(app(&grant, ALL).health, Health::Ok);
}

#[test]
fn a_suspended_installation_and_one_without_repositories_serve_nobody() {
    let suspended = Grant {
        suspended: true,
        ..full()
    };
    assert_eq!(installation(&suspended, ALL).health, Health::Wrong);
    assert_eq!(repositories(3, 0).health, Health::Wrong);
    assert_eq!(repositories(3, 1).health, Health::Ok);
}

#[test]
fn a_webhook_goes_somewhere_as_json_signed_and_with_its_certificate_checked() {
    let good = Hook {
        url: Some("https://example.com".to_owned()),
        content_type: Some("json".to_owned()),
        has_secret: true,
        checks_certificates: true,
    };
    assert_eq!(hook(&good).health, Health::Ok);
    for bad in [
        Hook {
            url: None,
            ..good.clone()
        },
        Hook {
            url: Some(String::new()),
            ..good.clone()
        },
        Hook {
            content_type: Some("form".to_owned()),
            ..good.clone()
        },
        Hook {
            content_type: None,
            ..good.clone()
        },
        Hook {
            has_secret: false,
            ..good.clone()
        },
        Hook {
            checks_certificates: false,
            ..good.clone()
        },
    ] {
        let found = hook(&bad);
        assert_eq!(found.health, Health::Wrong, "{bad:?}");
        assert!(found.advice.is_some());
    }
}

#[test]
fn deliveries_are_well_when_the_last_hour_arrived() {
    let judged = |attempts: &[HookAttempt]| deliveries(attempts, at(10_000)).health;
    assert_eq!(judged(&[]), Health::Unknown);
    assert_eq!(judged(&[attempt(9_000, true)]), Health::Ok);
    assert_eq!(judged(&[attempt(9_000, false)]), Health::Wrong);
    assert_eq!(
        judged(&[attempt(9_000, true), attempt(8_000, false)]),
        Health::Wrong
    );
    assert_eq!(
        judged(&[attempt(9_000, true), attempt(1_000, false)]),
        Health::Ok
    );
    assert_eq!(
        judged(&[attempt(1_000, false), attempt(1_000, true)]),
        Health::Ok
    );
    let again = HookAttempt {
        redelivery: true,
        ..attempt(9_500, true)
    };
    let failed = attempt(9_000, false);
    assert_eq!(judged(&[again.clone(), failed.clone()]), Health::Wrong);
    let came = HookAttempt {
        delivery: failed.delivery.clone(),
        ..again
    };
    assert_eq!(judged(&[came, failed]), Health::Ok);
}

#[test]
fn a_queue_keeps_messages_long_enough_and_puts_dead_ones_where_they_are_looked_for() {
    let good = queue_as_it_is_to_be();
    assert_eq!(queue(&good).health, Health::Ok);
    for bad in [
        Queue {
            retention: Some(60),
            ..good.clone()
        },
        Queue {
            visibility: Some(1),
            ..good.clone()
        },
        Queue {
            redrive: None,
            ..good.clone()
        },
        Queue {
            redrive: Some(("arn:dead".to_owned(), 1)),
            ..good.clone()
        },
        Queue {
            dead: Some("arn:other".to_owned()),
            ..good.clone()
        },
        Queue {
            waiting: Some(50_000),
            ..good.clone()
        },
    ] {
        assert_eq!(queue(&bad).health, Health::Wrong, "{bad:?}");
    }
    let silent = Queue {
        waiting: None,
        retention: None,
        visibility: None,
        dead: None,
        ..good
    };
    assert_eq!(
        queue(&silent).health,
        Health::Ok,
        "what is not told is no mistake"
    );
    let dead = |messages| {
        dead_letters(Dead {
            key: "queues.webhooks",
            messages,
        })
        .health
    };
    assert_eq!((dead(0), dead(1)), (Health::Ok, Health::Wrong));
}

#[test]
fn a_rule_sends_warnings_when_it_lets_them_through_and_is_on() {
    let warnings = [("detail-type", WARNINGS), ("source", "aws.ec2")];
    for through in [&warnings[..], &warnings[..1], &warnings[1..], &[]] {
        let found = judged(&[rule(true, through)], RULE);
        assert_eq!(found.health, Health::Ok, "{through:?}");
    }
    for other in [
        [("source", "aws.s3")].as_slice(),
        &[("source", "aws.s3"), ("detail-type", WARNINGS)],
        &[("detail-type", "EC2 Instance Rebalance Recommendation")],
        &[("source", "aws.s3"), ("detail", "")],
    ] {
        let found = judged(&[rule(true, other)], RULE);
        assert_eq!(found.health, Health::Wrong, "{other:?}");
        assert!(found.says.starts_with("no rule sends"), "{}", found.says);
    }
    // A prefix, or a condition on something else, may let them through.
    for unclear in [[("source", "")], [("detail", "")], [("account", "1")]] {
        let found = judged(&[rule(true, &unclear)], RULE);
        assert_eq!(found.health, Health::Unknown, "{unclear:?}");
    }
    assert_eq!(
        judged(&[rule(false, &warnings)], RULE).health,
        Health::Wrong
    );
    assert_eq!(judged(&[], RULE).health, Health::Wrong);
    let by_the_clock = Rule {
        pattern: None,
        ..rule(true, &[])
    };
    let only = std::slice::from_ref(&by_the_clock);
    assert_eq!(judged(only, RULE).health, Health::Wrong);
    let all = [by_the_clock, rule(false, &warnings), rule(true, &warnings)];
    assert_eq!(judged(&all, RULE).health, Health::Ok, "one will do");
}

#[test]
fn a_rule_that_the_queue_does_not_admit_sends_nothing() {
    let all = [rule(true, &[("source", "aws.ec2")])];
    for admitted in [
        RULE,
        "arn:aws:events:*:*:rule/*",
        "arn:aws:events:*:1:rule/warnin?",
    ] {
        assert_eq!(judged(&all, admitted).health, Health::Ok, "{admitted}");
    }
    for admitted in [
        "arn:aws:events:eu-west-1:1:rule/other",
        "arn:aws:s3:::*",
        "",
    ] {
        let found = judged(&all, admitted);
        assert_eq!(found.health, Health::Wrong, "{admitted}");
        assert!(found.says.contains("does not admit"), "{}", found.says);
        assert!(found.advice.is_some_and(|advice| advice.contains(RULE)));
    }
}

#[test]
fn where_rules_may_not_be_read_the_queues_policy_tells_what_it_can() {
    let admits = |arn: &str| rules(None, &BTreeSet::from([arn.to_owned()])).health;
    assert_eq!(admits(RULE), Health::Unknown);
    assert_eq!(admits("arn:aws:s3:::bucket"), Health::Wrong);
}

#[test]
fn clocks_and_images_have_their_limits() {
    let off = |seconds: i64| clock(at(1_000 + seconds), Some(at(1_000))).health;
    assert_eq!(
        (off(0), off(10), off(-10)),
        (Health::Ok, Health::Ok, Health::Ok)
    );
    assert_eq!((off(11), off(-11)), (Health::Wrong, Health::Wrong));
    assert_eq!(clock(at(0), None).health, Health::Unknown);
    let day = 24 * 60 * 60;
    let aged = |days: i64| images(1, Some(at(0)), at(days * day)).health;
    assert_eq!((aged(20), aged(21)), (Health::Ok, Health::Wrong));
    assert_eq!(images(0, None, at(0)).health, Health::Unknown);
}

#[test]
fn what_cannot_be_told_is_no_fault() {
    let ok = Finding::ok("one", "fine");
    let unknown = Finding::unknown("two", "who knows", "look");
    let wrong = Finding::wrong("three", "broken", "mend it");
    assert!(is_well(&[ok.clone(), unknown.clone()]));
    assert!(!is_well(&[ok, unknown, wrong]));
}
