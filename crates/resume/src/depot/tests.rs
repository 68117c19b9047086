//! The local folder, and `object_store`'s own store in memory behind a store that fails where it is told to.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path as ObjectPath;
use object_store::{
    MultipartId, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use std::sync::Arc;
use tempfile::TempDir;

use super::cloud::attributes;
use super::*;

pub(super) struct Quiet;

impl Progress for Quiet {
    fn begins(&self, _: u64) {}
    fn moved(&self, _: u64) {}
}

/// Takes so many parts, and then fails.
pub(super) struct Failing {
    memory: Arc<InMemory>,
    takes: AtomicUsize,
    sent: AtomicUsize,
    forgets: Option<MultipartId>,
}

fn failed() -> object_store::Error {
    object_store::Error::Generic {
        store: "failing",
        source: "the line is dead".into(),
    }
}

#[async_trait]
impl MultipartStore for Failing {
    async fn create_multipart(&self, path: &ObjectPath) -> object_store::Result<MultipartId> {
        self.memory.create_multipart(path).await
    }

    async fn create_multipart_opts(
        &self,
        path: &ObjectPath,
        options: PutMultipartOptions,
    ) -> object_store::Result<MultipartId> {
        self.memory.create_multipart_opts(path, options).await
    }

    async fn put_part(
        &self,
        path: &ObjectPath,
        id: &MultipartId,
        index: usize,
        data: PutPayload,
    ) -> object_store::Result<PartId> {
        if self.forgets.as_ref() == Some(id) {
            return Err(object_store::Error::NotFound {
                path: path.to_string(),
                source: "no such upload".into(),
            });
        }
        let left = self
            .takes
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        left.map_err(|_| failed())?;
        self.sent.fetch_add(1, Ordering::SeqCst);
        self.memory.put_part(path, id, index, data).await
    }

    async fn complete_multipart(
        &self,
        path: &ObjectPath,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> object_store::Result<PutResult> {
        self.memory.complete_multipart(path, id, parts).await
    }

    async fn abort_multipart(
        &self,
        path: &ObjectPath,
        id: &MultipartId,
    ) -> object_store::Result<()> {
        self.memory.abort_multipart(path, id).await
    }
}

/// A store, and a folder for whatever is here.
pub(super) struct Setting {
    pub(super) here: TempDir,
    pub(super) memory: Arc<InMemory>,
}

impl Setting {
    pub(super) fn new() -> Self {
        Self {
            here: tempfile::tempdir().expect("a folder"),
            memory: Arc::new(InMemory::new()),
        }
    }

    pub(super) fn failing(&self, takes: usize) -> Arc<Failing> {
        Arc::new(Failing {
            memory: Arc::clone(&self.memory),
            takes: takes.into(),
            sent: 0.into(),
            forgets: None,
        })
    }

    pub(super) fn bucket(&self, parts: Arc<Failing>) -> Depot {
        Depot(Kind::Bucket(Bucket {
            objects: self.memory.clone(),
            parts: Some(parts),
            name: "memory".to_owned(),
            prefix: Prefix::parse("all/of it").ok(),
        }))
    }

    pub(super) fn folder(&self) -> Depot {
        let store = self.at("store");
        fs::create_dir_all(&store).expect("made");
        Depot::open(&format!("file://{}", store.display())).expect("opened")
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    pub(super) fn file(&self, name: &str, length: usize, salt: u8) -> PathBuf {
        let bytes: Vec<u8> = (0..length)
            .map(|index| (index / 251) as u8 ^ salt)
            .collect();
        fs::write(self.at(name), bytes).expect("written");
        self.at(name)
    }

    pub(super) async fn put(
        &self,
        depot: &Depot,
        key: &Key,
        file: &Path,
    ) -> Result<Moved, DepotError> {
        depot.put(key, file, &self.at("journals"), &Quiet).await
    }

    fn journals(&self) -> usize {
        fs::read_dir(self.at("journals")).map_or(0, |entries| entries.count())
    }
}

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

const PART: usize = 5 << 20;

#[tokio::test]
async fn what_was_put_comes_back_the_same_whatever_its_size_and_name() {
    let setting = Setting::new();
    for depot in [setting.folder(), setting.bucket(setting.failing(100))] {
        for (index, size) in [0, 1, PART - 1, PART, PART + 1, 3 * PART + 7]
            .into_iter()
            .enumerate()
        {
            let key = key(&format!("run/1/a %2F [{index}]ü.tar"));
            let source = setting.file("source", size, 3);
            assert!(!depot.exists(&key).await.expect("asked"));
            let put = setting.put(&depot, &key, &source).await.expect("put");
            assert!(depot.exists(&key).await.expect("asked"));
            let got = depot
                .get(&key, &setting.at("got"), &Quiet)
                .await
                .expect("fetched");
            assert_eq!(got.checksum, put.checksum);
            assert!(got.checksum.is_some());
            assert_eq!(
                fs::read(setting.at("got")).expect("read"),
                fs::read(&source).expect("read")
            );
            let listed = depot
                .list(&Prefix::parse("run/1").expect("a prefix"), &BTreeSet::new())
                .await
                .expect("listed");
            assert!(listed.contains(&key), "{listed:?}");
            assert_eq!(listed.len(), index + 1);
        }
    }
    assert_eq!(setting.journals(), 0);
}

#[tokio::test]
async fn an_upload_that_broke_off_is_not_there_and_goes_on_with_the_parts_that_are_missing() {
    let setting = Setting::new();
    let source = setting.file("source", 6 * PART, 1);
    let key = key("run/big");
    let broken = setting.bucket(setting.failing(4));
    setting
        .put(&broken, &key, &source)
        .await
        .expect_err("the line is dead");
    assert!(!broken.exists(&key).await.expect("asked"));
    assert_eq!(setting.journals(), 1);
    let store = setting.failing(100);
    let depot = setting.bucket(Arc::clone(&store));
    let put = setting.put(&depot, &key, &source).await.expect("put");
    assert_eq!(put.reused, 4 * PART as u64);
    assert_eq!(store.sent.load(Ordering::SeqCst), 2);
    depot
        .get(&key, &setting.at("got"), &Quiet)
        .await
        .expect("fetched");
    assert_eq!(
        fs::read(setting.at("got")).expect("read"),
        fs::read(&source).expect("read")
    );
    assert_eq!(setting.journals(), 0);
}

#[tokio::test]
async fn parts_of_another_file_are_never_gone_on_with() {
    let setting = Setting::new();
    let key = key("run/big");
    let broken = setting.bucket(setting.failing(2));
    let source = setting.file("source", 3 * PART, 1);
    setting
        .put(&broken, &key, &source)
        .await
        .expect_err("the line is dead");
    let source = setting.file("source", 3 * PART, 2);
    let depot = setting.bucket(setting.failing(100));
    let put = setting.put(&depot, &key, &source).await.expect("put");
    assert_eq!(put.reused, 0);
    depot
        .get(&key, &setting.at("got"), &Quiet)
        .await
        .expect("fetched");
    assert_eq!(
        fs::read(setting.at("got")).expect("read"),
        fs::read(&source).expect("read")
    );
}

#[tokio::test]
async fn an_upload_that_the_store_gave_up_is_begun_anew() {
    let setting = Setting::new();
    let key = key("run/big");
    let source = setting.file("source", 3 * PART, 1);
    let broken = setting.bucket(setting.failing(1));
    setting
        .put(&broken, &key, &source)
        .await
        .expect_err("the line is dead");
    // Nobody knows the upload of this journal.
    let journal = fs::read_dir(setting.at("journals"))
        .expect("read")
        .next()
        .expect("one")
        .expect("read")
        .path();
    let text = fs::read_to_string(&journal).expect("read");
    let (first, rest) = text.split_once('\n').expect("lines");
    assert!(first.contains("upload"));
    fs::write(&journal, format!("{{\"upload\":\"99\"}}\n{rest}")).expect("written");
    let forgetful = setting.bucket(Arc::new(Failing {
        memory: Arc::clone(&setting.memory),
        takes: 100.into(),
        sent: 0.into(),
        forgets: Some("99".to_owned()),
    }));
    let put = setting.put(&forgetful, &key, &source).await.expect("put");
    assert_eq!(put.reused, 0);
    assert!(forgetful.exists(&key).await.expect("asked"));
    assert_eq!(setting.journals(), 0);
}

#[tokio::test]
async fn a_wrong_checksum_leaves_the_place_as_it_was() {
    let setting = Setting::new();
    let depot = setting.bucket(setting.failing(9));
    let key = key("run/wrong");
    let Kind::Bucket(bucket) = &depot.0 else {
        panic!("a bucket");
    };
    let options = PutOptions {
        attributes: attributes(&"0".repeat(64)),
        ..PutOptions::default()
    };
    bucket
        .objects
        .put_opts(&bucket.path(&key), "other".into(), options)
        .await
        .expect("put");
    let place = setting.file("place", 3, 0);
    let before = fs::read(&place).expect("read");
    let error = depot.get(&key, &place, &Quiet).await.expect_err("damaged");
    assert!(matches!(error, DepotError::Checksum { .. }), "{error}");
    assert_eq!(fs::read(&place).expect("read"), before);
    assert_eq!(fs::read_dir(setting.here.path()).expect("read").count(), 1);
}

#[tokio::test]
async fn a_file_of_the_folder_that_was_cut_off_or_changed_is_not_fetched() {
    let setting = Setting::new();
    let depot = setting.folder();
    let key = key("run/cut");
    let source = setting.file("source", 1000, 4);
    setting.put(&depot, &key, &source).await.expect("put");
    let stored = setting.at("store/run/cut");
    let has_attributes =
        super::landing::checksum(&fs::File::open(&stored).expect("opened")).is_some();
    assert!(
        has_attributes,
        "this file system keeps no extended attributes; set TMPDIR to one that does"
    );
    fs::OpenOptions::new()
        .write(true)
        .open(&stored)
        .and_then(|file| file.set_len(999))
        .expect("cut");
    let error = depot
        .get(&key, &setting.at("got"), &Quiet)
        .await
        .expect_err("damaged");
    assert!(matches!(error, DepotError::Checksum { .. }), "{error}");
    assert!(!setting.at("got").exists());
}

#[tokio::test]
async fn what_is_missing_is_told_apart_from_a_store_that_is_not_there() {
    let setting = Setting::new();
    let depot = setting.folder();
    let error = depot
        .get(&key("a/b"), &setting.at("got"), &Quiet)
        .await
        .expect_err("missing");
    assert!(matches!(error, DepotError::Missing(_)), "{error}");
    let gone = Depot::open("file:///no/such/store").expect("opened");
    gone.exists(&key("a")).await.expect_err("not there");
    gone.list(&Prefix::parse("a").expect("a prefix"), &BTreeSet::new())
        .await
        .expect_err("not there");
    let error = gone
        .get(&key("a"), &setting.at("got"), &Quiet)
        .await
        .expect_err("not there");
    assert!(matches!(error, DepotError::NoFolder { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_writers_one_wins_whole() {
    let setting = Arc::new(Setting::new());
    for depot in [setting.folder(), setting.bucket(setting.failing(1000))] {
        let mut writers = tokio::task::JoinSet::new();
        let mut all = BTreeSet::new();
        for salt in 0..4 {
            let source = setting.file(&format!("source{salt}"), 2 * PART + 5, salt);
            all.insert(fs::read(&source).expect("read"));
            let (setting, depot) = (Arc::clone(&setting), depot.clone());
            writers.spawn(async move { setting.put(&depot, &key("run/same"), &source).await });
        }
        while let Some(done) = writers.join_next().await {
            done.expect("no panic").expect("put");
        }
        depot
            .get(&key("run/same"), &setting.at("got"), &Quiet)
            .await
            .expect("fetched whole");
        assert!(all.contains(&fs::read(setting.at("got")).expect("read")));
    }
}

#[tokio::test]
async fn only_what_is_old_and_below_the_prefix_is_removed() {
    let setting = Setting::new();
    for depot in [setting.folder(), setting.bucket(setting.failing(9))] {
        let source = setting.file("source", 10, 0);
        for name in ["run/1/a", "run/1/b", "run/10/c", "other"] {
            setting.put(&depot, &key(name), &source).await.expect("put");
        }
        let prefix = Prefix::parse("run/1").expect("a prefix");
        let begun = fs::metadata(&source)
            .expect("facts")
            .modified()
            .expect("a time");
        let hour = Duration::from_secs(3600);
        assert_eq!(
            depot.older(&prefix, begun - hour).await.expect("listed"),
            []
        );
        let old = depot.older(&prefix, begun + hour).await.expect("listed");
        let keys: Vec<Key> = old.into_iter().map(|stored| stored.key).collect();
        assert_eq!(keys, [key("run/1/a"), key("run/1/b")]);
        depot.remove(&keys).await.expect("removed");
        depot.remove(&keys).await.expect("already gone");
        assert!(!depot.exists(&key("run/1/a")).await.expect("asked"));
        assert!(depot.exists(&key("run/10/c")).await.expect("asked"));
        assert!(depot.exists(&key("other")).await.expect("asked"));
    }
}

#[tokio::test]
async fn what_others_put_without_a_checksum_is_fetched_and_said_to_be_unchecked() {
    let setting = Setting::new();
    let depot = setting.bucket(setting.failing(9));
    let Kind::Bucket(bucket) = &depot.0 else {
        panic!("a bucket");
    };
    bucket
        .objects
        .put(&bucket.path(&key("a")), "by hand".into())
        .await
        .expect("put");
    let got = depot
        .get(&key("a"), &setting.at("got"), &Quiet)
        .await
        .expect("fetched");
    assert_eq!((got.bytes, got.checksum), (7, None));
}
