//! A file into a bucket: in one request where it is small, else in parts, some at once.
//!
//! Invariant: the object is there only once the store has put all its parts together, which it does at once.

use std::path::Path;
use std::sync::Arc;

use futures_util::{TryStreamExt, stream};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, PutMultipartOptions, PutOptions};
use tokio::task::JoinSet;

use super::cloud::{Bucket, attributes};
use super::error::DepotError;
use super::journal::{Begun, Journal};
use super::parts::Parts;
use super::source::Source;
use super::{Moved, Progress};
use crate::key::Key;

/// Puts a file; `journals` is where unfinished uploads are remembered.
pub(super) async fn put(
    bucket: &Bucket,
    key: &Key,
    source: &Source,
    journals: &Path,
    progress: &dyn Progress,
) -> Result<Moved, DepotError> {
    let parts = Parts::of(source.size());
    progress.begins(source.size());
    let reused = match &bucket.parts {
        _ if parts.count() == 1 => whole(bucket, key, source).await.map(|()| 0),
        Some(store) => in_parts(bucket, store, key, source, journals, progress).await,
        None => at_one_go(bucket, key, source, progress).await.map(|()| 0),
    }?;
    Ok(Moved {
        bytes: source.size(),
        checksum: Some(source.checksum.clone()),
        reused,
    })
}

async fn whole(bucket: &Bucket, key: &Key, source: &Source) -> Result<(), DepotError> {
    let (from, length) = Parts::of(source.size()).part(0);
    let bytes = source.part(from, length)?;
    source.is_unchanged()?;
    let options = PutOptions {
        attributes: attributes(&source.checksum),
        ..PutOptions::default()
    };
    let put = bucket
        .objects
        .put_opts(&bucket.path(key), bytes.into(), options)
        .await;
    put.map(drop).map_err(DepotError::begin("put", key))
}

/// One upload, which another process may go on with.
#[derive(Clone)]
struct Upload {
    store: Arc<dyn MultipartStore>,
    path: ObjectPath,
    id: String,
}

async fn in_parts(
    bucket: &Bucket,
    store: &Arc<dyn MultipartStore>,
    key: &Key,
    source: &Source,
    journals: &Path,
    progress: &dyn Progress,
) -> Result<u64, DepotError> {
    let path = bucket.path(key);
    let parts = Parts::of(source.size());
    let identity = [
        &bucket.name,
        path.as_ref(),
        &source.checksum,
        &parts.length.to_string(),
    ];
    let opened = Journal::open(journals, &identity);
    let mut journal = opened.map_err(DepotError::file("remember an upload in", journals))?;
    let earlier = match &mut journal {
        Some(journal) => journal
            .begun()
            .map_err(DepotError::file("read", journals))?,
        None => None,
    };
    if let Some(begun) = earlier {
        let upload = upload(store, &path, &begun.upload);
        match finish(&upload, key, source, begun, &mut journal, progress).await {
            Ok(reused) => {
                journal.into_iter().for_each(Journal::end);
                return Ok(reused);
            }
            // The store has given the upload up, or ended it: another one is begun.
            Err(DepotError::UploadGone(_)) => progress.begins(source.size()),
            Err(error) => return Err(error),
        }
    }
    let options = PutMultipartOptions {
        attributes: attributes(&source.checksum),
        ..PutMultipartOptions::default()
    };
    let id = store.create_multipart_opts(&path, options).await;
    let id = id.map_err(DepotError::begin("begin to put", key))?;
    if let Some(journal) = &mut journal {
        journal
            .begin(&id)
            .map_err(DepotError::file("write below", journals))?;
    }
    let upload = upload(store, &path, &id);
    let done = finish(
        &upload,
        key,
        source,
        Begun::default(),
        &mut journal,
        progress,
    )
    .await;
    match (done, journal) {
        (Ok(_), journal) => {
            journal.into_iter().for_each(Journal::end);
            Ok(0)
        }
        (Err(error), Some(journal)) if is_worth_keeping(&error) => {
            drop(journal);
            Err(error)
        }
        (Err(error), journal) => {
            store.abort_multipart(&path, &id).await.ok();
            journal.into_iter().for_each(Journal::end);
            Err(error)
        }
    }
}

/// Whether the same upload may do better next time.
fn is_worth_keeping(error: &DepotError) -> bool {
    !matches!(error, DepotError::SourceChanged(_))
}

fn upload(store: &Arc<dyn MultipartStore>, path: &ObjectPath, id: &str) -> Upload {
    Upload {
        store: Arc::clone(store),
        path: path.clone(),
        id: id.to_owned(),
    }
}

/// Sends the parts that the store does not have, and has it put all together; how many bytes it had.
async fn finish(
    upload: &Upload,
    key: &Key,
    source: &Source,
    begun: Begun,
    journal: &mut Option<Journal>,
    progress: &dyn Progress,
) -> Result<u64, DepotError> {
    let parts = Parts::of(source.size());
    let mut there = begun.parts;
    there.retain(|index, _| *index < parts.count());
    let reused = there.keys().map(|index| parts.part(*index).1 as u64).sum();
    progress.moved(reused);
    let missing: Vec<usize> = (0..parts.count())
        .filter(|index| !there.contains_key(index))
        .collect();
    let mut missing = missing.into_iter();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < parts.at_once()
            && let Some(index) = missing.next()
        {
            // A task each: one part's checksum is taken while another one is sent.
            under_way.spawn(send(
                upload.clone(),
                key.clone(),
                source.clone(),
                parts,
                index,
            ));
        }
        let Some(sent) = under_way.join_next().await else {
            break;
        };
        let (index, id) = sent.map_err(|_| DepotError::Ended)??;
        if let Some(journal) = journal {
            // Without this line the part is only sent again.
            journal.part(index, &id).ok();
        }
        progress.moved(parts.part(index).1 as u64);
        there.insert(index, id);
    }
    source.is_unchanged()?;
    let ids = there
        .into_values()
        .map(|content_id| PartId { content_id })
        .collect();
    let put = upload
        .store
        .complete_multipart(&upload.path, &upload.id, ids)
        .await;
    put.map_err(DepotError::upload("complete", key))?;
    Ok(reused)
}

async fn send(
    upload: Upload,
    key: Key,
    source: Source,
    parts: Parts,
    index: usize,
) -> Result<(usize, String), DepotError> {
    let (from, length) = parts.part(index);
    let bytes = tokio::task::spawn_blocking(move || source.part(from, length)).await;
    let bytes = bytes.map_err(|_| DepotError::Ended)??;
    let sent = upload
        .store
        .put_part(&upload.path, &upload.id, index, bytes.into())
        .await;
    let id = sent.map_err(DepotError::upload("put a part of", &key))?;
    Ok((index, id.content_id))
}

/// Azure's way: the checksum is written with the list of blocks, which only the process that sent them can do.
async fn at_one_go(
    bucket: &Bucket,
    key: &Key,
    source: &Source,
    progress: &dyn Progress,
) -> Result<(), DepotError> {
    let parts = Parts::of(source.size());
    let options = PutMultipartOptions {
        attributes: attributes(&source.checksum),
        ..PutMultipartOptions::default()
    };
    let begun = bucket
        .objects
        .put_multipart_opts(&bucket.path(key), options)
        .await;
    let mut upload = begun.map_err(DepotError::begin("begin to put", key))?;
    let mut under_way = stream::FuturesUnordered::new();
    for index in 0..parts.count() {
        if under_way.len() >= parts.at_once() {
            under_way
                .try_next()
                .await
                .map_err(DepotError::upload("put a part of", key))?;
        }
        let (from, length) = parts.part(index);
        under_way.push(upload.put_part(source.part(from, length)?.into()));
        progress.moved(length as u64);
    }
    let rest: Result<Vec<()>, _> = under_way.try_collect().await;
    rest.map_err(DepotError::upload("put a part of", key))?;
    source.is_unchanged()?;
    upload
        .complete()
        .await
        .map(drop)
        .map_err(DepotError::upload("complete", key))
}
