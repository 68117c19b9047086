use reprise_engine::doctor::Finding;

use super::show::{Page, summary};

fn findings() -> Vec<Finding> {
    vec![
        Finding::ok("clock", "within 10 s of GitHub's"),
        Finding::unknown("instances", "none runs", "run a job"),
        Finding::wrong("app", "acme\u{1b}[2J lacks checks=write", "App settings"),
    ]
}

fn lines(findings: &[Finding], is_json: bool) -> Vec<String> {
    let mut page = Page::new(is_json);
    let lines = findings.iter().map(|one| page.line(one));
    lines.collect::<anyhow::Result<_>>().expect("writable")
}

#[test]
fn each_finding_is_a_line_with_what_to_do_below_it() {
    let lines = lines(&findings(), false);
    insta::assert_snapshot!(format!("{}\n{}", lines.join("\n"), summary(&findings())));
}

#[test]
fn the_same_advice_is_given_in_full_once() {
    let wrong = |check| Finding::wrong(check, "no", "mend it like this");
    let all = [
        wrong("queue"),
        wrong("launch"),
        Finding::not_checked("instances", "no AWS credentials"),
    ];
    insta::assert_snapshot!(lines(&all, false).join("\n"));
    assert!(lines(&all, true)[1].contains("mend it like this"));
}

#[test]
fn programs_read_one_object_a_finding() {
    insta::assert_snapshot!(lines(&findings(), true).join("\n"));
}

#[test]
fn the_last_line_says_whether_something_is_to_be_done() {
    let all = findings();
    assert_eq!(summary(&all[..1]), "All is well.");
    assert_eq!(summary(&all[..2]), "Nothing is wrong; 1 could not be told.");
    assert_eq!(summary(&all), "1 to be seen to.");
}
