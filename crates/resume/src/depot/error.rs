//! What can go wrong between a file here and an object there.

use std::io;
use std::path::{Path, PathBuf};

use super::address::StoreAddressError;
use crate::key::Key;

/// Why an artifact was not put, fetched or removed.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// The store's address is wrong.
    #[error(transparent)]
    Address(#[from] StoreAddressError),
    /// The store cannot even be asked.
    #[error("failed to set up the store; see that its region and credentials can be found")]
    SetUp(#[source] object_store::Error),
    /// The file of authorities cannot be used.
    #[error("failed to read the authorities in {path}, which AWS_CA_BUNDLE names")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing is there.
    #[error("{0} is not in the store")]
    Missing(Key),
    /// The store failed, after as many tries as help.
    #[error("the store failed to {what} {key}")]
    Store {
        /// What it was asked to do.
        what: &'static str,
        /// With what.
        key: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
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
    /// Somebody wrote to it meanwhile.
    #[error("{0} changed while it was read; put it again once nothing writes to it")]
    SourceChanged(PathBuf),
    /// The store knows nothing of the upload any more.
    #[error("the store gave up the upload of {0}; put it again")]
    UploadGone(Key),
    /// Somebody put another one meanwhile.
    #[error("{0} was replaced while it was fetched; fetch it again")]
    Replaced(Key),
    /// What came is not what was put.
    #[error(
        "{key} is damaged: its checksum is {found}, and {expected} was put; nothing was written; put it again"
    )]
    Checksum {
        /// Which object.
        key: Key,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Less or more came than was put.
    #[error(
        "{key} is damaged: it has {found} bytes, and {expected} were put; nothing was written; put it again"
    )]
    Size {
        /// Which object.
        key: Key,
        /// What it should be.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// A part of the work ended without a word.
    #[error("a part of the transfer ended early; try again")]
    Ended,
}

impl DepotError {
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }

    /// Of an upload that has begun: what is missing then is the upload.
    pub(super) fn upload(
        what: &'static str,
        key: &Key,
    ) -> impl FnOnce(object_store::Error) -> Self {
        let key = key.clone();
        move |source| {
            if matches!(source, object_store::Error::NotFound { .. }) {
                return Self::UploadGone(key);
            }
            Self::begin(what, &key)(source)
        }
    }

    /// Of something that is yet to be there.
    pub(super) fn begin(what: &'static str, key: &Key) -> impl FnOnce(object_store::Error) -> Self {
        let key = key.to_string();
        move |source| Self::Store { what, key, source }
    }

    pub(super) fn store(what: &'static str, key: &Key) -> impl FnOnce(object_store::Error) -> Self {
        let key = key.clone();
        move |source| {
            if matches!(source, object_store::Error::NotFound { .. }) {
                return Self::Missing(key);
            }
            if matches!(source, object_store::Error::Precondition { .. }) {
                return Self::Replaced(key);
            }
            Self::begin(what, &key)(source)
        }
    }
}
