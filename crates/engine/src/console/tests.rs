use reprise_model::instance::InstanceState;

use super::*;
use crate::samples::{at, remembered, view};

fn wish() -> Wish {
    Wish::new(ConsoleCause::Died, at(0))
}

fn kept(lines: &[&str]) -> ConsoleTail {
    ConsoleTail {
        at: at(9),
        cause: ConsoleCause::Died,
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
    }
}

fn ended(reason: &str) -> InstanceView {
    InstanceView {
        state: InstanceState::Terminated,
        state_reason: Some(reason.to_owned()),
        ..view()
    }
}

#[test]
fn the_consoles_of_instances_that_ec2_took_or_lost_are_wanted() {
    let listed = |view: &InstanceView| wanted(Occasion::Listed(view));
    for reason in ["Server.SpotInstanceTermination", "Server.InternalError"] {
        assert_eq!(listed(&ended(reason)), Some(ConsoleCause::Died), "{reason}");
    }
    for reason in [
        "Client.InstanceInitiatedShutdown",
        "Client.UserInitiatedShutdown",
    ] {
        assert_eq!(listed(&ended(reason)), None, "{reason}");
    }
    assert_eq!(listed(&view()), None, "it runs");
}

#[test]
fn the_consoles_of_instances_without_a_runner_are_wanted_and_of_others_not() {
    for why in Why::ALL {
        let is_wanted = wanted(Occasion::StillQueued(why)).is_some();
        let launches_in_vain =
            why != Why::RunnerTaken && (why.launches() || why == Why::LaunchedEnough);
        assert_eq!(is_wanted, launches_in_vain, "{why:?}");
    }
    let ended = |why| wanted(Occasion::Ended(why));
    assert_eq!(
        ended(EndReason::NeverRan),
        Some(ConsoleCause::NeverRegistered)
    );
    assert_eq!(ended(EndReason::JobEnded), None);
}

#[test]
fn ec2_is_asked_unless_the_lines_are_kept() {
    assert_eq!(decide(&wish(), None, Answer::Unasked, at(9)), Step::Ask);
    let mut known = remembered(Vec::new());
    assert_eq!(
        decide(&wish(), Some(&known), Answer::Unasked, at(9)),
        Step::Ask
    );
    known.console = Some(kept(&[]));
    for answer in [
        Answer::Unasked,
        Answer::Output(Some("more")),
        Answer::Failed,
    ] {
        let step = decide(&wish(), Some(&known), answer, at(9));
        assert_eq!(step, Step::Forget(ForgetReason::Kept));
    }
}

#[test]
fn an_answer_with_lines_is_kept() {
    let step = decide(&wish(), None, Answer::Output(Some("one\ntwo\n")), at(9));
    assert_eq!(step, Step::Keep(kept(&["one", "two"])));
}

#[test]
fn an_empty_answer_and_a_failure_are_asked_for_again_and_then_no_more() {
    for (answer, at_last) in [
        (Answer::Output(None), Step::Keep(kept(&[]))),
        (Answer::Output(Some("\r\n \n")), Step::Keep(kept(&[]))),
        (Answer::Failed, Step::Forget(ForgetReason::Unanswered)),
    ] {
        let mut wish = wish();
        assert_eq!(wish.at, at(30));
        for pause in [120, 480] {
            let Step::Later(again) = decide(&wish, None, answer, wish.at) else {
                panic!("{answer:?} is the last answer");
            };
            assert_eq!(again.at.duration_since(wish.at).as_secs(), pause);
            wish = again;
        }
        assert_eq!(decide(&wish, None, answer, at(9)), at_last);
    }
}

#[test]
fn the_last_lines_are_kept_and_not_too_many_of_them() {
    let many: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
    let lines = tail(&many.join("\r\n"));
    assert_eq!(lines.len(), 40);
    assert_eq!(lines.last().map(String::as_str), Some("line 999"));
    let long = "é ".repeat(500);
    let lines = tail(&format!("{long}\n").repeat(100));
    assert!(
        lines.iter().all(|line| line.chars().count() <= 201),
        "{lines:?}"
    );
    let size: usize = lines.iter().map(String::len).sum();
    assert!((3000..=4096).contains(&size), "{size}");
    assert_eq!(tail(""), Vec::<String>::new());
}

#[test]
fn what_moves_a_terminal_is_taken_out() {
    let output = "\u{1b}[2J\u{1b}[1;31m[  OK  ]\u{1b}[0m up\u{7}\tand\u{202e}away\u{9b}\u{0}\u{1b}";
    assert_eq!(tail(output), ["[  OK  ] up andaway"]);
}

#[test]
fn what_looks_like_a_secret_is_hidden_and_the_rest_is_not() {
    let cases = [
        (
            "registered with ghs_0123456789abcdefABCDEF0123456789abcd ok",
            "registered with *** ok",
        ),
        ("key AKIAIOSFODNN7EXAMPLE/eu", "key ***"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1", "***"),
        ("token=short password: hunter2!", "token=*** password: ***!"),
        ("RUNNER_JITCONFIG=abc", "RUNNER_JITCONFIG=***"),
        (
            "tagged i-0123456789abcdef0 runs-on-workflow-job-interrupted=true",
            "tagged i-0123456789abcdef0 runs-on-workflow-job-interrupted=true",
        ),
        (
            "/usr/lib/systemd/System/reprise-agent-0123456789.service token for nobody",
            "/usr/lib/systemd/System/reprise-agent-0123456789.service token for nobody",
        ),
    ];
    for (line, shown) in cases {
        assert_eq!(tail(line), [shown]);
    }
}
