//! An object out of a bucket, in ranges, some at once; what comes is checked as it comes.

use std::io::Write;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore};
use sha2::{Digest, Sha256};

use super::cloud::{Bucket, checksum_of};
use super::error::DepotError;
use super::landing::Landing;
use super::{Moved, Progress};
use crate::key::Key;

/// One range: small, since a body may take twice its size while it is put together.
const RANGE: u64 = 4 << 20;

/// Ranges under way, 16 MB together.
const AT_ONCE: usize = 4;

pub(super) async fn get(
    bucket: &Bucket,
    key: &Key,
    mut landing: Landing,
    progress: &dyn Progress,
) -> Result<Moved, DepotError> {
    let path = bucket.path(key);
    let head = GetOptions {
        head: true,
        ..GetOptions::default()
    };
    let found = bucket.objects.get_opts(&path, head).await;
    let found = found.map_err(DepotError::store("look at", key))?;
    let (size, expected) = (found.meta.size, checksum_of(&found.attributes));
    progress.begins(size);
    // All ranges are of this version: what is put meanwhile is not mixed in.
    let version = found.meta.e_tag;
    let ranges = stream::iter((0..size.div_ceil(RANGE)).map(|index| index * RANGE)).map(|from| {
        let end = size.min(from.saturating_add(RANGE));
        let options = GetOptions {
            if_match: version.clone(),
            range: Some(GetRange::Bounded(from..end)),
            ..GetOptions::default()
        };
        // A task each: ranges come on while an earlier one is written.
        let range = tokio::spawn(range(bucket.clone(), path.clone(), options));
        let key = key.clone();
        async move {
            let range = range.await.map_err(|_| DepotError::Ended)?;
            range.map_err(DepotError::store("read", &key))
        }
    });
    let mut ranges = ranges.buffered(AT_ONCE);
    let (mut hash, mut count) = (Sha256::new(), 0);
    while let Some(bytes) = ranges.try_next().await? {
        count += bytes.len() as u64;
        progress.moved(bytes.len() as u64);
        let written = tokio::task::spawn_blocking(move || {
            hash.update(&bytes);
            landing.file().write_all(&bytes).map(|()| (hash, landing))
        });
        let written = written.await.map_err(|_| DepotError::Ended)?;
        (hash, landing) = written.map_err(|source| DepotError::File {
            what: "write",
            path: key.as_str().into(),
            source,
        })?;
    }
    settle(
        key,
        landing,
        (size, count),
        (expected, hex::encode(hash.finalize())),
    )
}

/// Only what is as it was put comes to stand at its place.
pub(super) fn settle(
    key: &Key,
    landing: Landing,
    (size, count): (u64, u64),
    (expected, found): (Option<String>, String),
) -> Result<Moved, DepotError> {
    if size != count {
        return Err(DepotError::Size {
            key: key.clone(),
            expected: size,
            found: count,
        });
    }
    if let Some(expected) = expected.as_ref().filter(|expected| **expected != found) {
        return Err(DepotError::Checksum {
            key: key.clone(),
            expected: expected.clone(),
            found,
        });
    }
    landing.place(expected.as_deref())?;
    Ok(Moved {
        bytes: size,
        sha256: expected,
        reused: 0,
    })
}

async fn range(
    bucket: Bucket,
    path: ObjectPath,
    options: GetOptions,
) -> object_store::Result<Bytes> {
    bucket.objects.get_opts(&path, options).await?.bytes().await
}
