use super::show::Told;
use super::target::Whom;
use jiff::Timestamp;
use reprise_engine::drill::{Step, Taken};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("within range")
}

fn taken(step: Step, seconds: Option<i64>) -> Taken {
    Taken {
        step,
        at: seconds.map(at),
        says: format!("{}\u{1b}", step.as_str()),
    }
}

#[test]
fn each_step_is_told_once_with_its_time_since_the_beginning() {
    let mut told = Told::new(at(0), false);
    let mut lines = Vec::new();
    for (step, seconds) in [
        (Step::Started, Some(0)),
        (Step::Notice, Some(2)),
        (Step::Notice, Some(2)),
        (Step::Tagged, None),
        (Step::Green, Some(605)),
    ] {
        lines.extend(told.step(&taken(step, seconds), at(4)).expect("writable"));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn programs_read_one_object_a_step() {
    let mut told = Told::new(at(0), true);
    let mut lines = Vec::new();
    for (step, seconds) in [(Step::Started, Some(0)), (Step::Tagged, None)] {
        lines.extend(told.step(&taken(step, seconds), at(4)).expect("writable"));
    }
    lines.push(told.end("done", true).expect("writable"));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_job_or_an_instance_is_meant_and_nothing_else() {
    let job = "https://github.com/acme/shop/actions/runs/9000000001/job/25000000001";
    assert!(matches!(job.parse(), Ok(Whom::Job(..))));
    assert!(matches!(
        "i-0123456789abcdef0".parse(),
        Ok(Whom::Instance(_))
    ));
    for (text, words) in [
        ("i-xyz", "is no instance's id"),
        (
            "https://github.com/acme/shop/actions/runs/9000000001",
            "names a run and not a job",
        ),
        ("everything", "names no run"),
        ("", "names no run"),
    ] {
        let error = text.parse::<Whom>().expect_err(text);
        assert!(error.contains(words), "{text}: {error}");
    }
}
