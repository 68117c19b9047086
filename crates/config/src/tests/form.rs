//! Mistakes of form are told together, and another program's file as what it is.

use super::*;

#[test]
fn all_unknown_keys_and_wrong_types_are_told_at_once_each_with_its_line() {
    let text = GOOD
        .replace(
            "app_id = 12345",
            "ap_id = 12345\nredeliver_tries = \"many\"",
        )
        .replace("\"first-fake-secret\"", "7")
        .replace("account =", "acount =")
        .replace(", cpu = 2", ", vcpu = 2")
        .replace(
            "[queues]",
            "[queue]\npollers = 3\n\n[queues]\npollers = \"3\"",
        );
    let text = format!("{text}zebras = 7\n[log]\nformat = \"xml\"\n[policies]\n");
    insta::assert_snapshot!(bad(&text, &[]));
}

#[test]
fn mistakes_of_the_file_and_of_all_variables_are_told_together() {
    let text = GOOD.replace("stack =", "stak =");
    let variables = [
        ("REPRISE__FLEET__SUBNET", "[\"subnet-b\"]"),
        ("REPRISE__GITHUB__APP_ID", "many"),
        ("REPRISE__RETRY__LOOK_WINDOW", "90s"),
        ("REPRISE_GITHUB_APP_ID", "7"),
    ];
    insta::assert_snapshot!(bad(&text, &variables));
}

#[test]
fn what_lacks_since_a_mistake_was_taken_out_is_not_told_beside_it() {
    let error = bad(&GOOD.replace("account =", "acount ="), &[]);
    assert_eq!(error.lines().count(), 1, "{error}");
    let both = GOOD.replace("account = \"123456789012\"", "");
    let error = bad(&both.replace(", cpu = 2", ""), &[]);
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn a_file_without_end_of_mistakes_is_told_in_part() {
    let keys: String = (0..200).fold(String::new(), |mut keys, number| {
        writeln!(keys, "zebra{number} = 1").expect("written");
        keys
    });
    let error = bad(&keys, &[]);
    assert_eq!(error.lines().count(), 51, "{error}");
    assert!(error.ends_with("and more mistakes"), "{error}");
}

#[test]
fn a_key_of_the_file_is_shown_without_its_control_characters() {
    let error = bad(
        "\"a\\u001b[2Jb\" = { c = 1 }\n[log]\n\"d\\u001be\" = 1",
        &[],
    );
    assert!(!error.contains('\u{1b}'), "{error:?}");
}

#[test]
fn the_agents_file_is_told_as_what_it_is() {
    let example = include_str!("../../../agent/examples/agent.toml");
    let error = bad(example, &[]);
    insta::assert_snapshot!(error);
    for text in [
        "[interruption]\nend_job = \"fail-step\"",
        "[runner]\ntable = \"runners\"\nidle_limit = \"5m\"",
        "log_level = \"debug\"",
    ] {
        assert!(bad(text, &[]).contains("agent.toml"), "{text}");
    }
    let own = format!("log_level = \"debug\"\n{GOOD}");
    assert!(
        bad(&own, &[]).contains("unknown key"),
        "a slip, and not another's file"
    );
}

#[test]
fn the_agents_keys_are_those_of_its_example_and_none_of_ours() {
    let example = include_str!("../../../agent/examples/agent.toml");
    for key in crate::form::OF_THE_AGENT {
        let named = [format!("{key} = "), format!("[{key}]")];
        assert!(named.iter().any(|name| example.contains(name)), "{key}");
        assert!(KEYS.iter().all(|(section, _)| *section != key), "{key}");
    }
    let ours = KEYS.iter().find(|(section, _)| *section == "runner");
    let (_, ours) = ours.expect("a section");
    for key in crate::form::OF_ITS_RUNNER {
        assert!(example.contains(&format!("{key} = ")), "{key}");
        assert!(!ours.contains(&key), "{key}");
    }
}
