use super::*;

/// A log as the Worker writes it: what stands in `steps`, then the lines of the steps it came to.
fn log(job: &str, lines: &[&str]) -> String {
    let mut log = format!(
        "[2026-01-01 00:00:00Z INFO Worker] Message received.\n\
         [2026-01-01 00:00:00Z INFO Worker] Job message:\n {job}\n\
         [2026-01-01 00:00:01Z INFO Worker] Listening for cancel message from the channel.\n"
    );
    for line in lines {
        log.push_str(&format!("[2026-01-01 00:00:02Z INFO StepsRunner] {line}\n"));
    }
    log
}

fn verdict(job: &str, lines: &[&str]) -> StepVerdict {
    read(log(job, lines).as_bytes())
}

const BUILD: &str = "Processing step: DisplayName='Build'";
const PLAIN: &str = r#"{
  "messageType": "PipelineAgentJobRequest",
  "variables": { "system.culture": { "value": "en-US" } },
  "steps": [
    { "type": "action", "reference": { "type": "script" }, "enabled": true,
      "displayNameToken": { "type": 0, "file": 1, "line": 7, "col": 9, "lit": "Build" } },
    { "type": "action", "displayNameToken": "Test", "continueOnError": false }
  ]
}"#;

/// One step, `Lint`, that may fail, beside `Build` and a step without a name.
fn lenient(token: &str) -> String {
    format!(
        r#"{{ "jobContainer": null, "steps": [
          {{ "displayNameToken": "Build" }}, {{ "displayNameToken": "Lint", "continueOnError": {token} }},
          {{ "reference": {{ "type": "script" }} }} ] }}"#
    )
}

#[test]
fn a_step_of_a_job_without_continue_on_error_fails_the_job() {
    assert_eq!(verdict(PLAIN, &[BUILD]), StepVerdict::FailsTheJob);
    let post = "Processing step: DisplayName='Post Run actions/cache@v4'";
    assert_eq!(verdict(PLAIN, &[BUILD, post]), StepVerdict::FailsTheJob);
}

#[test]
fn a_step_with_continue_on_error_is_never_ended_alone() {
    let lint = "Processing step: DisplayName='Lint'";
    for token in [
        "true",
        r#"{ "type": 5, "line": 3, "bool": true }"#,
        r#"{ "type": 3, "expr": "matrix.experimental" }"#,
        r#""***""#,
    ] {
        let unclear = StepVerdict::Unclear(Unclear::ContinueOnError);
        assert_eq!(verdict(&lenient(token), &[BUILD, lint]), unclear, "{token}");
        let other = verdict(&lenient(token), &[lint, BUILD]);
        assert_eq!(other, StepVerdict::FailsTheJob, "{token}");
    }
}

#[test]
fn beside_one_with_continue_on_error_a_step_must_be_known_by_its_own_name() {
    for name in ["Run make", "Post Lint", "Set up job", "Run Lint"] {
        let line = format!("Processing step: DisplayName='{name}'");
        let unclear = StepVerdict::Unclear(Unclear::Unnamed);
        assert_eq!(verdict(&lenient("true"), &[&line]), unclear, "{name}");
    }
}

#[test]
fn two_steps_of_one_name_are_not_told_apart() {
    let job = r#"{ "steps": [ { "displayNameToken": "Build" },
        { "displayNameToken": "Build", "continueOnError": true } ] }"#;
    let unclear = StepVerdict::Unclear(Unclear::Unnamed);
    assert_eq!(verdict(job, &[BUILD]), unclear);
}

#[test]
fn beside_one_that_names_itself_by_an_expression_no_step_is_known_by_its_name() {
    let job = |token: &str| {
        format!(
            r#"{{ "steps": [ {{ "displayNameToken": "Build" }},
                {{ "displayNameToken": {token}, "continueOnError": true }} ] }}"#
        )
    };
    let unclear = StepVerdict::Unclear(Unclear::Unnamed);
    let expression = job(r#"{ "type": 3, "line": 4, "expr": "format('Bu{0}', 'ild')" }"#);
    assert_eq!(verdict(&expression, &[BUILD]), unclear);
    let literal = job(r#"{ "type": 0, "line": 4, "lit": "Lint" }"#);
    assert_eq!(verdict(&literal, &[BUILD]), StepVerdict::FailsTheJob);
}

#[test]
fn a_literal_false_with_its_place_is_no_continue_on_error() {
    let job = lenient(r#"{ "type": 5, "file": 1, "line": 3, "col": 9, "bool": false }"#);
    let lint = "Processing step: DisplayName='Lint'";
    assert_eq!(verdict(&job, &[lint]), StepVerdict::FailsTheJob);
}

#[test]
fn a_step_within_a_composite_action_is_unclear_until_the_next_step_begins() {
    let embedded = "Processing embedded step: DisplayName='Run make'";
    let action = "Processing step: DisplayName='Run ./.github/actions/build'";
    let unclear = StepVerdict::Unclear(Unclear::Composite);
    assert_eq!(verdict(PLAIN, &[action, embedded]), unclear);
    let after = verdict(PLAIN, &[action, embedded, BUILD]);
    assert_eq!(after, StepVerdict::FailsTheJob);
}

#[test]
fn a_job_in_a_container_is_unclear() {
    let job = r#"{ "jobContainer": { "type": 2, "map": [] }, "steps": [] }"#;
    let unclear = StepVerdict::Unclear(Unclear::Container);
    assert_eq!(verdict(job, &[BUILD]), unclear);
    let unclear = verdict(r#"{ "jobContainer": "node:22", "steps": [] }"#, &[BUILD]);
    assert_eq!(unclear, StepVerdict::Unclear(Unclear::Container));
}

#[test]
fn steps_in_the_background_are_unclear() {
    let job = r#"{ "steps": [ { "displayNameToken": "Build", "background": true } ] }"#;
    let unclear = StepVerdict::Unclear(Unclear::Background);
    assert_eq!(verdict(job, &[BUILD]), unclear);
}

#[test]
fn a_mask_that_breaks_the_message_or_hides_a_word_of_a_step_makes_it_unclear() {
    let broken = PLAIN.replace("false", "***");
    let unclear = StepVerdict::Unclear(Unclear::NoMessage);
    assert_eq!(verdict(&broken, &[BUILD]), unclear);
    let hidden = lenient("true").replace("continueOnError", "***OnError");
    let lint = "Processing step: DisplayName='Lint'";
    let unclear = StepVerdict::Unclear(Unclear::ContinueOnError);
    assert_eq!(verdict(&hidden, &[lint]), unclear);
}

#[test]
fn a_log_without_a_message_or_a_step_is_unclear() {
    let nothing = StepVerdict::Unclear(Unclear::NoMessage);
    assert_eq!(read("".as_bytes()), nothing);
    let cut = log(PLAIN, &[]);
    assert_eq!(read(&cut.as_bytes()[..300]), nothing);
    let later_page = format!("[2026-01-01 00:00:02Z INFO StepsRunner] {BUILD}\n");
    assert_eq!(read(later_page.as_bytes()), nothing);
    let unclear = StepVerdict::Unclear(Unclear::NoStep);
    assert_eq!(verdict(PLAIN, &[]), unclear);
}

#[test]
fn bytes_that_are_no_text_and_endless_lines_do_no_harm() {
    let mut log = vec![0xff; 100_000];
    log.push(b'\n');
    log.extend(super::tests::log(PLAIN, &[BUILD]).into_bytes());
    assert_eq!(read(&log[..]), StepVerdict::FailsTheJob);
}

/// What this very process has open stands for what a Worker has.
fn verdict_of_this_process() -> StepVerdict {
    let processes = ProcFolder::default();
    let own = processes.entry(std::process::id()).expect("it lives");
    processes.step_verdict(own.process)
}

#[test]
fn only_a_plain_file_that_the_worker_holds_open_is_read_and_not_an_endless_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("Worker_20260101-000000-utc.log");
    std::fs::write(&path, log(PLAIN, &[BUILD])).expect("written");
    let nothing = StepVerdict::Unclear(Unclear::NoMessage);
    assert_eq!(verdict_of_this_process(), nothing, "it is not open");

    let held = File::open(&path).expect("opens");
    // What stands under its name meanwhile is not what the Worker writes.
    let moved = folder.path().join("Worker_20260101-000001-utc.log");
    std::fs::rename(&path, &moved).expect("renamed");
    std::fs::write(&path, "").expect("written");
    assert_eq!(verdict_of_this_process(), StepVerdict::FailsTheJob);

    let grows = OpenOptions::new().write(true).open(&moved).expect("opens");
    grows.set_len(LOG_LIMIT + 1).expect("longer");
    let unclear = StepVerdict::Unclear(Unclear::TooLong);
    assert_eq!(verdict_of_this_process(), unclear);
    drop((held, grows));

    let pipe = folder.path().join("Worker_20260101-000002-utc.log");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).expect("made");
    let both = OpenOptions::new().read(true).write(true).open(&pipe);
    let _held = both.expect("opens");
    assert_eq!(verdict_of_this_process(), nothing, "it does not wait");
}
