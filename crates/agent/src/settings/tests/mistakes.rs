//! What is refused, and that all of it is told at once.

use super::*;

const RUNNER: &str = "[runner]\ntable = \"runners\"\nrole_id = \"AROAEXAMPLEEXAMPLE123\"\n";

#[test]
fn a_path_that_does_not_begin_at_the_root_is_refused_with_its_key_its_value_and_what_would_be_right()
 {
    for (file, says) in [
        (
            format!("{RUNNER}folder = \"runner\""),
            "`folder` under [runner] is \"runner\", which is no path from the root on; write it as /opt/actions-runner",
        ),
        (
            format!("{RUNNER}folder = \"\""),
            "`folder` under [runner] is \"\"",
        ),
        (
            format!("{RUNNER}config_file = \"./config\""),
            "`config_file` under [runner] is \"./config\"",
        ),
        (
            format!("{RUNNER}config_file = \"\""),
            "write it as /run/reprise/runner.jitconfig",
        ),
        (
            "[interruption]\nrecord_file = \"record.json\"".to_owned(),
            "`record_file` under [interruption] is \"record.json\"",
        ),
        (
            "[interruption]\nhooks_folder = \"interrupt.d\"".to_owned(),
            "write it as /etc/reprise/interrupt.d, or \"\" for none",
        ),
        (
            "[interruption]\nrunners_below = \"~/runner\"".to_owned(),
            "`runners_below` under [interruption] is \"~/runner\"",
        ),
        (
            "ca_bundle = \"bundle.pem\"".to_owned(),
            "`ca_bundle` is \"bundle.pem\"",
        ),
    ] {
        let error = error(&file, &[]);
        assert!(error.contains(says), "{file}: {error}");
    }
}

#[test]
fn a_path_in_a_variable_of_ours_is_held_to_the_same_and_one_in_awss_is_not() {
    for variable in [
        "REPRISE_AGENT_CA_BUNDLE",
        "REPRISE_AGENT_RECORD_FILE",
        "REPRISE_AGENT_HOOKS_FOLDER",
        "REPRISE_AGENT_RUNNERS_BELOW",
        "REPRISE_AGENT_RUNNER_FOLDER",
        "REPRISE_AGENT_RUNNER_CONFIG_FILE",
    ] {
        let error = error(RUNNER, &[(variable, "somewhere")]);
        let says = format!("the variable {variable} is \"somewhere\", which is no path");
        assert!(error.contains(&says), "{error}");
    }
    let others = environment(&[("AWS_CA_BUNDLE", "somewhere")]);
    let settings = Settings::load(None, &others).expect("valid");
    assert_eq!(settings.ca_bundle, Some("somewhere".into()));
}

#[test]
fn empty_paths_that_stand_for_none_are_taken_as_that() {
    let file = "[interruption]\nrecord_file = \"\"\nhooks_folder = \"\"\nrunners_below = \"\"";
    let settings = Settings::load(Some(file), &environment(&[])).expect("valid");
    let told = settings.interruption;
    let paths = [told.record_file, told.hooks_folder, told.runners_below];
    assert_eq!(paths, [None, None, None]);
}

#[test]
fn a_user_or_a_table_without_a_name_is_refused() {
    let user = error(&format!("{RUNNER}user = \"\""), &[]);
    assert!(user.contains("`user` under [runner] is \"\""), "{user}");
    assert!(user.contains("write it as runner"), "{user}");
    let blank = RUNNER.replace("\"runners\"", "\" \"");
    let table = error(&blank, &[]);
    assert!(table.contains("`table` under [runner]"), "{table}");
}

#[test]
fn a_runner_section_with_nothing_in_it_is_refused_and_not_taken_for_none() {
    let error = error("[runner]\n", &[]);
    assert!(error.contains("no table"), "{error}");
    assert!(error.contains("no role_id"), "{error}");
    assert!(error.contains("leave [runner] out"), "{error}");
}

#[test]
fn all_that_is_wrong_is_told_at_once_a_line_each() {
    let file = "metadata_endpoint = \"https://x\"\n[runner]\nfolder = \"a\"\nconfig_file = \"b\"\nuser = \"\"\n\
        [interruption]\nrecord_file = \"c\"\nhooks_folder = \"d\"\nrunners_below = \"e\"\nfinish_until = \"1s\"";
    let variables = [
        ("REPRISE_AGENT_POLL", "1s"),
        ("REPRISE_AGENT_LOG_LEVEL", "loud"),
    ];
    let error = error(file, &variables);
    for says in [
        "speaks no TLS",
        "`folder`",
        "`config_file`",
        "`user`",
        "no table",
        "no role_id",
        "`record_file`",
        "`hooks_folder`",
        "`runners_below`",
        "stop_runner_at",
        "REPRISE_AGENT_POLL is unknown",
        "REPRISE_AGENT_LOG_LEVEL is not usable",
    ] {
        let lines = error.lines().filter(|line| line.contains(says));
        assert_eq!(lines.count(), 1, "{says} in {error}");
    }
}
