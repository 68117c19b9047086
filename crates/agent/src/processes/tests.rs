//! Real processes of this machine: small trees, started as ordinary children.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use jiff::SignedDuration;

use super::step::{Fate, Frozen};
use super::*;
use crate::clock::Clock;
use crate::system_clock::SystemClock;

mod verdicts;

/// A tree that says `ready` and the numbers of its processes when it stands.
struct Tree {
    child: Child,
    members: Vec<u32>,
}

impl Tree {
    /// A shell with that script; each line but the last that it prints is a process's number.
    fn start(script: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let output = BufReader::new(child.stdout.take().expect("an output"));
        let lines = output.lines().map(|line| line.expect("text"));
        let members = lines
            .take_while(|line| line != "ready")
            .map(|pid| pid.parse().expect("a number"))
            .collect();
        Self { child, members }
    }

    fn process(&self) -> Process {
        found(self.child.id()).expect("it lives")
    }

    /// The signal that ended the tree's first process.
    fn ended_by(&mut self) -> Option<i32> {
        self.child.wait().expect("a child").signal()
    }

    fn living(&self) -> Vec<u32> {
        let members = self.members.iter().copied();
        members.filter(|pid| found(*pid).is_some()).collect()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn found(pid: u32) -> Option<Process> {
    let entries = ProcFolder::default().snapshot().expect("a list");
    let entry = entries.iter().find(|entry| entry.process.pid == pid);
    entry.map(|entry| entry.process)
}

async fn end(tree: &Tree, grace_ms: i64) -> tree::TreeEnd {
    let grace = SignedDuration::from_millis(grace_ms);
    let clock = SystemClock::start();
    tree::end(&ProcFolder::default(), tree.process(), grace, &clock).await
}

#[tokio::test]
async fn a_step_ends_with_all_that_it_started() {
    let mut tree = Tree::start(
        "sleep 1000 & echo $!; sh -c 'sleep 1000 & echo $!; echo ready; wait' & echo $!; wait",
    );
    // The last line may come after `ready`; two numbers or three are known.
    assert!(tree.members.len() >= 2, "{:?}", tree.members);
    let end = end(&tree, 5000).await;
    assert_eq!(end.left, []);
    assert_eq!(end.failure, None);
    assert_eq!(end.processes, 4);
    assert_eq!(end.killed, 0, "each ended when it was asked to");
    assert_eq!(tree.ended_by(), Some(9));
    assert_eq!(tree.living(), [] as [u32; 0]);
}

#[tokio::test]
async fn a_step_that_would_end_well_when_asked_still_fails() {
    let mut tree =
        Tree::start("trap 'exit 0' TERM; sleep 1000 & echo $!; echo ready; wait; exit 0");
    let end = end(&tree, 5000).await;
    assert_eq!(end.left, []);
    assert_eq!(tree.ended_by(), Some(9));
}

#[tokio::test]
async fn a_script_does_not_go_on_past_its_dead_child() {
    let folder = tempfile::tempdir().expect("a folder");
    let next = folder.path().join("next");
    let script = format!(
        "sh -c 'echo ready; exec sleep 1000' || true; touch {}",
        next.display()
    );
    let mut tree = Tree::start(&script);
    end(&tree, 5000).await;
    assert_eq!(tree.ended_by(), Some(9));
    assert!(!next.exists());
}

#[tokio::test]
async fn what_does_not_listen_is_killed_after_its_grace() {
    let mut tree = Tree::start(
        "sh -c 'trap \"\" TERM; echo $$; echo ready; while :; do sleep 1; done' & wait",
    );
    let end = end(&tree, 100).await;
    assert_eq!(end.left, []);
    assert!(end.killed >= 1);
    assert_eq!(tree.ended_by(), Some(9));
    assert_eq!(tree.living(), [] as [u32; 0]);
}

#[tokio::test]
async fn a_tree_that_has_ended_already_is_no_trouble() {
    let mut tree = Tree::start("echo ready; read forever");
    let process = tree.process();
    tree.child.kill().expect("killed");
    tree.child.wait().expect("a child");
    let clock = SystemClock::start();
    let grace = SignedDuration::from_secs(5);
    let end = tree::end(&ProcFolder::default(), process, grace, &clock).await;
    assert_eq!((end.left, end.failure), (vec![], None));
}

#[test]
fn a_number_that_another_process_has_now_is_not_signalled() {
    let mut tree = Tree::start("echo ready; exec sleep 1000");
    let earlier = Process {
        started: tree.process().started - 1,
        ..tree.process()
    };
    assert!(Handle::open(&ProcFolder::default(), earlier).is_none());
    assert!(tree.child.try_wait().expect("a child").is_none());
}

/// A copy of `sleep` under a runner's name, as a Listener that has `sh` start its Worker.
fn program(folder: &std::path::Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::copy("/bin/sh", &path).expect("copied");
    path
}

#[test]
fn a_listener_is_found_with_its_worker_and_without() {
    let folder = tempfile::tempdir().expect("a folder");
    let (listener, worker) = (
        program(folder.path(), LISTENER),
        program(folder.path(), WORKER),
    );
    let mut idle = Command::new(&listener);
    idle.args(["-c", "echo ready; read forever; :"]);
    let idle = Tree::of(idle);
    let mut busy = Command::new(&listener);
    let script = format!(
        "{} -c 'sh -c \"echo ready; sleep 1000; :\"; :' & wait",
        worker.display()
    );
    busy.args(["-c", &script]);
    let busy = Tree::of(busy);

    let processes = ProcFolder::default();
    let runners = processes.runners().expect("a list");
    let of = |tree: &Tree| {
        let found = runners.iter().find(|r| r.listener == Some(tree.process()));
        *found.expect("a runner")
    };
    assert_eq!(of(&idle).worker, None);
    let worker = of(&busy).worker.expect("a worker");
    assert_eq!(processes.program(worker).as_deref(), Some(WORKER));
    let own = processes
        .runners_below(Some(folder.path()))
        .expect("a list");
    assert_eq!(own.len(), 2);
    let other = tempfile::tempdir().expect("a folder");
    let none = processes.runners_below(Some(other.path()));
    assert_eq!(none.expect("a list"), []);
    let steps = processes.children(worker).expect("a list");
    assert_eq!(steps.len(), 1);
    let end = ended(&processes, worker);
    assert_eq!(end.left, []);
}

/// Ends the Worker's tree, so that the test leaves nothing behind.
fn ended(processes: &ProcFolder, worker: Process) -> tree::TreeEnd {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let clock = SystemClock::start();
    runtime.block_on(tree::end(processes, worker, SignedDuration::ZERO, &clock))
}

#[test]
fn the_job_is_known_by_its_steps_environment() {
    let mut command = Command::new("sh");
    command
        .args(["-c", "echo ready; read forever; :"])
        .env("GITHUB_REPOSITORY", "acme/app")
        .env("GITHUB_RUN_ID", "42")
        .env("GITHUB_TOKEN", "obviously-secret");
    let tree = Tree::of(command);
    let facts = ProcFolder::default().job_facts(tree.process());
    assert_eq!(facts.repository.as_deref(), Some("acme/app"));
    assert_eq!(facts.run_id.as_deref(), Some("42"));
    assert_eq!(facts.job, None);
}

#[test]
fn a_worker_of_another_user_than_its_listener_belongs_to_nobody() {
    let owned = |pid, parent, owner| Owned {
        entry: Entry {
            process: Process { pid, started: 1 },
            parent,
            lives: true,
            stopped: false,
        },
        owner: Some(owner),
    };
    let runners = pair(&[owned(2, 1, 1000)], &[owned(3, 2, 1001)]);
    let workers: Vec<_> = runners
        .iter()
        .map(|r| (r.listener.is_some(), r.worker.is_some()))
        .collect();
    assert_eq!(workers, [(true, false), (false, true)]);
}

#[test]
fn no_step_stays_frozen_when_the_agent_ends_meanwhile() {
    let processes = ProcFolder::default();
    for fate in [Fate::GoesOn, Fate::Ends] {
        let mut tree = Tree::start("echo ready; read forever; :");
        let step = Handle::open(&processes, tree.process()).expect("it lives");
        let stopped = step.signal(&processes, Signal::STOP);
        assert_eq!(stopped, Ok(true));
        wait_for_state(tree.process(), "T");
        drop(Frozen {
            processes: &processes,
            step,
            fate,
        });
        match fate {
            Fate::GoesOn => wait_for_state(tree.process(), "S"),
            Fate::Ends => assert_eq!(tree.ended_by(), Some(9)),
        }
    }
}

#[test]
fn a_step_that_an_agent_left_frozen_is_known_and_can_be_made_to_go_on() {
    let processes = ProcFolder::default();
    let worker = Tree::start("sh -c 'echo $$; echo ready; exec sleep 1000' & wait");
    let step = found(worker.members[0]).expect("it lives");
    assert!(!processes.has_frozen_step(worker.process()));
    let handle = Handle::open(&processes, step).expect("it lives");
    assert_eq!(handle.signal(&processes, Signal::STOP), Ok(true));
    wait_for_state(step, "T");
    assert!(processes.has_frozen_step(worker.process()));
    assert_eq!(processes.thaw_step(worker.process()), Ok(()));
    wait_for_state(step, "S");
    assert!(!processes.has_frozen_step(worker.process()));
    assert_eq!(handle.signal(&processes, Signal::KILL), Ok(true));
}

/// Waits until a process is stopped (`T`), or sleeps (`S`).
fn wait_for_state(process: Process, state: &str) {
    let is = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid));
        let stat = stat.expect("it lives");
        let (_, rest) = stat.rsplit_once(") ").expect("a line of the kernel's");
        rest.starts_with(state)
    };
    let clock = SystemClock::start();
    let begun = clock.now();
    while !is() {
        let waited = clock.now().duration_since(begun);
        assert!(waited.as_secs() < 30, "never in state {state}");
        std::thread::yield_now();
    }
}
