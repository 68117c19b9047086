//! What can go wrong with a checkpoint.

use std::io;
use std::path::{Path, PathBuf};

use crate::depot::DepotError;
use crate::inventory::InventoryError;
use crate::key::KeyError;

/// Why nothing was declared, saved or brought back.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The event does not say whose code is run.
    #[error(
        "GitHub's event {0:?} does not say whose code is run; checkpoints need GITHUB_EVENT_NAME and GITHUB_EVENT_PATH as GitHub sets them"
    )]
    Event(String),
    /// Another step has declared something else.
    #[error(
        "another step of this job has declared other paths; name all paths in one step, as each would replace the other's"
    )]
    Twice,
    /// A variable that GitHub sets in each job.
    #[error("{0} is not set as GitHub sets it in every job; run this as a step of a job")]
    Variable(&'static str),
    /// What was declared lies elsewhere.
    #[error(
        "{0} is neither below the workspace nor below the home folder, or has a `..` in it; name what the job makes there"
    )]
    Outside(PathBuf),
    /// All of what a user has.
    #[error("{0} is the home folder as a whole; name what is to be saved of it")]
    Home(PathBuf),
    /// Nothing was named.
    #[error("no path is named; name what the job makes, as `target` or `~/.cache/ccache`")]
    NoPath,
    /// The key would not do.
    #[error("the checkpoint of {job:?} can have no key")]
    Key {
        /// The job's name.
        job: String,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// Another user could have written it.
    #[error("{0} is not a file of this user alone; run this as the user whose job it is")]
    NotOurs(PathBuf),
    /// It is not what `restore` writes.
    #[error("{0} is no declaration of this version; it is written by `reprise checkpoint restore`")]
    Unreadable(PathBuf),
    /// A manifest of another job, or of none.
    #[error(
        "{0} is not the manifest of a checkpoint of this job; nothing was brought back from it"
    )]
    Foreign(String),
    /// A segment is not what its manifest says.
    #[error("{0} is damaged: it is not what its manifest says")]
    Damaged(String),
    /// A member that nobody here packed.
    #[error(
        "{segment} has a member {member:?} that could write elsewhere, or was not declared; it was left out, and all that came after it"
    )]
    Hostile {
        /// The segment.
        segment: String,
        /// The member.
        member: PathBuf,
    },
    /// More than may be brought back.
    #[error(
        "attempt {attempt} saved {found} bytes, of which {most} may be brought back; the files that changed last are; raise --max-size, or declare less"
    )]
    TooLarge {
        /// Whose save is cut.
        attempt: u32,
        /// What it has.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// The store does not answer.
    #[error("the store did not say in time what there is")]
    Silent,
    /// It took too long.
    #[error("for {0} there was no time left")]
    Late(String),
    /// A file here.
    #[error("failed to {what} {path}")]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store does not say what there is.
    #[error(transparent)]
    List(#[from] InventoryError),
    /// The store.
    #[error(transparent)]
    Depot(#[from] DepotError),
    /// A part of the work ended without a word.
    #[error("a part of the work ended early; try again")]
    Ended,
}

impl CheckpointError {
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}
