use reprise_model::machine_refusal::MachineRefusal;
use reprise_model::reason::RefusalKind;

use super::*;
use crate::samples::{RUN, at, claim, job, secs};

const MIDDLE: Jitter = Jitter(0.5);

fn given_up(rule: OnLaunchExhausted) -> LaunchClaim {
    let rules = Rules {
        on_launch_exhausted: rule,
        ..Rules::default()
    };
    let why = "EC2 has no capacity: InsufficientInstanceCapacity".to_owned();
    let given_up = LaunchClaim {
        state: ClaimState::GivenUp { why },
        ..claim()
    };
    ended(given_up, &rules, at(0))
}

fn queued() -> Job {
    Job {
        status: JobStatus::Queued,
        conclusion: None,
        runner_name: None,
        ..job(1, "build")
    }
}

fn end(claim: &LaunchClaim) -> VisibleEnd {
    claim.end.clone().expect("it has an end")
}

fn committed(step: EndStep) -> LaunchClaim {
    let EndStep::Commit(claim) = step else {
        panic!("{step:?}");
    };
    claim
}

fn written(step: EndStep) -> CheckRunOrder {
    let EndStep::Write(None, order) = step else {
        panic!("{step:?}");
    };
    order
}

fn seen(order: &CheckRunOrder, id: u64) -> CheckRunSeen {
    CheckRunSeen {
        id: CheckRunId(id),
        external_id: Some(order.external_id.clone()),
        text: Some(order.text.clone()),
    }
}

fn denied() -> Refusal {
    Refusal {
        kind: RefusalKind::MissingPermission,
        message: "Resource not accessible by integration".to_owned(),
    }
}

fn answer(claim: &LaunchClaim, asked: Asked, answer: &ChangeAnswer) -> LaunchClaim {
    let rules = Rules::default();
    answered(claim, asked, answer, None, (at(0), MIDDLE), &rules)
}

#[test]
fn a_launch_that_is_given_up_is_told_at_once_and_one_that_goes_on_is_not() {
    let given_up = given_up(OnLaunchExhausted::LeaveQueued);
    assert_eq!(given_up.due, Some(Due::now(at(0))));
    assert_eq!(
        end(&given_up),
        VisibleEnd {
            check: Telling::Wanted,
            cancel: Telling::NotWanted,
            refused: false,
        }
    );
    assert_eq!(ended(claim(), &Rules::default(), at(0)), claim());
    let told = LaunchClaim {
        due: None,
        ..given_up
    };
    assert_eq!(ended(told.clone(), &Rules::default(), at(0)), told, "once");
}

#[test]
fn the_job_and_the_check_runs_are_read_before_one_is_made() {
    let claim = given_up(OnLaunchExhausted::LeaveQueued);
    let job = queued();
    let step = decide(&claim, JobWords::Unread, CheckWords::Unread, at(0));
    assert_eq!(step, EndStep::ReadJob);
    let step = decide(&claim, JobWords::Seen(&job), CheckWords::Unread, at(0));
    assert_eq!(step, EndStep::ReadChecks(job.head_sha.clone()));
    let step = decide(&claim, JobWords::Seen(&job), CheckWords::Seen(&[]), at(0));
    let order = written(step);
    insta::assert_snapshot!(format!(
        "{}\n{}\n\n{}",
        order.external_id, order.text.title, order.text.summary
    ));
    let done = answer(&claim, Asked::Check, &ChangeAnswer::Accepted);
    assert_eq!((end(&done).check, done.due), (Telling::Done, None));
}

#[test]
fn a_repeat_makes_no_second_check_run_and_a_later_attempt_writes_over_it() {
    let claim = given_up(OnLaunchExhausted::LeaveQueued);
    let job = queued();
    let words = JobWords::Seen(&job);
    let order = written(decide(&claim, words, CheckWords::Seen(&[]), at(0)));
    let there = [seen(&order, 7)];
    let told = committed(decide(&claim, words, CheckWords::Seen(&there), at(0)));
    assert_eq!((end(&told).check, told.due), (Telling::Done, None));

    let later = LaunchClaim {
        attempt: claim.attempt.next(),
        ..claim
    };
    let step = decide(&later, words, CheckWords::Seen(&there), at(0));
    let EndStep::Write(Some(id), again) = step else {
        panic!("{step:?}");
    };
    assert_eq!(id, CheckRunId(7));
    assert!(
        again.text.summary.contains("attempt 2"),
        "{}",
        again.text.summary
    );
}

#[test]
fn a_job_that_does_not_wait_any_more_is_not_told_of_and_its_run_is_not_cancelled() {
    let claim = given_up(OnLaunchExhausted::CancelRun);
    let running = Job {
        status: JobStatus::InProgress,
        ..queued()
    };
    for words in [JobWords::Seen(&running), JobWords::Gone] {
        let over = committed(decide(&claim, words, CheckWords::Unread, at(0)));
        assert_eq!(over.due, None);
        assert_eq!(end(&over).check, Telling::NotWanted);
        assert!(!end(&over).cancels());
    }
}

#[test]
fn a_run_is_cancelled_after_the_check_run_and_only_once_that_is_written_down() {
    let claim = given_up(OnLaunchExhausted::CancelRun);
    let job = queued();
    let told = answer(&claim, Asked::Check, &ChangeAnswer::Accepted);
    assert_eq!(told.due, Some(Due::now(at(0))), "there is more to do");
    assert_eq!(
        decide(&told, JobWords::Unread, CheckWords::Unread, at(1)),
        EndStep::ReadJob
    );
    let words = JobWords::Seen(&job);
    let ordered = committed(decide(&told, words, CheckWords::Unread, at(1)));
    assert!(end(&ordered).cancels());
    assert_eq!(
        decide(&ordered, words, CheckWords::Unread, at(2)),
        EndStep::Cancel
    );
    let done = answer(&ordered, Asked::Cancel, &ChangeAnswer::Accepted);
    assert_eq!((end(&done).cancel, done.due), (Telling::Done, None));
}

#[test]
fn a_cancel_whose_answer_was_lost_is_read_before_it_is_repeated_and_stays_ours() {
    let claim = given_up(OnLaunchExhausted::CancelRun);
    let asked = LaunchClaim {
        end: Some(VisibleEnd {
            check: Telling::Done,
            cancel: Telling::Asked,
            refused: false,
        }),
        ..claim
    };
    let unclear = answer(&asked, Asked::Cancel, &ChangeAnswer::Unclear);
    let waits_until = unclear.due.expect("it is due").at;
    assert!(waits_until >= at(45), "{waits_until}");
    let cancelled = Job {
        status: JobStatus::Completed,
        ..queued()
    };
    let words = JobWords::Seen(&cancelled);
    let over = committed(decide(&unclear, words, CheckWords::Unread, at(50)));
    assert_eq!(over.due, None);
    assert!(end(&over).cancels());
}

#[test]
fn what_github_refuses_is_not_asked_for_again_and_the_run_is_cancelled_all_the_same() {
    let claim = given_up(OnLaunchExhausted::CancelRun);
    let job = queued();
    let refusal = denied();
    let words = (JobWords::Seen(&job), CheckWords::Refused(&refusal));
    let refused = committed(decide(&claim, words.0, words.1, at(0)));
    assert_eq!(end(&refused).check, Telling::Refused(denied()));
    let ordered = committed(decide(&refused, words.0, CheckWords::Unread, at(0)));
    assert!(end(&ordered).cancels());
    let refused = answer(&ordered, Asked::Cancel, &ChangeAnswer::Refused(denied()));
    assert_eq!(refused.due, None);
}

#[test]
fn a_no_that_passes_is_asked_again_when_github_says() {
    let claim = given_up(OnLaunchExhausted::LeaveQueued);
    let rules = Rules::default();
    let pause = Some(secs(600));
    let times = (at(0), MIDDLE);
    let later = answered(
        &claim,
        Asked::Check,
        &ChangeAnswer::NotNow,
        pause,
        times,
        &rules,
    );
    assert_eq!(later.due.map(|due| due.at), Some(at(600)));
    assert_eq!(end(&later).check, Telling::Wanted);
}

#[test]
fn a_matrix_of_hundreds_is_told_of_by_its_first_jobs() {
    let claim = given_up(OnLaunchExhausted::LeaveQueued);
    let job = queued();
    let words = JobWords::Seen(&job);
    let order = written(decide(&claim, words, CheckWords::Seen(&[]), at(0)));
    let one = |run: RunId, number: usize| CheckRunSeen {
        external_id: Some(format!("{run}/test ({number})")),
        ..seen(&order, 9)
    };
    let other_run: Vec<CheckRunSeen> = (0..20).map(|number| one(RunId(1), number)).collect();
    assert_eq!(
        written(decide(&claim, words, CheckWords::Seen(&other_run), at(0))),
        order
    );
    let many: Vec<CheckRunSeen> = (0..20).map(|number| one(RUN, number)).collect();
    let told = committed(decide(&claim, words, CheckWords::Seen(&many), at(0)));
    assert_eq!((end(&told).check, told.due), (Telling::NotWanted, None));
}

#[test]
fn accounts_arns_and_markdown_of_strangers_are_not_published() {
    let job = queued();
    let last_words = "UnauthorizedOperation: User: arn:aws:sts::123456789012:assumed-role/x is not \
                      allowed in 123456789012. Encoded authorization failure message: c2VjcmV0";
    let wanted = claim().spec;
    let unserved = Unserved {
        run_id: RUN,
        attempt: RunAttempt::FIRST,
        job_id: JobId(1),
        job_name: "`@mona` [x](http://example.com)\n# big",
        why: Why::GivenUp {
            wanted: &wanted,
            last_words,
        },
    };
    let CheckStep::Write(None, order) =
        check(&unserved, JobWords::Seen(&job), CheckWords::Seen(&[]))
    else {
        panic!("it is written");
    };
    assert!(
        !order.text.summary.contains("123456789012"),
        "{}",
        order.text.summary
    );
    assert!(
        !order.text.summary.contains("c2VjcmV0"),
        "{}",
        order.text.summary
    );
    assert!(
        !order.text.summary.contains("assumed-role"),
        "{}",
        order.text.summary
    );
    let name = "`'@mona' [x](http://example.com) # big`";
    assert!(order.text.summary.contains(name), "{}", order.text.summary);
}

#[test]
fn a_refused_job_reads_what_is_wrong_with_its_labels() {
    let job = queued();
    let labels = ["runs-on=42/cpu=lots".to_owned()];
    let errors = reprise_model::labels::parse(&labels).expect_err("it is wrong");
    let refusal = LaunchRefusal::Labels(errors);
    let home = claim().spec.region;
    let claim = refused(&claim().key.repository, &job, &refusal, &home, at(0));
    assert_eq!(claim.due.map(|due| due.at), Some(at(30)));
    assert!(!end(&claim).cancels());
    let words = JobWords::Seen(&job);
    let order = written(decide(&claim, words, CheckWords::Seen(&[]), at(30)));
    insta::assert_snapshot!(format!("{}\n\n{}", order.text.title, order.text.summary));
    let done = answer(&claim, Asked::Check, &ChangeAnswer::Accepted);
    assert_eq!((end(&done).check, done.due), (Telling::Done, None));
}

#[test]
fn jobs_that_are_refused_together_are_told_of_together() {
    let refusal = LaunchRefusal::from(MachineRefusal::RunIsFull {
        there: 256,
        most: 256,
    });
    let home = claim().spec.region;
    let due = |seconds| {
        let job = queued();
        let claim = refused(
            &claim().key.repository,
            &job,
            &refusal,
            &home,
            at(0) + secs(seconds),
        );
        claim.due.map(|due| due.at)
    };
    for refused_at in [1, 2, 29, 30] {
        assert_eq!(due(refused_at), Some(at(60)), "{refused_at}");
    }
    assert_eq!(due(31), Some(at(90)));
}
