//! The rules, one by one and for any jobs.

use proptest::prelude::*;

use super::*;

/// A job by itself: `a` makes `p/a`.
fn job(name: &str) -> Job {
    let prefix = Prefix::parse("p").expect("a prefix");
    Job {
        name: JobName::parse(name).expect("a name"),
        leg: None,
        artifacts: vec![prefix.key(name).expect("a key")],
        prefix,
        unless_found: None,
        needs: BTreeSet::new(),
        stale_with_inputs: false,
        only_if_wanted: false,
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

/// What is seen where these keys are all there is.
fn there(keys: &[&str]) -> Seen {
    let prefix = Prefix::parse("p").expect("a prefix");
    let keys = keys.iter().map(|key| prefix.key(key).expect("a key"));
    Seen {
        listed: BTreeMap::from([(prefix.clone(), Ok(keys.collect()))]),
        answers: BTreeMap::new(),
    }
}

fn decided(jobs: &[Job], seen: &Seen) -> Vec<Verdict> {
    let plan = decide(jobs, seen, OnError::Fail).expect("all is known");
    plan.judged.into_iter().map(|one| one.verdict).collect()
}

fn necessary(why: Why) -> Verdict {
    Verdict::Necessary {
        why,
        wanted_by: None,
    }
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

#[test]
fn a_job_is_done_when_all_of_its_own_artifacts_are_there() {
    let mut two = job("a");
    two.artifacts.push(key("p/b"));
    for (keys, wanted) in [
        (
            &["a", "b"] as &[&str],
            Verdict::Unnecessary(WhyNot::Complete),
        ),
        (&["a"], necessary(Why::Missing(vec![key("p/b")]))),
        (
            &["a/b", "A"],
            necessary(Why::Missing(vec![key("p/a"), key("p/b")])),
        ),
    ] {
        assert_eq!(decided(&[two.clone()], &there(keys)), [wanted], "{keys:?}");
    }
}

#[test]
fn what_is_found_elsewhere_need_not_be_made_and_is_looked_for_only_where_it_matters() {
    let place = address("https://example.com/x");
    let mut elsewhere = job("a");
    elsewhere.unless_found = Some(place.clone());
    let mut bare = elsewhere.clone();
    bare.artifacts.clear();
    let missing = || necessary(Why::Missing(vec![key("p/a")]));
    for (job, answer, wanted) in [
        (
            &elsewhere,
            Answer::Found,
            Verdict::Unnecessary(WhyNot::Found),
        ),
        (&elsewhere, Answer::NotFound, missing()),
        (&bare, Answer::Found, Verdict::Unnecessary(WhyNot::Found)),
        (&bare, Answer::NotFound, necessary(Why::NotFound)),
    ] {
        let mut seen = there(&[]);
        let jobs = [job.clone()];
        assert_eq!(questions(&jobs, &seen), BTreeSet::from([place.clone()]));
        seen.answers.insert(place.clone(), answer);
        assert_eq!(decided(&jobs, &seen), [wanted], "{job:?}");
    }
    let done = there(&["a"]);
    assert!(questions(&[elsewhere.clone()], &done).is_empty());
    assert_eq!(
        decided(&[elsewhere], &done),
        [Verdict::Unnecessary(WhyNot::Complete)]
    );
}

#[test]
fn an_input_that_runs_again_makes_what_is_stale_with_it_run_and_nothing_else() {
    let mut jobs = ["source", "build", "test", "docs"].map(job);
    jobs[1].needs.insert(0);
    jobs[1].stale_with_inputs = true;
    jobs[2].needs.insert(1);
    jobs[2].stale_with_inputs = true;
    jobs[3].needs.insert(1);
    let name = |place: usize| jobs[place].name.clone();
    assert_eq!(
        decided(&jobs, &there(&["build", "test", "docs"])),
        [
            necessary(Why::Missing(vec![key("p/source")])),
            necessary(Why::Stale(name(0))),
            necessary(Why::Stale(name(1))),
            Verdict::Unnecessary(WhyNot::Complete),
        ]
    );
}

#[test]
fn a_job_for_others_runs_only_when_one_of_them_does() {
    let mut jobs = ["source", "compiler", "build"].map(job);
    jobs[0].only_if_wanted = true;
    jobs[1].only_if_wanted = true;
    jobs[1].needs.insert(0);
    jobs[2].needs.insert(1);
    let not_wanted = Verdict::Unnecessary(WhyNot::NotWanted);
    let complete = Verdict::Unnecessary(WhyNot::Complete);
    let runs_for = |job: &str, by: usize| Verdict::Necessary {
        why: Why::Missing(vec![key(&format!("p/{job}"))]),
        wanted_by: Some(jobs[by].name.clone()),
    };
    let build = necessary(Why::Missing(vec![key("p/build")]));
    assert_eq!(
        decided(&jobs, &there(&["build"])),
        [not_wanted.clone(), not_wanted.clone(), complete.clone()]
    );
    assert_eq!(
        decided(&jobs, &there(&[])),
        [
            runs_for("source", 1),
            runs_for("compiler", 2),
            build.clone()
        ]
    );
    // The compiler is there, so that nobody needs its source.
    assert_eq!(
        decided(&jobs, &there(&["compiler"])),
        [not_wanted, complete, build]
    );
}

#[test]
fn two_jobs_do_not_make_each_other_necessary() {
    let mut jobs = ["source", "build"].map(job);
    jobs[0].only_if_wanted = true;
    jobs[1].needs.insert(0);
    jobs[1].stale_with_inputs = true;
    assert_eq!(
        decided(&jobs, &there(&["build"])),
        [
            Verdict::Unnecessary(WhyNot::NotWanted),
            Verdict::Unnecessary(WhyNot::Complete),
        ]
    );
}

#[test]
fn what_did_not_answer_skips_no_job() {
    let place = address("https://example.com/x");
    let mut elsewhere = job("b");
    elsewhere.unless_found = Some(place.clone());
    elsewhere.only_if_wanted = true;
    let jobs = [job("a"), elsewhere];
    let mut broken = there(&[]);
    broken
        .listed
        .insert(Prefix::parse("p").expect("a prefix"), Err("503".to_owned()));
    let mut silent = there(&["a"]);
    silent
        .answers
        .insert(place, Answer::None("timed out".to_owned()));
    for (seen, wanted) in [
        (&broken, "below p/: 503"),
        (&silent, "https://example.com/x did not answer: timed out"),
        (&there(&["a"]), "it was not asked"),
        (&Seen::default(), "it was not asked"),
    ] {
        let error = decide(&jobs, seen, OnError::Fail).expect_err(wanted);
        assert!(error.to_string().contains(wanted), "{error}");
        let plan = decide(&jobs, seen, OnError::RunAll).expect("every job runs");
        assert_eq!(plan.necessary().count(), 2, "{seen:?}");
        assert_eq!(plan.silent, error.silent);
        assert!(!plan.all_done());
    }
}

#[test]
fn a_prefix_within_another_is_not_listed_by_itself() {
    let mut jobs = ["a", "b", "c", "d"].map(job);
    for (job, prefix) in jobs.iter_mut().zip(["p/x", "p", "px", "q"]) {
        job.prefix = Prefix::parse(prefix).expect("a prefix");
    }
    jobs[3].artifacts.clear();
    let told: Vec<String> = prefixes(&jobs).iter().map(Prefix::to_string).collect();
    assert_eq!(told, ["p/", "px/"]);
}

/// Any jobs, each of which may need those before it, and what is there of them.
fn any() -> impl Strategy<Value = (Vec<Job>, BTreeSet<usize>, Vec<bool>)> {
    let flags = (any_bool(), any_bool(), any_bool(), any_bool());
    let one = (flags, proptest::collection::vec(any_bool(), 12));
    proptest::collection::vec(one, 1..12).prop_map(|drawn| {
        let (mut jobs, mut there, mut found) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (place, ((stale, wanted, is_there, asks), needs)) in drawn.into_iter().enumerate() {
            let mut job = job(&format!("j{place}"));
            job.stale_with_inputs = stale;
            job.only_if_wanted = wanted;
            job.needs = (0..place).filter(|input| needs[*input]).collect();
            if asks {
                job.unless_found = Some(address(&format!("https://example.com/{place}")));
            }
            if is_there {
                there.insert(place);
            }
            found.push(needs[11]);
            jobs.push(job);
        }
        (jobs, there, found)
    })
}

fn any_bool() -> impl Strategy<Value = bool> {
    proptest::bool::ANY
}

fn seen(jobs: &[Job], keys: &BTreeSet<usize>, found: &[bool]) -> Seen {
    let names: Vec<String> = keys.iter().map(|place| format!("j{place}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut seen = there(&names);
    for (job, found) in jobs.iter().zip(found) {
        let answer = if *found {
            Answer::Found
        } else {
            Answer::NotFound
        };
        seen.answers
            .extend(job.unless_found.clone().map(|address| (address, answer)));
    }
    seen
}

proptest! {
    #[test]
    fn the_rules_hold_for_every_job((jobs, keys, found) in any()) {
        let seen = seen(&jobs, &keys, &found);
        let plan = decide(&jobs, &seen, OnError::Fail).expect("all is known");
        let runs: Vec<bool> = plan.judged.iter().map(Judged::is_necessary).collect();
        for (place, job) in jobs.iter().enumerate() {
            let is_there = keys.contains(&place);
            let is_elsewhere = job.unless_found.is_some() && found[place];
            let input_runs = job.needs.iter().any(|input| runs[*input]);
            let is_left = (!is_there && !is_elsewhere) || (job.stale_with_inputs && input_runs);
            let mut users = jobs.iter().zip(&runs).filter(|(user, _)| user.needs.contains(&place));
            let is_wanted = users.any(|(_, runs)| *runs);
            prop_assert_eq!(runs[place], is_left && (!job.only_if_wanted || is_wanted), "{}", job.name);
        }
    }

    #[test]
    fn each_reason_goes_back_to_a_job_that_is_necessary_by_itself((jobs, keys, found) in any()) {
        let plan = decide(&jobs, &seen(&jobs, &keys, &found), OnError::Fail).expect("all is known");
        for start in plan.necessary() {
            let mut open = vec![start];
            let mut steps = 0;
            while let Some(judged) = open.pop() {
                steps += 1;
                prop_assert!(steps < 10_000, "{} goes round in a circle", start.name);
                let Verdict::Necessary { why, wanted_by } = &judged.verdict else {
                    return Err(TestCaseError::fail(format!("{} is no reason: it does not run", judged.name)));
                };
                let input = if let Why::Stale(input) = why { Some(input) } else { None };
                for name in input.into_iter().chain(wanted_by) {
                    open.extend(plan.judged.iter().filter(|one| one.name == *name));
                }
            }
        }
    }

    #[test]
    fn what_is_missing_more_never_skips_a_job((jobs, keys, found) in any(), lost in 0_usize..12) {
        let before = decide(&jobs, &seen(&jobs, &keys, &found), OnError::Fail).expect("all is known");
        let mut fewer = keys.clone();
        fewer.remove(&lost);
        let after = decide(&jobs, &seen(&jobs, &fewer, &found), OnError::Fail).expect("all is known");
        for (before, after) in before.judged.iter().zip(&after.judged) {
            prop_assert!(!before.is_necessary() || after.is_necessary(), "{}", before.name);
        }
    }
}
