use reprise_engine::doctor::Finding;

use super::show::{line, summary};

fn findings() -> Vec<Finding> {
    vec![
        Finding::ok("clock", "within 10 s of GitHub's"),
        Finding::unknown("instances", "none runs", "run a job"),
        Finding::wrong("app", "acme\u{1b}[2J lacks checks=write", "App settings"),
    ]
}

#[test]
fn each_finding_is_a_line_with_what_to_do_below_it() {
    let lines = findings()
        .iter()
        .map(|one| line(one, false).expect("writable"))
        .collect::<Vec<_>>();
    insta::assert_snapshot!(format!("{}\n{}", lines.join("\n"), summary(&findings())));
}

#[test]
fn programs_read_one_object_a_finding() {
    let lines = findings()
        .iter()
        .map(|one| line(one, true).expect("writable"))
        .collect::<Vec<_>>();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_last_line_says_whether_something_is_to_be_done() {
    let all = findings();
    assert_eq!(summary(&all[..1]), "All is well.");
    assert_eq!(summary(&all[..2]), "Nothing is wrong; 1 could not be told.");
    assert_eq!(summary(&all), "1 to be seen to.");
}
