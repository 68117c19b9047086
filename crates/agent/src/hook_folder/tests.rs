//! Real scripts in a real folder.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::listing::NotRun;
use super::*;
use crate::agent::tests::cloud::logged;
use crate::processes::ProcFolder;
use crate::processes::job::JobFacts;
use crate::settings::LogLevel;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn hook(&self, name: &str, script: &str, mode: u32) {
        self.write(name, &format!("#!/bin/sh\n{script}\n"), mode);
    }

    fn text(&self, name: &str, text: &str) {
        self.write(name, text, 0o755);
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, mode).expect("a mode");
    }

    fn look(&self) -> Listing {
        look(Some(self.0.path())).expect("a list")
    }

    async fn run(&self, name: &str) -> Result<(), String> {
        run(self.0.path(), name, &words()).await
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.0.path().join(name)).ok()
    }
}

fn words() -> HookWords {
    HookWords {
        job: JobFacts {
            repository: Some("acme/app".to_owned()),
            run_id: Some("42".to_owned()),
            run_attempt: Some("1".to_owned()),
            job: Some("build".to_owned()),
            workspace: None,
        },
        action: "terminate".to_owned(),
        instance_id: Some("i-0123456789abcdef0".to_owned()),
        seconds_left: 117,
        hook_seconds: 30,
    }
}

#[test]
fn hooks_run_in_the_order_of_their_names() {
    let folder = Folder::new();
    for name in ["20-b", "10-a.sh", "9-c"] {
        folder.hook(name, ":", 0o755);
    }
    folder.text("30-spaced", "#! /bin/sh -e\n:\n");
    folder.text("40-program", "\u{7f}ELF");
    let all = ["10-a.sh", "20-b", "30-spaced", "40-program", "9-c"];
    assert_eq!(folder.look().run, all);
}

#[test]
fn what_does_not_run_is_known_with_its_reason() {
    let folder = Folder::new();
    folder.hook("10-own", ":", 0o755);
    folder.hook("20-group", ":", 0o775);
    folder.hook("30-everybody", ":", 0o757);
    folder.hook("40-forgotten", ":", 0o644);
    folder.hook("50-leftover~", ":", 0o755);
    folder.hook("60-new.dpkg-dist", ":", 0o755);
    folder.hook("65-old.rpmsave", ":", 0o755);
    folder.hook("70 odd", ":", 0o755);
    folder.hook(".75-hidden", ":", 0o755);
    folder.text("76-bare", "systemctl stop x\n");
    folder.text("77-absent", "#! /nowhere/at-all -e\n:\n");
    folder.text("78-windows", "#!/bin/sh\r\n:\r\n");
    folder.text("79-empty", "");
    std::fs::create_dir(folder.0.path().join("80-folder")).expect("made");
    std::os::unix::fs::symlink("/nowhere/at-all", folder.0.path().join("90-link")).expect("made");
    let listing = folder.look();
    assert_eq!(listing.run, ["10-own"]);
    let skipped = listing.skipped.iter();
    let skipped: Vec<_> = skipped.map(|one| (one.name.as_str(), one.why)).collect();
    let expected = [
        (".75-hidden", NotRun::Name),
        ("20-group", NotRun::OthersWrite),
        ("30-everybody", NotRun::OthersWrite),
        ("40-forgotten", NotRun::NotExecutable),
        ("50-leftover~", NotRun::Leftover),
        ("60-new.dpkg-dist", NotRun::Leftover),
        ("65-old.rpmsave", NotRun::Leftover),
        ("70 odd", NotRun::Name),
        ("76-bare", NotRun::NoInterpreter),
        ("77-absent", NotRun::NoInterpreter),
        ("78-windows", NotRun::NoInterpreter),
        ("79-empty", NotRun::NoInterpreter),
        ("80-folder", NotRun::NoFile),
        ("90-link", NotRun::Unseen),
    ];
    assert_eq!(skipped, expected);
}

#[tokio::test]
async fn a_readme_and_what_nobody_means_to_run_are_passed_over_in_silence() {
    let folder = Folder::new();
    folder.hook("README", ":", 0o644);
    folder.hook("readme.txt", ":", 0o755);
    for name in [
        "notes.md",
        ".placeholder",
        "10-a~",
        "10-a.rpmsave",
        "10-a.dpkg-old",
    ] {
        folder.hook(name, ":", 0o644);
    }
    let hooks = HookFolder::new(Some(folder.0.path().to_owned()));
    let ((), log) = logged(LogLevel::Trace, async { hooks.announce() }).await;
    assert_eq!(log, "");
    assert_eq!(folder.look(), Listing::default());
}

#[tokio::test]
async fn what_does_not_run_is_said_at_the_start_and_not_again_at_a_notice() {
    let folder = Folder::new();
    folder.hook("10-own", ":", 0o755);
    folder.hook("40-forgotten", ":", 0o644);
    let hooks = HookFolder::new(Some(folder.0.path().to_owned()));
    let ((), log) = logged(LogLevel::Info, async { hooks.announce() }).await;
    assert!(log.contains("40-forgotten"), "{log}");
    assert!(log.contains("chmod +x"), "{log}");
    assert!(log.contains("hook.names=\"10-own\""), "{log}");
    // What is new since then is.
    folder.hook("50-later", ":", 0o777);
    let notice = async { crate::host::Hooks::hooks(&hooks) };
    let (names, log) = logged(LogLevel::Info, notice).await;
    assert_eq!(names, Ok(vec!["10-own".to_owned()]));
    assert!(!log.contains("40-forgotten"), "{log}");
    assert!(log.contains("50-later"), "{log}");
}

#[test]
fn in_a_folder_that_others_can_write_to_nothing_runs() {
    let folder = Folder::new();
    folder.hook("10-own", ":", 0o755);
    let mode = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.0.path(), mode).expect("a mode");
    let error = look(Some(folder.0.path())).expect_err("refused");
    assert!(
        error.contains("others than its owner can write it"),
        "{error}"
    );
}

#[test]
fn without_a_folder_there_are_no_hooks() {
    assert_eq!(look(None), Ok(Listing::default()));
    let nowhere = Path::new("/nowhere/at-all");
    assert_eq!(look(Some(nowhere)), Ok(Listing::default()));
}

#[tokio::test]
async fn a_hook_is_told_of_its_job_and_of_nothing_else() {
    let folder = Folder::new();
    let seen = folder.0.path().join("seen");
    folder.hook(
        "10-env",
        &format!("env > {}; pwd >> {0}", seen.display()),
        0o755,
    );
    folder.run("10-env").await.expect("ended well");
    let text = folder.read("seen").expect("it ran");
    let mut names: Vec<&str> = text
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        // The shell's own.
        .filter(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(name))
        .collect();
    names.sort_unstable();
    let expected = [
        "PATH",
        "REPRISE_ACTION",
        "REPRISE_HOOK_SECONDS",
        "REPRISE_INSTANCE_ID",
        "REPRISE_JOB",
        "REPRISE_REPOSITORY",
        "REPRISE_RUN_ATTEMPT",
        "REPRISE_RUN_ID",
        "REPRISE_SECONDS_LEFT",
    ];
    assert_eq!(names, expected);
    assert!(text.contains("REPRISE_SECONDS_LEFT=117"), "{text}");
    assert!(text.ends_with("\n/\n"), "{text}");
}

#[tokio::test]
async fn what_a_hook_prints_is_logged_by_line_and_within_bounds() {
    let folder = Folder::new();
    let script = "echo saved; echo oops >&2; printf '\\033[31mred\\n'; i=0; \
        while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; \
        head -c 9000 /dev/zero | tr '\\0' x";
    folder.hook("10-chatty", script, 0o755);
    let (end, log) = logged(LogLevel::Info, folder.run("10-chatty")).await;
    end.expect("ended well");
    assert!(
        log.contains("saved hook.name=\"10-chatty\" hook.stream=\"out\""),
        "{log}"
    );
    assert!(
        log.contains("oops hook.name=\"10-chatty\" hook.stream=\"err\""),
        "{log}"
    );
    assert!(!log.contains('\u{1b}'), "{log}");
    assert!(log.contains("line 150 "), "{log}");
    assert!(!log.contains("line 250 "), "{log}");
    assert_eq!(log.matches("the rest is left out").count(), 1);
}

#[tokio::test]
async fn a_hook_that_fails_or_cannot_start_says_so() {
    let folder = Folder::new();
    folder.hook("10-fails", "exit 3", 0o755);
    let failure = folder.run("10-fails").await.expect_err("a failure");
    assert!(failure.contains("exit status: 3"), "{failure}");
    let failure = folder.run("20-absent").await.expect_err("a failure");
    assert!(failure.contains("cannot be started"), "{failure}");
}

#[tokio::test]
async fn a_hook_that_is_given_up_is_killed_with_all_that_it_started() {
    let folder = Folder::new();
    let (pids, ready) = (folder.0.path().join("pids"), folder.0.path().join("ready"));
    let script = format!(
        "trap '' TERM; sleep 1000 & echo $! > {pids}; echo $$ >> {pids}; mkdir {ready}; wait",
        pids = pids.display(),
        ready = ready.display()
    );
    folder.hook("10-hangs", &script, 0o755);
    {
        let hook = folder.run("10-hangs");
        tokio::pin!(hook);
        while !ready.exists() {
            let moment = Duration::from_millis(5);
            assert!(tokio::time::timeout(moment, hook.as_mut()).await.is_err());
        }
    }
    let pids: Vec<u32> = folder
        .read("pids")
        .expect("it ran")
        .lines()
        .map(|pid| pid.parse().expect("a number"))
        .collect();
    assert_eq!(pids.len(), 2);
    let lives = || {
        let all = ProcFolder::default().snapshot().expect("a list");
        all.iter().any(|entry| pids.contains(&entry.process.pid))
    };
    while lives() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_hook_leaves_running_is_not_waited_for() {
    let folder = Folder::new();
    let pid = folder.0.path().join("pid");
    folder.hook(
        "10-leaves",
        &format!("sleep 1000 & echo $! > {}", pid.display()),
        0o755,
    );
    let run = tokio::time::timeout(Duration::from_secs(60), folder.run("10-leaves"));
    assert_eq!(run.await, Ok(Ok(())));
    let pid: i32 = folder
        .read("pid")
        .expect("it ran")
        .trim()
        .parse()
        .expect("a number");
    let pid = Pid::from_raw(pid).expect("a number");
    rustix::process::kill_process(pid, Signal::KILL).expect("it still ran");
}
