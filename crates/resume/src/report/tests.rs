//! What GitHub and people are given.

use std::collections::BTreeSet;

use super::*;
use crate::decide::Silent;
use crate::job::{Address, Leg};
use crate::key::{Key, Prefix};
use crate::name::JobName;

fn judged(name: &str, verdict: Verdict) -> Judged {
    Judged {
        name: JobName::parse(name).expect("a name"),
        leg: None,
        artifacts: Vec::new(),
        elsewhere: None,
        verdict,
    }
}

fn runs(why: Why) -> Verdict {
    Verdict::Necessary {
        why,
        wanted_by: None,
    }
}

fn plan(judged: Vec<Judged>) -> Plan {
    Plan {
        judged,
        silent: Vec::new(),
    }
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

/// Every verdict, with names and keys of every sign.
fn every() -> Plan {
    let name = |name: &str| JobName::parse(name).expect("a name");
    let address = Address::parse("https://example.com/v2/x/manifests/3.4").expect("an address");
    let complete = Verdict::Unnecessary(WhyNot::Complete);
    let mut all = vec![
        judged(
            "Download Ruby source 2.7.1",
            runs(Why::Missing(vec![key("p/a")])),
        ),
        judged(
            "Build [a|b] <b>\"x\"</b> `c` *d*",
            runs(Why::Missing(vec![key("p/a"), key("p/b")])),
        ),
        judged("Publish", runs(Why::NotFound)),
        judged(
            "Prepare",
            Verdict::Necessary {
                why: Why::NothingShows,
                wanted_by: Some(name("Publish")),
            },
        ),
        judged("Test", runs(Why::Stale(name("Publish")))),
        judged("Lint", complete),
        judged("Image", Verdict::Unnecessary(WhyNot::Found)),
        judged("Compiler", Verdict::Unnecessary(WhyNot::NotWanted)),
    ];
    all[4].leg = Some(Leg {
        pattern: "{job}".to_owned(),
        values: [("job".to_owned(), "Test".to_owned())].into(),
    });
    let same = all[4].leg.clone();
    all[5].leg = same;
    all[1].artifacts = vec![
        (key("p/a"), Some(false)),
        (key("p/b"), Some(false)),
        (key("p/c_*.tar"), Some(true)),
    ];
    all[2].elsewhere = Some((address.clone(), Some(Answer::NotFound)));
    all[5].elsewhere = Some((address.clone(), None));
    all[6].elsewhere = Some((address, Some(Answer::Found)));
    plan(all)
}

#[test]
fn outputs_are_as_workflows_read_them() {
    insta::assert_snapshot!(outputs(&every()).expect("small enough"));
}

#[test]
fn the_log_tells_each_job_and_both_lists() {
    insta::assert_snapshot!(log(&every()));
}

#[test]
fn the_summary_is_a_table_whatever_names_there_are() {
    insta::assert_snapshot!(summary(&every()));
}

#[test]
fn where_all_is_done_no_name_is_found_in_the_list() {
    let done = plan(vec![judged("a", Verdict::Unnecessary(WhyNot::Complete))]);
    let text = outputs(&done).expect("small enough");
    assert_eq!(
        text,
        "necessary_jobs=;\nnecessary_jobs_json=[]\nnecessary_matrices={}\nall_done=true\n"
    );
    assert!(!text.contains(";a;"));
}

#[test]
fn where_something_was_silent_every_job_says_so() {
    let mut silent = plan(vec![judged("a", runs(Why::Silence))]);
    silent.judged[0].artifacts = vec![(key("p/a"), None)];
    silent.silent = vec![Silent::Store {
        prefix: Prefix::parse("p").expect("a prefix"),
        why: "503".to_owned(),
    }];
    insta::assert_snapshot!(log(&silent));
}

#[test]
fn a_summary_that_github_would_not_show_is_cut_and_says_so() {
    let all = (0..5_000).map(|n| {
        let name = format!("{n} {}", "x".repeat(300));
        judged(&name, Verdict::Unnecessary(WhyNot::Complete))
    });
    let text = summary(&plan(all.collect()));
    assert!(text.len() <= LARGEST_SUMMARY && text.len() > LARGEST_SUMMARY / 2);
    let rows = text.lines().filter(|line| line.contains(" x")).count();
    let last = format!(
        "and {} more jobs, which the log of this step has.",
        5_000 - rows
    );
    assert_eq!(text.lines().last(), Some(last.as_str()));
}

#[test]
fn outputs_that_github_would_not_take_are_an_error() {
    let all = (0..2_000).map(|n| judged(&format!("{n} {}", "x".repeat(300)), runs(Why::NotFound)));
    let error = outputs(&plan(all.collect())).expect_err("too large");
    assert_eq!(error.jobs, 2_000);
    assert!(error.to_string().contains("several manifests"), "{error}");
}

#[test]
fn github_finds_exactly_the_names_that_are_in_the_list() {
    let names = ["a", "b", "a b", "[a]", "a;".trim_end_matches(';'), "Ä"];
    let all: BTreeSet<&str> = names.into();
    for name in &all {
        let text = outputs(&plan(vec![judged(name, runs(Why::NotFound))])).expect("small enough");
        let list = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("necessary_jobs="));
        for other in &all {
            let found = list.is_some_and(|list| list.contains(&format!(";{other};")));
            assert_eq!(found, other == name, "{other} in {text}");
        }
    }
}
