//! A hold on a process, by which it can be signalled without a mistake.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use super::{ProcFolder, Process};

/// Signals one process, also if its number was given to another meanwhile.
#[derive(Debug)]
pub struct Handle {
    process: Process,
    fd: Option<OwnedFd>,
}

/// Why a signal did not arrive, though the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the process {pid} cannot be signalled ({errno}); the agent needs CAP_KILL, or to run as the \
     runner's user"
)]
pub struct SignalFailure {
    /// Which process.
    pub pid: u32,
    /// The system's reason.
    pub errno: Errno,
}

impl Handle {
    /// A hold on a process; `None` when it has ended.
    pub fn open(processes: &ProcFolder, process: Process) -> Option<Self> {
        let pid = pid(process)?;
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Some(fd),
            Err(Errno::SRCH) => return None,
            // Before Linux 5.3, or in a sandbox; the moment between look and signal is all the risk.
            Err(_) => None,
        };
        // The number may have changed hands before it was held.
        processes.lives(process).then_some(Self { process, fd })
    }

    /// Sends a signal; `false` when the process has ended already.
    pub fn signal(&self, processes: &ProcFolder, signal: Signal) -> Result<bool, SignalFailure> {
        let sent = match (&self.fd, pid(self.process)) {
            (Some(fd), _) => pidfd_send_signal(fd, signal),
            (None, Some(pid)) if processes.lives(self.process) => kill_process(pid, signal),
            (None, _) => Err(Errno::SRCH),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(errno) => Err(SignalFailure {
                pid: self.process.pid,
                errno,
            }),
        }
    }
}

fn pid(process: Process) -> Option<Pid> {
    Pid::from_raw(i32::try_from(process.pid).ok()?)
}
