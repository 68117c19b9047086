//! Workflows that call others.

use super::{Source, jobs, lint, one};

/// The findings of several workflows in one folder, each with its file.
fn found(files: &[(&str, String)]) -> String {
    let sources: Vec<Source> = files
        .iter()
        .map(|(name, text)| Source {
            name: format!(".github/workflows/{name}"),
            bytes: text.as_bytes().to_vec(),
        })
        .collect();
    let told: Vec<String> = lint(&sources)
        .iter()
        .map(|finding| format!("{}: {}", finding.file, one(finding)))
        .collect();
    if told.is_empty() {
        return "nothing".to_owned();
    }
    told.join("\n")
}

const CALL: &str = "uses: ./.github/workflows/called.yml";
const RUN: &str = "runs-on: runs-on=${{ github.run_id }}/cpu=4";

fn called(runs_on: &str) -> (&'static str, String) {
    ("called.yml", jobs(&[("build", runs_on)]))
}

#[test]
fn a_called_workflow_and_its_caller_are_one_run() {
    let caller = jobs(&[
        ("test", RUN),
        ("call", CALL),
        ("apart", "runs-on: runs-on=ID"),
    ]);
    insta::assert_snapshot!(found(&[("ci.yml", caller), called(RUN)]));
}

#[test]
fn two_called_workflows_are_one_run() {
    let other = CALL.replace("called", "other");
    let caller = jobs(&[("one", CALL), ("two", &other)]);
    let files = [
        ("ci.yml", caller),
        called(RUN),
        ("other.yml", called(RUN).1),
    ];
    insta::assert_snapshot!(found(&files));
}

#[test]
fn a_workflow_that_is_called_twice_in_a_run_needs_an_input_in_its_labels() {
    let caller = jobs(&[("one", CALL), ("two", CALL)]);
    let own = "runs-on: runs-on=ID/cpu=4";
    insta::assert_snapshot!(found(&[("ci.yml", caller.clone()), called(own)]));
    for id in [
        "inputs.id",
        "inputs.id || github.event.inputs.id",
        "inputs.id && 'a' || 'b'",
    ] {
        let input = format!("runs-on: runs-on=ID-${{{{ {id} }}}}/cpu=4");
        let told = found(&[("ci.yml", caller.clone()), called(&input)]);
        assert_eq!(told, "nothing", "{id}");
    }
}

#[test]
fn a_workflow_that_a_matrix_calls_needs_an_input_in_its_labels() {
    let matrix = format!("strategy: {{ matrix: {{ n: [1, 2] }} }}\n{CALL}");
    let own = "runs-on: runs-on=ID/cpu=4";
    let told = found(&[("ci.yml", jobs(&[("all", &matrix)])), called(own)]);
    assert!(told.contains("calls this workflow several times"), "{told}");
    let in_turn = matrix.replace("matrix:", "max-parallel: 1, matrix:");
    let told = found(&[("ci.yml", jobs(&[("all", &in_turn)])), called(own)]);
    assert_eq!(told, "nothing");
}

#[test]
fn calls_in_turn_and_calls_in_runs_of_their_own_never_meet() {
    let in_turn = jobs(&[
        ("first", RUN),
        ("call", &format!("needs: first\n{CALL}")),
        ("between", "needs: call\nruns-on: ubuntu-latest"),
        ("again", &format!("needs: [between]\n{CALL}")),
    ]);
    let alone = jobs(&[("call", CALL)]);
    let other_repository = jobs(&[
        ("one", "uses: acme/shop/.github/workflows/called.yml@main"),
        ("two", "uses: acme/shop/.github/workflows/called.yml@main"),
    ]);
    let files = [
        ("in-turn.yml", in_turn),
        ("alone.yml", alone.clone()),
        ("too.yml", alone),
        ("elsewhere.yml", other_repository),
        called(RUN),
    ];
    assert_eq!(found(&files), "nothing");
}

#[test]
fn labels_that_are_handed_in_are_checked_where_they_are_written() {
    let with = |inputs: &str| format!("{CALL}\nwith:\n  {inputs}");
    let caller = jobs(&[
        ("text", &with("runner: runs-on=ID/cpu=x")),
        ("json", &with("runner: '[\"runs-on=ID\", \"ram=y\"]'")),
        ("good", &with("runner: runs-on=ID/cpu=4")),
        (
            "others",
            &with("runner: ubuntu-latest\n  cpu: 4\n  label: cpu=4\n  any: ${{ vars.ANY }}"),
        ),
    ]);
    insta::assert_snapshot!(found(&[("ci.yml", caller)]));
}
