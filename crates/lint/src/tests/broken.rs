//! Files that are no workflows, and files that want too much.

use super::{LARGEST, Source, found, lint, source, told};

#[test]
fn what_is_no_workflow_is_told_with_its_place() {
    let told = [
        "",
        "- a\n- b\n",
        "name: no jobs\n",
        "jobs: none\n",
        "jobs:\n  a: [1\n  b: 2\n",
        "jobs:\n\ta: 1\n",
        "jobs:\n  a: *nothing\n",
        "jobs: &jobs\n  a: *jobs\n",
        "\"jobs",
        "jobs:\n  a:\n    runs-on: [runs-on=${{ github.run_id }}, cpu=4]\n",
    ]
    .map(|text| format!("{text:?}\n{}", found(text)));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn bytes_that_are_no_text_and_files_that_are_too_large_are_told() {
    let told = |bytes: Vec<u8>| {
        told(&lint(&[Source {
            bytes,
            ..source("")
        }]))
    };
    insta::assert_snapshot!(
        [
            told(b"jobs:\n  a: \xff\n".to_vec()),
            told(vec![b'a'; LARGEST + 1]),
            told(format!("jobs:\n  {}", "[".repeat(100_000)).into_bytes()),
            told(format!("jobs: {}", "[\n ".repeat(1_000)).into_bytes()),
        ]
        .join("\n")
    );
}

#[test]
fn a_file_whose_aliases_would_fill_the_memory_is_read_at_once() {
    let mut text = "x0: &x0 [runs-on=1, runs-on=1]\n".to_owned();
    for n in 1..60 {
        let one = n - 1;
        text.push_str(&format!(
            "x{n}: &x{n} [*x{one}, *x{one}, *x{one}, *x{one}]\n"
        ));
    }
    text.push_str(
        "jobs:
  a:
    strategy: { matrix: { x: *x59 } }
    runs-on: ${{ matrix.x }}
  b:
    runs-on: *x59
",
    );
    insta::assert_snapshot!(found(&text));
}

#[test]
fn expressions_that_would_grow_without_end_are_not_followed() {
    let mut inner = "'0123456789'".to_owned();
    for _ in 0..40 {
        inner = format!("format('{{0}}{{0}}{{0}}{{0}}', {inner})");
    }
    let conditions: Vec<String> = (0..30)
        .map(|n| format!("${{{{ inputs.c{n} && 'a' || 'b' }}}}"))
        .collect();
    let text = format!(
        "jobs:\n  a:\n    runs-on: runs-on=${{{{ github.run_id }}}}-${{{{ {inner} }}}}\n  b:\n    runs-on: runs-on=${{{{ github.run_id }}}}{}\n  c:\n    runs-on: ${{{{ {} }}}}\n",
        conditions.join(""),
        "(".repeat(100_000),
    );
    let told = found(&text);
    assert!(told.contains("conditions allow too many"), "{told}");
    assert!(!told.contains("error"), "{told}");
}

#[test]
fn only_the_first_document_of_a_file_counts() {
    assert_eq!(found("jobs: {}\n---\n- [\n"), "nothing");
}
