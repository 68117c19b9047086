//! What an agent with these settings will do, in a few lines for whoever has just written them.
//!
//! It looks at the hooks' folder and at the users of this machine, and changes nothing.

use std::path::Path;

use crate::hook_folder::{self, Listing};
use crate::runner;
use crate::settings::{EndJob, InterruptionSettings, OnEnd, RunnerSettings, Settings};

/// The lines, and what on this machine does not fit the settings.
pub fn of(settings: &Settings) -> String {
    let told = &settings.interruption;
    let hooks = hook_folder::look(told.hooks_folder.as_deref());
    let mut lines = vec![
        "the settings are fine".to_owned(),
        match &settings.runner {
            None => "it watches only: it brings up no runner, and powers nothing off".to_owned(),
            Some(runner) => brings_up(runner),
        },
        format!(
            "on a notice it tags the instance ({}) and {}",
            settings.tag_keys().interrupted(),
            ends(told)
        ),
        shown_hooks(told.hooks_folder.as_deref(), &hooks),
    ];
    lines.extend(settings.ca_bundle.as_deref().map(believes));
    if let Ok(hooks) = &hooks {
        lines.extend(hooks.skipped.iter().map(|hook| format!("note: {hook}")));
    }
    if let Some(runner) = &settings.runner {
        lines.extend(
            notes(runner)
                .into_iter()
                .map(|note| format!("note: {note}")),
        );
    }
    lines.join("\n")
}

/// Somebody whose file is not the one that counts has set `AWS_CA_BUNDLE` for something else on the machine.
fn believes(ca_bundle: &Path) -> String {
    format!(
        "it believes the authorities in {} that a server is AWS's, and no other ones (ca_bundle, or a variable \
         in its place)",
        ca_bundle.display()
    )
}

fn notes(runner: &RunnerSettings) -> Vec<String> {
    let unknown = runner.unknown_to_units().into_iter();
    let mut notes: Vec<String> = unknown
        .map(|(key, value, made_for)| {
            format!(
                "`{key}` is {value}, and the package's units are made for {made_for}: they need a drop-in \
                 that says so"
            )
        })
        .collect();
    if let Some(user) = runner.user.as_ref().filter(|user| !runner::is_user(user)) {
        notes.push(format!(
            "there is no user {user} on this machine; make the user, or correct `user` under [runner]"
        ));
    }
    notes
}

fn brings_up(runner: &RunnerSettings) -> String {
    let user = match &runner.user {
        Some(user) => user,
        None => "the agent's own user",
    };
    let by = match &runner.command {
        None => "reprise-runner.path",
        Some(command) => command.program(),
    };
    let then = match runner.on_end {
        OnEnd::PowerOff => "powers the instance off when that has served its turn",
        OnEnd::Stay => "leaves the instance running when that has ended",
    };
    format!(
        "it brings up the runner in {} as {user}, by {by}, with the configuration in table {}, and {then}",
        runner.folder.display(),
        runner.table
    )
}

fn ends(told: &InterruptionSettings) -> String {
    let of = match &told.runners_below {
        Some(folder) => format!("of runners in {}", folder.display()),
        None => "of every runner on the machine".to_owned(),
    };
    let way = told.end_job;
    match way {
        EndJob::None => format!("leaves jobs to their fate (end_job = \"{way}\")"),
        EndJob::FailStep | EndJob::StopRunner => format!(
            "ends jobs {of} {} before its end (end_job = \"{way}\")",
            told.finish_until
        ),
    }
}

fn shown_hooks(folder: Option<&Path>, hooks: &Result<Listing, String>) -> String {
    let Some(folder) = folder else {
        return "hooks: none, as hooks_folder is \"\"".to_owned();
    };
    let shown = folder.display();
    match hooks {
        Err(why) => format!("hooks: none, as {why}"),
        Ok(hooks) if !hooks.run.is_empty() => format!("hooks: {} in {shown}", hooks.run.join(", ")),
        Ok(_) if folder.exists() => format!("hooks: none in {shown}"),
        Ok(_) => format!("hooks: none in {shown}, which is not there"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn summary(file: &str) -> String {
        of(&Settings::load(Some(file), &BTreeMap::new()).expect("valid"))
    }

    const RUNNER: &str = "[runner]\ntable = 'runners'\nrole_id = 'AROAEXAMPLEEXAMPLE123'\n";

    #[test]
    fn an_agent_without_a_runner_says_that_it_only_watches_and_how_it_ends_jobs() {
        let said = summary("[interruption]\nhooks_folder = ''\n");
        let expected = "the settings are fine\n\
            it watches only: it brings up no runner, and powers nothing off\n\
            on a notice it tags the instance (runs-on-workflow-job-interrupted) and ends jobs of every runner \
            on the machine 45s before its end (end_job = \"fail-step\")\n\
            hooks: none, as hooks_folder is \"\"";
        assert_eq!(said, expected);
    }

    #[test]
    fn authorities_of_a_variable_that_count_instead_of_the_files_are_named() {
        let variables = BTreeMap::from([("AWS_CA_BUNDLE".to_owned(), "/etc/own.pem".to_owned())]);
        let file = "ca_bundle = '/etc/other.pem'";
        let said = of(&Settings::load(Some(file), &variables).expect("valid"));
        assert!(said.contains("authorities in /etc/own.pem"), "{said}");
        assert!(!said.contains("other.pem"), "{said}");
    }

    #[test]
    fn an_agent_with_a_runner_says_where_as_whom_and_what_becomes_of_the_instance() {
        let said = summary(&format!("{RUNNER}user = 'nobody-of-this-name'"));
        let line = "it brings up the runner in /opt/actions-runner as nobody-of-this-name, by reprise-runner.path, \
            with the configuration in table runners, and powers the instance off";
        assert!(said.contains(line), "{said}");
        assert!(
            said.contains("of runners in /opt/actions-runner 45s"),
            "{said}"
        );
        let note = "note: there is no user nobody-of-this-name on this machine; make the user";
        assert!(said.contains(note), "{said}");
        let other =
            "note: `user` is nobody-of-this-name, and the package's units are made for runner";
        assert!(said.contains(other), "{said}");
        let root = summary(&format!(
            "{RUNNER}user = 'root'\ncommand = 'start'\n[interruption]\nhooks_folder = ''"
        ));
        assert!(!root.contains("note: "), "{root}");
        let stays = "as root, by start, with the configuration in table runners, and leaves the instance running";
        assert!(root.contains(stays), "{root}");
    }

    #[test]
    fn the_hooks_that_will_run_are_named_and_those_that_will_not_with_the_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, mode) in [
            ("10-save", 0o755),
            ("20-forgotten", 0o644),
            ("README", 0o644),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, "#!/bin/sh\n").expect("written");
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode).expect("a mode");
        }
        let said = summary(&format!(
            "[interruption]\nend_job = 'none'\nhooks_folder = {:?}",
            folder.path()
        ));
        assert!(said.contains("hooks: 10-save in /"), "{said}");
        assert!(said.contains("note: 20-forgotten does not run"), "{said}");
        assert!(!said.contains("README"), "{said}");
        assert!(said.contains("leaves jobs to their fate"), "{said}");
        let nowhere = summary("[interruption]\nhooks_folder = '/nowhere/at-all'");
        assert!(
            nowhere.contains("/nowhere/at-all, which is not there"),
            "{nowhere}"
        );
    }
}
