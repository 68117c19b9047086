use super::*;

#[test]
fn a_received_message_is_hidden_for_the_visibility_timeout() {
    let mut sqs = plain();
    let id = sqs.send(at(0), QUEUE, "hello").expect("sent");
    let first = received(&mut sqs, 0, QUEUE);
    assert_eq!(bodies(&first), ["hello"]);
    assert_eq!(first[0].id, id);
    assert!(received(&mut sqs, 29, QUEUE).is_empty());
    assert_eq!(sqs.next_visible_at(QUEUE), Some(at(30)));
    let second = received(&mut sqs, 30, QUEUE);
    assert_eq!(second[0].id, id);
    assert_eq!(second[0].receive_count, 2);
    assert_eq!(second[0].first_received_at, at(0));
}

#[test]
fn only_the_latest_receipt_deletes() {
    let mut sqs = plain();
    sqs.send(at(0), QUEUE, "hello").expect("sent");
    let stale = received(&mut sqs, 0, QUEUE).remove(0).receipt;
    let latest = received(&mut sqs, 30, QUEUE).remove(0).receipt;
    assert_ne!(stale, latest);
    assert_eq!(sqs.delete(QUEUE, &stale), Ok(false));
    assert_eq!(sqs.delete(QUEUE, &latest), Ok(true));
    assert_eq!(sqs.delete(QUEUE, &latest), Ok(false));
    assert!(received(&mut sqs, 1000, QUEUE).is_empty());
}

#[test]
fn a_message_can_be_deleted_after_its_timeout_while_nobody_else_received_it() {
    let mut sqs = plain();
    sqs.send(at(0), QUEUE, "hello").expect("sent");
    let receipt = received(&mut sqs, 0, QUEUE).remove(0).receipt;
    assert_eq!(sqs.delete(QUEUE, &receipt), Ok(true));
}

#[test]
fn a_receipt_that_never_was_is_invalid() {
    let mut sqs = plain();
    sqs.send(at(0), "dead", "hello").expect("sent");
    let foreign = received(&mut sqs, 0, "dead").remove(0).receipt;
    for receipt in ["junk", "", foreign.as_str()] {
        assert_eq!(
            sqs.delete(QUEUE, receipt),
            Err(SqsError::ReceiptHandleIsInvalid(receipt.to_owned()))
        );
    }
}

#[test]
fn visibility_can_be_extended_and_given_up() {
    let mut sqs = plain();
    sqs.send(at(0), QUEUE, "hello").expect("sent");
    let receipt = received(&mut sqs, 0, QUEUE).remove(0).receipt;
    let change = |sqs: &mut Sqs, seconds, timeout| {
        let timeout = SignedDuration::from_secs(timeout);
        sqs.change_visibility(at(seconds), QUEUE, &receipt, timeout)
    };
    change(&mut sqs, 20, 60).expect("extended");
    assert!(received(&mut sqs, 79, QUEUE).is_empty());
    let beyond = change(&mut sqs, 60, 12 * 3600 - 59);
    assert!(matches!(beyond, Err(SqsError::InvalidParameterValue(_))));
    change(&mut sqs, 60, 0).expect("given up");
    assert_eq!(change(&mut sqs, 60, 5), Err(SqsError::MessageNotInflight));
    assert_eq!(received(&mut sqs, 60, QUEUE).len(), 1);
    let stale = change(&mut sqs, 61, 5);
    assert!(matches!(stale, Err(SqsError::InvalidParameterValue(_))));
}

#[test]
fn a_message_received_too_often_goes_to_the_dead_letters_with_its_id_and_age() {
    let mut sqs = sqs(QueueSettings {
        dead_letter: Some(DeadLetter {
            queue: "dead".to_owned(),
            max_receive_count: 2,
        }),
        ..QueueSettings::default()
    });
    let id = sqs.send(at(0), QUEUE, "poison").expect("sent");
    assert_eq!(received(&mut sqs, 0, QUEUE).len(), 1);
    assert_eq!(received(&mut sqs, 30, QUEUE).len(), 1);
    assert!(received(&mut sqs, 60, QUEUE).is_empty());
    let dead = received(&mut sqs, 60, "dead");
    assert_eq!((&dead[0].id, dead[0].sent_at), (&id, at(0)));
    assert_eq!(sqs.counts(at(60), QUEUE), Ok(Counts::default()));
}

#[test]
fn an_old_message_is_gone() {
    let mut sqs = sqs(QueueSettings {
        retention: SignedDuration::from_secs(60),
        ..QueueSettings::default()
    });
    sqs.send(at(0), QUEUE, "old").expect("sent");
    sqs.send(at(1), QUEUE, "new").expect("sent");
    assert_eq!(bodies(&received(&mut sqs, 60, QUEUE)), ["new"]);
}

#[test]
fn a_doubled_message_comes_twice_under_one_id_and_each_is_deleted_by_itself() {
    let mut sqs = sqs(QueueSettings {
        duplicate_percent: 100,
        ..QueueSettings::default()
    });
    sqs.send(at(0), QUEUE, "hello").expect("sent");
    let both = received(&mut sqs, 10, QUEUE);
    assert_eq!(both.len(), 2);
    assert_eq!(both[0].id, both[1].id);
    assert_eq!(sqs.delete(QUEUE, &both[0].receipt), Ok(true));
    assert_eq!(received(&mut sqs, 100, QUEUE).len(), 1);
}

#[test]
fn an_unordered_queue_shuffles_and_loses_nothing() {
    let mut sqs = sqs(QueueSettings {
        reorder: true,
        ..QueueSettings::default()
    });
    let sent: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    for body in &sent {
        sqs.send(at(0), QUEUE, body.as_str()).expect("sent");
    }
    let messages = received(&mut sqs, 0, QUEUE);
    let mut came: Vec<String> = messages.into_iter().map(|one| one.body).collect();
    assert_ne!(came, sent);
    came.sort();
    assert_eq!(came, sent);
}

#[test]
fn counts_tell_visible_hidden_and_delayed_messages() {
    let mut sqs = plain();
    for body in ["a", "b", "c"] {
        sqs.send(at(0), QUEUE, body).expect("sent");
    }
    let delayed = NewMessage {
        delay: SignedDuration::from_secs(60),
        ..NewMessage::from("later")
    };
    sqs.send(at(0), QUEUE, delayed).expect("sent");
    sqs.receive(at(0), QUEUE, 1, None).expect("received");
    let counts = Counts {
        visible: 2,
        in_flight: 1,
        delayed: 1,
    };
    assert_eq!(sqs.counts(at(0), QUEUE), Ok(counts));
}

#[test]
fn with_a_timeout_of_zero_one_answer_still_holds_a_message_once() {
    let mut sqs = plain();
    sqs.send(at(0), QUEUE, "hello").expect("sent");
    for _ in 0..2 {
        let messages = sqs.receive(at(0), QUEUE, 10, Some(SignedDuration::ZERO));
        assert_eq!(messages.expect("received").len(), 1);
    }
}

#[test]
fn bodies_that_sqs_does_not_take_are_refused() {
    let mut sqs = plain();
    let too_long = "x".repeat(1_048_577);
    assert!(sqs.send(at(0), QUEUE, too_long).is_err());
    assert!(sqs.send(at(0), QUEUE, "").is_err());
    assert_eq!(
        sqs.send(at(0), QUEUE, "\u{1}"),
        Err(SqsError::InvalidMessageContents)
    );
    assert_eq!(
        sqs.send(at(0), "nowhere", "hello"),
        Err(SqsError::QueueDoesNotExist)
    );
}
