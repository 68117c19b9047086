//! An object out of a bucket, in ranges, some at once; what comes is checked beside, while it is written.

use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore};

use super::blocks::Aside;
use super::cloud::{Bucket, checksum_of};
use super::error::DepotError;
use super::seal::Check;
use super::{Moved, Progress};
use crate::key::Key;

/// One range.
const RANGE: u64 = 4 << 20;

/// Ranges under way, 16 MB together.
const AT_ONCE: usize = 4;

/// Writes an object into whatever takes it, which then has all of it, but must not count before this has said so.
pub(super) async fn fetch<W: Write + Send + 'static>(
    bucket: &Bucket,
    key: &Key,
    most: u64,
    mut into: W,
    progress: &dyn Progress,
) -> Result<(W, Moved), DepotError> {
    let path = bucket.path(key);
    let found = bucket.look(key).await;
    let found = found.map_err(DepotError::store("look at", key))?;
    let (size, expected) = (found.meta.size, checksum_of(&found.attributes));
    DepotError::unless_within(key, size, most)?;
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
    let failed = || DepotError::file("write", Path::new(key.as_str()));
    let check = Check::of(key, size, expected);
    let mut check = Aside::begin(check, Check::update).map_err(failed())?;
    while let Some(pieces) = ranges.try_next().await? {
        progress.moved(pieces.iter().map(|piece| piece.len() as u64).sum());
        let written = tokio::task::spawn_blocking(move || {
            for piece in pieces {
                check.take(piece.clone());
                into.write_all(&piece)?;
            }
            Ok((check, into))
        });
        let written = written.await.map_err(|_| DepotError::Ended)?;
        (check, into) = written.map_err(failed())?;
    }
    let moved = Moved {
        bytes: size,
        checksum: check.finish()?.finish()?,
        reused: 0,
    };
    Ok((into, moved))
}

async fn range(
    bucket: Bucket,
    path: ObjectPath,
    options: GetOptions,
) -> object_store::Result<Vec<Bytes>> {
    // As they come in: put together, they would be copied, and take twice their size meanwhile.
    let got = bucket.objects.get_opts(&path, options).await?;
    got.into_stream().try_collect().await
}
