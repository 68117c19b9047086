//! What can go wrong between a file here and an object there.

use std::io;
use std::path::{Path, PathBuf};

use super::address::StoreAddressError;
use super::profile::ProfileError;
use super::trouble::{is_about_bucket, told};
use crate::key::Key;

/// Why an artifact was not put, fetched or removed.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// The store's address is wrong.
    #[error(transparent)]
    Address(#[from] StoreAddressError),
    /// The store cannot even be asked.
    #[error("failed to set up the store: {0}; see that its region and credentials can be found")]
    SetUp(Box<object_store::Error>),
    /// It is not known who we are.
    #[error(transparent)]
    Profile(#[from] ProfileError),
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
    #[error("the store failed to {what} {key}: {}", told(error))]
    Store {
        /// What it was asked to do.
        what: &'static str,
        /// With what.
        key: String,
        /// Why. It is told above: each error of its chain tells all those below it once more.
        error: Box<object_store::Error>,
    },
    /// `AWS_ENDPOINT_URL`, or what a profile has in its place, is no address.
    #[error(
        "{0:?}, by AWS_ENDPOINT_URL or the profile's endpoint_url, is no address of a server; write https://HOST, or http://HOST with AWS_ALLOW_HTTP=true"
    )]
    Endpoint(String),
    /// A local folder that is not there.
    #[error("there is no folder {path} to be the store; make it, or name another one")]
    NoFolder {
        /// The folder.
        path: PathBuf,
        /// Why it is not found.
        #[source]
        source: io::Error,
    },
    /// A file cannot take a folder's place.
    #[error(
        "{0} is a folder; name the file that is to be in it, or unpack an archive with --unpack"
    )]
    IsFolder(PathBuf),
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
    /// Somebody has put something else there.
    #[error("{key} has {found} bytes, where it should have {most} at most; it was not fetched")]
    Huge {
        /// Which object.
        key: Key,
        /// The most that it may be.
        most: u64,
        /// What it is.
        found: u64,
    },
    /// The archive's last bytes are none of ours.
    #[error(
        "{0} is damaged: the checksum that it ended with is missing; nothing was written; put it again"
    )]
    Unsealed(Key),
    /// A link that would lead elsewhere once it is unpacked.
    #[error(
        "{0} is a link that leads out of the folder, which no archive may have; remove it, or copy what it leads to"
    )]
    LeadsOut(PathBuf),
    /// A socket, a pipe or a device.
    #[error("{0} is no file, no folder and no link; remove it before the folder is packed")]
    NoFile(PathBuf),
    /// An archive's member that nobody here packed.
    #[error(
        "the archive has a member {0:?} that could write elsewhere or is no file; nothing was written"
    )]
    Hostile(PathBuf),
    /// Files of both would be mixed.
    #[error("{0} is there and not empty; name a folder that is not there yet")]
    NotEmpty(PathBuf),
    /// More parts than stores take.
    #[error(
        "{0} would have more than 50 GB packed, the most that can be sent while it is packed; pack it into a file and put that"
    )]
    TooLarge(Key),
    /// A part of the work ended without a word.
    #[error("a part of the transfer ended early; try again")]
    Ended,
}

impl DepotError {
    pub(super) fn unless_within(key: &Key, found: u64, most: u64) -> Result<(), Self> {
        if found <= most {
            return Ok(());
        }
        Err(Self::Huge {
            key: key.clone(),
            most,
            found,
        })
    }

    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }

    pub(super) fn set_up(error: object_store::Error) -> Self {
        Self::SetUp(Box::new(error))
    }

    /// Of an upload that has begun: what is missing then is the upload.
    pub(super) fn upload(
        what: &'static str,
        key: &Key,
    ) -> impl FnOnce(object_store::Error) -> Self {
        let key = key.clone();
        move |source| {
            if matches!(source, object_store::Error::NotFound { .. }) && !is_about_bucket(&source) {
                return Self::UploadGone(key);
            }
            Self::begin(what, &key)(source)
        }
    }

    /// Of something that is yet to be there.
    pub(super) fn begin(what: &'static str, key: &Key) -> impl FnOnce(object_store::Error) -> Self {
        let key = key.to_string();
        move |source| Self::Store {
            what,
            key,
            error: Box::new(source),
        }
    }

    pub(super) fn store(what: &'static str, key: &Key) -> impl FnOnce(object_store::Error) -> Self {
        let key = key.clone();
        move |source| {
            if matches!(source, object_store::Error::NotFound { .. }) && !is_about_bucket(&source) {
                return Self::Missing(key);
            }
            if matches!(source, object_store::Error::Precondition { .. }) {
                return Self::Replaced(key);
            }
            Self::begin(what, &key)(source)
        }
    }
}
