//! A folder into a bucket, packed while it is sent.

use std::path::Path;

use super::checksum::{Hasher, hex};
use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions};
use tokio::task::{JoinHandle, JoinSet};

use super::archive::pack;
use super::cloud::{Bucket, attributes};
use super::error::DepotError;
use super::parts::{MOST, SMALLEST};
use super::pipe::{Reader, pipe};
use super::seal::AT_THE_END;
use super::{Moved, Progress};
use crate::key::Key;

/// Parts under way; one more is being filled.
const AT_ONCE: usize = 3;

/// A folder, packed while it is sent. Its checksum is known only at the end, and stands there.
pub(super) async fn put(
    bucket: &Bucket,
    key: &Key,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<Moved, DepotError> {
    progress.begins(0);
    let (sender, reader) = pipe();
    let folder = folder.to_owned();
    let packing = tokio::task::spawn_blocking(move || pack(&folder, sender).map(drop));
    let mut source = Packed::of(reader);
    let first = source.part().await?;
    if source.ended {
        packed(packing).await?;
        let put = PutOptions {
            attributes: attributes(AT_THE_END),
            ..PutOptions::default()
        };
        progress.moved(first.len() as u64);
        let path = bucket.path(key);
        let put = bucket.objects.put_opts(&path, first.into(), put).await;
        put.map_err(DepotError::begin("put", key))?;
        return Ok(source.moved());
    }
    let options = PutMultipartOptions {
        attributes: attributes(AT_THE_END),
        ..PutMultipartOptions::default()
    };
    let path = bucket.path(key);
    let begun = bucket.objects.put_multipart_opts(&path, options).await;
    let mut upload = begun.map_err(DepotError::begin("begin to put", key))?;
    let sent = send_packed(&mut *upload, key, first, &mut source, progress).await;
    // Whoever packs ends, too, when nobody takes what it packs any more.
    let moved = source.moved();
    drop(source);
    let whole = match (sent, packed(packing).await) {
        // Why the packing stopped says more than that its blocks ended.
        (Ok(()), packed) => packed,
        (Err(error), _) => Err(error),
    };
    let ended = match whole {
        Ok(()) => upload
            .complete()
            .await
            .map_err(DepotError::upload("complete", key)),
        Err(error) => Err(error),
    };
    if ended.is_err() {
        // Should this fail, too, a rule of the bucket removes its parts.
        upload.abort().await.ok();
    }
    ended.map(|_| moved)
}

async fn packed(packing: JoinHandle<Result<(), DepotError>>) -> Result<(), DepotError> {
    packing.await.map_err(|_| DepotError::Ended)?
}

async fn send_packed(
    upload: &mut dyn MultipartUpload,
    key: &Key,
    first: Bytes,
    source: &mut Packed,
    progress: &dyn Progress,
) -> Result<(), DepotError> {
    let failed = || DepotError::upload("put a part of", key);
    let mut under_way = JoinSet::new();
    let (mut part, mut count) = (first, 0);
    while !part.is_empty() {
        count += 1;
        if count > MOST {
            return Err(DepotError::TooLarge(key.clone()));
        }
        if under_way.len() >= AT_ONCE
            && let Some(sent) = under_way.join_next().await
        {
            let sent: object_store::Result<()> = sent.map_err(|_| DepotError::Ended)?;
            sent.map_err(failed())?;
        }
        let length = part.len() as u64;
        under_way.spawn(upload.put_part(part.into()));
        progress.moved(length);
        part = source.part().await?;
    }
    while let Some(sent) = under_way.join_next().await {
        sent.map_err(|_| DepotError::Ended)?.map_err(failed())?;
    }
    Ok(())
}

/// What is packed, in parts of one length.
struct Packed {
    reader: Option<Reader>,
    rest: BytesMut,
    ended: bool,
    count: u64,
    hash: Hasher,
}

impl Packed {
    fn of(reader: Reader) -> Self {
        Self {
            reader: Some(reader),
            rest: BytesMut::new(),
            ended: false,
            count: 0,
            hash: Hasher::new(),
        }
    }

    /// The next part; empty at the end.
    async fn part(&mut self) -> Result<Bytes, DepotError> {
        let full = usize::try_from(SMALLEST).unwrap_or(usize::MAX);
        while self.rest.len() < full && !self.ended {
            let mut reader = self.reader.take().ok_or(DepotError::Ended)?;
            let read = tokio::task::spawn_blocking(move || (reader.block(), reader));
            let (block, reader) = read.await.map_err(|_| DepotError::Ended)?;
            self.reader = Some(reader);
            match block {
                Some(block) => self.rest.extend_from_slice(&block),
                None => self.ended = true,
            }
        }
        let part = self.rest.split_to(full.min(self.rest.len())).freeze();
        self.count += part.len() as u64;
        self.hash.update(&part);
        Ok(part)
    }

    fn moved(&self) -> Moved {
        Moved {
            bytes: self.count,
            checksum: Some(hex(&self.hash)),
            reused: 0,
        }
    }
}
