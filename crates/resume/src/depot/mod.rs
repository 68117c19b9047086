//! Artifacts in object storage: put, fetched, looked for, listed and removed.
//!
//! Invariant: under a key there is a whole object or none, and nothing is left at a file's place but what was checked.

mod address;
mod archive;
mod blocks;
pub(crate) mod checksum;
mod cloud;
mod download;
mod error;
mod folder;
mod journal;
mod landing;
mod packed;
mod parts;
mod pipe;
mod profile;
mod seal;
mod source;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_folders;
#[cfg(test)]
mod tests_of_leftovers;
mod trouble;
mod unpack;
mod upload;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;

pub use self::address::{Cloud, StoreAddress, StoreAddressError, split};
pub(crate) use self::archive::stays_within;
use self::cloud::Bucket;
pub use self::error::DepotError;
use self::landing::Landing;
pub(crate) use self::landing::UNFINISHED;
pub use self::profile::ProfileError;
use self::source::Source;
use self::unpack::Unpacked;
pub(crate) use self::unpack::WINDOW_LOG;
use crate::inventory::{Inventory, InventoryError};
use crate::key::{Key, Prefix};

/// Somebody who is told how far a transfer is.
pub trait Progress: Sync {
    /// It begins, or begins again, and has so many bytes; 0 where nobody knows.
    fn begins(&self, bytes: u64);
    /// So many more are done.
    fn moved(&self, bytes: u64);
}

/// What was transferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The object's size.
    pub bytes: u64,
    /// Its checksum; none where it was put by other means, and only its size could be checked.
    pub checksum: Option<String>,
    /// How much of it an earlier process had sent.
    pub reused: u64,
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// Its name.
    pub key: Key,
    /// When it was put.
    pub at: SystemTime,
    /// Its size.
    bytes: u64,
}

/// How many objects are looked at side by side.
const ASKED_AT_ONCE: usize = 32;

/// A store that artifacts lie in.
#[derive(Debug, Clone)]
pub struct Depot(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Folder(PathBuf),
    Bucket(Bucket),
}

impl Depot {
    /// Opens the store at an address. Nothing is asked of it yet.
    ///
    /// # Errors
    /// Where the address is wrong, or the environment has not what the store needs.
    pub fn open(address: &str) -> Result<Self, DepotError> {
        Self::open_in(address, None)
    }

    /// The same with the region of a bucket of S3, for whoever has not the variables of the job.
    ///
    /// # Errors
    /// As above.
    pub fn open_in(address: &str, region: Option<&str>) -> Result<Self, DepotError> {
        Ok(Self(match StoreAddress::parse(address)? {
            StoreAddress::Folder(path) => Kind::Folder(path.into()),
            StoreAddress::Cloud {
                cloud,
                bucket,
                prefix,
            } => Kind::Bucket(Bucket::open(cloud, &bucket, prefix, region)?),
        }))
    }

    /// Puts a file; `journals` is where uploads are remembered that did not come to their end.
    ///
    /// # Errors
    /// Where it is not there afterwards; what was there before then still is.
    pub async fn put(
        &self,
        key: &Key,
        file: &Path,
        journals: &Path,
        progress: &dyn Progress,
    ) -> Result<Moved, DepotError> {
        match &self.0 {
            Kind::Folder(root) => folder::put(root, key, file, progress),
            Kind::Bucket(bucket) => {
                let source = Source::open(file)?;
                upload::put(bucket, key, &source, journals, progress).await
            }
        }
    }

    /// Fetches an object to a place.
    ///
    /// # Errors
    /// Where it is not there, or not as it was put; the place is then as it was.
    pub async fn get(
        &self,
        key: &Key,
        place: &Path,
        progress: &dyn Progress,
    ) -> Result<Moved, DepotError> {
        self.get_at_most(key, u64::MAX, place, progress).await
    }

    /// The same for an object that has at most so many bytes; of a larger one nothing is fetched.
    ///
    /// # Errors
    /// As above, and where it is larger.
    pub(crate) async fn get_at_most(
        &self,
        key: &Key,
        most: u64,
        place: &Path,
        progress: &dyn Progress,
    ) -> Result<Moved, DepotError> {
        if place.is_dir() {
            return Err(DepotError::IsFolder(place.to_owned()));
        }
        let landing = Landing::beside(place)?;
        let (landing, moved) = self.fetch(key, most, landing, progress).await?;
        landing.place(moved.checksum.as_deref())?;
        Ok(moved)
    }

    /// Puts a folder as a `.tar.zst`, which is sent while it is packed.
    ///
    /// # Errors
    /// Where it is not there afterwards, also because the folder has what no archive may have.
    pub async fn put_folder(
        &self,
        key: &Key,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<Moved, DepotError> {
        match &self.0 {
            Kind::Folder(root) => folder::put_packed(root, key, folder, progress),
            Kind::Bucket(bucket) => packed::put(bucket, key, folder, progress).await,
        }
    }

    /// Fetches a `.tar.zst` and unpacks it to a place where there is nothing yet, or an empty folder.
    ///
    /// # Errors
    /// Where it is not there, or not as it was put, or could write elsewhere; the place is then as it was.
    pub async fn get_folder(
        &self,
        key: &Key,
        place: &Path,
        progress: &dyn Progress,
    ) -> Result<Moved, DepotError> {
        let unpacked = Unpacked::beside(place)?;
        let (sender, receiver) = pipe::pipe();
        let filling = tokio::task::spawn_blocking(move || unpacked.fill(receiver));
        let fetched = self
            .fetch(key, u64::MAX, pipe::Tolerant(sender), progress)
            .await;
        let fetched = fetched.map(|(writer, moved)| {
            // Now the other end knows that nothing more will come.
            drop(writer);
            moved
        });
        let filled = filling.await.map_err(|_| DepotError::Ended)?;
        // A damaged archive is told as what it is, not as what it did to the unpacking.
        let moved = fetched?;
        filled?.place()?;
        Ok(moved)
    }

    async fn fetch<W: Write + Send + 'static>(
        &self,
        key: &Key,
        most: u64,
        into: W,
        progress: &dyn Progress,
    ) -> Result<(W, Moved), DepotError> {
        match &self.0 {
            Kind::Folder(root) => folder::fetch(root, key, most, into, progress),
            Kind::Bucket(bucket) => download::fetch(bucket, key, most, into, progress).await,
        }
    }

    /// Whether an object is there.
    ///
    /// # Errors
    /// Where the store does not say.
    pub async fn exists(&self, key: &Key) -> Result<bool, DepotError> {
        match &self.0 {
            Kind::Folder(root) => folder::exists(root, key),
            Kind::Bucket(bucket) => {
                let found = bucket.look(key).await;
                match found.map_err(DepotError::store("look for", key)) {
                    Ok(_) => Ok(true),
                    Err(DepotError::Missing(_)) => Ok(false),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// All that lies below a prefix and is older than a moment, by key.
    ///
    /// # Errors
    /// Where a part of the answer is missing.
    pub async fn older(
        &self,
        prefix: &Prefix,
        than: SystemTime,
    ) -> Result<Vec<Stored>, DepotError> {
        let mut all = self.all(prefix).await?;
        all.retain(|stored| stored.at < than);
        all.sort();
        Ok(all)
    }

    /// Removes objects; one that is gone already is none the worse.
    ///
    /// # Errors
    /// Where one may still be there.
    pub async fn remove(&self, keys: &[Key]) -> Result<(), DepotError> {
        match &self.0 {
            Kind::Folder(root) => keys.iter().try_for_each(|key| folder::remove(root, key)),
            Kind::Bucket(bucket) => {
                let paths: Vec<_> = keys.iter().map(|key| Ok(bucket.path(key))).collect();
                let mut removed = bucket.objects.delete_stream(stream::iter(paths).boxed());
                while let Some(one) = removed.next().await {
                    match one {
                        Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                        Err(source) => {
                            return Err(DepotError::Store {
                                what: "remove",
                                key: format!("all of {} objects", keys.len()),
                                error: Box::new(source),
                            });
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// Removes the unfinished files that killed puts left below a prefix of a local folder, last written to before a moment;
    /// how many those were. A bucket removes parts by a rule of its own.
    ///
    /// # Errors
    /// Where one may still be there.
    pub fn sweep(&self, prefix: &Prefix, than: SystemTime) -> Result<usize, DepotError> {
        match &self.0 {
            Kind::Folder(root) => folder::sweep(root, prefix.as_str(), than)
                .map_err(DepotError::file("remove unfinished files below", root)),
            Kind::Bucket(_) => Ok(0),
        }
    }

    async fn all(&self, prefix: &Prefix) -> Result<Vec<Stored>, DepotError> {
        match &self.0 {
            Kind::Folder(root) => {
                let listed = folder::list(root, prefix.as_str());
                listed.map_err(DepotError::file("list", root))
            }
            Kind::Bucket(bucket) => {
                let listed = bucket.objects.list(Some(&bucket.folder(prefix)));
                let stored = listed.try_filter_map(async |object| {
                    let (at, bytes) = (object.last_modified.into(), object.size);
                    let key = bucket.key(&object.location);
                    Ok(key.map(|key| Stored { key, at, bytes }))
                });
                let failed = |source| DepotError::Store {
                    what: "list what lies below",
                    key: prefix.to_string(),
                    error: Box::new(source),
                };
                stored.try_collect().await.map_err(failed)
            }
        }
    }
}

impl Inventory for Depot {
    async fn list(
        &self,
        prefix: &Prefix,
        wanted: &BTreeSet<Key>,
    ) -> Result<Vec<Key>, InventoryError> {
        let failed = |source| InventoryError {
            prefix: prefix.clone(),
            source: Box::new(source),
        };
        let all = self.all(prefix).await.map_err(failed)?;
        let is_certain = async |stored: Stored| {
            let is_doubtful = stored.bytes == 0 && wanted.contains(&stored.key);
            let is_there = !is_doubtful || self.exists(&stored.key).await?;
            Ok(is_there.then_some(stored.key))
        };
        let keys = stream::iter(all).map(is_certain).buffered(ASKED_AT_ONCE);
        let keys = keys.try_filter_map(async |key| Ok(key));
        keys.try_collect().await.map_err(failed)
    }
}
