//! The built-in table against its examples, and an operator's own patterns.
//!
//! `examples/*.txt` holds failures as tools print them, by what they are. `tests/example.rs` says how they
//! are written.

mod example;
mod own;

use reprise_engine::failure::judge;
use reprise_model::failure::{FailureClass, Judgement};

use super::*;
use example::Example;

const TRANSIENT: &str = include_str!("examples/transient.txt");
const PERMANENT: &str = include_str!("examples/permanent.txt");
const UNKNOWN: &str = include_str!("examples/unknown.txt");

#[test]
fn the_built_in_table_is_good_and_finds_its_own_examples() {
    let table = built_in().expect("good");
    for rule in table.rules() {
        assert!(!rule.note.is_empty(), "{:?}", rule.patterns);
        assert!(!rule.examples.is_empty(), "{:?}", rule.patterns);
    }
}

#[test]
fn each_rule_of_the_built_in_table_is_good_by_itself() {
    let table = built_in().expect("good");
    for rule in table.rules() {
        let alone = Table::compile(FailureTable::Configured, vec![rule.clone()]);
        assert!(alone.is_ok(), "{alone:?}");
    }
}

/// The measure of the table. What is permanent or unknown is never retried; of the rest most is recognised,
/// and what is not is printed.
#[test]
fn nothing_permanent_is_judged_transient_and_most_examples_are_recognised() {
    let transient = Measure::of(FailureClass::Transient, TRANSIENT);
    let permanent = Measure::of(FailureClass::Permanent, PERMANENT);
    let unknown = Measure::of(FailureClass::Unknown, UNKNOWN);
    let all = [&transient, &permanent, &unknown];
    for measure in all {
        print!("{measure}");
    }
    let as_transient: usize = all.iter().map(|one| one.as_transient).sum();
    println!(
        "precision of transient: {} of {as_transient}",
        transient.right
    );
    assert_eq!(permanent.as_transient, 0, "{permanent}");
    assert_eq!(unknown.as_transient, 0, "{unknown}");
    assert_eq!(unknown.right, unknown.all, "{unknown}");
    assert!(transient.right * 100 >= transient.all * 95, "{transient}");
    assert!(permanent.right * 100 >= permanent.all * 85, "{permanent}");
    assert!(all.iter().map(|one| one.all).sum::<usize>() >= 120);
}

/// How the examples of one class are judged.
struct Measure {
    class: FailureClass,
    all: usize,
    right: usize,
    as_transient: usize,
    wrong: Vec<(String, Judgement)>,
}

impl Measure {
    fn of(class: FailureClass, text: &str) -> Self {
        let judged: Vec<(Example, Judgement)> = example::read(text)
            .into_iter()
            .map(|one| {
                let judgement = judgement(&one);
                (one, judgement)
            })
            .collect();
        let transient = judged.iter().filter(|(_, it)| it.class.is_transient());
        let as_transient = transient.count();
        let all = judged.len();
        let wrong = judged.into_iter().filter(|(_, it)| it.class != class);
        let wrong: Vec<_> = wrong.map(|(example, it)| (example.name, it)).collect();
        Self {
            class,
            all,
            right: all - wrong.len(),
            as_transient,
            wrong,
        }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (class, right, all) = (self.class, self.right, self.all);
        writeln!(f, "recall of {class}: {right} of {all}")?;
        for (name, judgement) in &self.wrong {
            writeln!(f, "  {name:?} is {judgement}")?;
        }
        Ok(())
    }
}

#[test]
fn the_line_that_decided_is_shown_with_its_rule() {
    let example = |name: &str| {
        let all = [TRANSIENT, PERMANENT, UNKNOWN];
        let mut all = all.into_iter().flat_map(example::read);
        let example = all.find(|one| one.name == name);
        judgement(&example.expect("there is one")).to_string()
    };
    let told = [
        "cargo is cut off in the middle of a download",
        "a test called connection_refused_is_retried fails",
        "a cancelled step and no failed one",
        "a person cancelled",
        "a suite failed before the next one was killed",
        "nothing but exit code 137",
        "nothing but an exit code",
    ];
    insta::assert_snapshot!(told.map(example).join("\n"));
}

fn judgement(example: &Example) -> Judgement {
    let tables = Tables {
        configured: None,
        built_in: built_in().expect("good"),
    };
    judge(&example.facts, tables)
}
