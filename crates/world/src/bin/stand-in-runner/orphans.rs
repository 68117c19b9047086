//! What the job's steps left running is ended when the job is over (`Runner.Worker/JobExtension.cs`,
//! `FinalizeJob`): all that has the job's tracking id in its environment.

use rustix::process::{Pid, Signal, kill_process};

use crate::surroundings::Surroundings;

/// Ends them.
pub(crate) fn end(surroundings: &Surroundings) {
    let Some(id) = surroundings.variables.get("RUNNER_TRACKING_ID") else {
        return;
    };
    let mark = format!("RUNNER_TRACKING_ID={id}");
    for process in processes() {
        if carries(process, mark.as_bytes())
            && let Some(process) = Pid::from_raw(process)
        {
            // One that has just ended needs nothing.
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn carries(process: i32, mark: &[u8]) -> bool {
    let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|one| one == mark)
}
