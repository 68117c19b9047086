//! Saved on one machine and brought back on another, with a folder as the store.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::depot::Depot;

/// Longer than any of these takes.
const LONG: Duration = Duration::from_secs(600);

const MIB: u64 = 1 << 20;

/// A machine with a job: its workspace, home folder and scratch; and the store, which all machines share.
pub(super) struct Machine {
    folder: TempDir,
    store: PathBuf,
}

impl Machine {
    pub(super) fn new(store: &Path) -> Self {
        let folder = TempDir::new().expect("a folder");
        for name in ["work", "home", "temp"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Self {
            folder,
            store: store.to_owned(),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that was changed so many seconds ago.
    fn write(&self, name: &str, content: &[u8], age: u64) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, content).expect("written");
        let file = File::options().write(true).open(&path).expect("a file");
        file.set_modified(changed(age)).expect("a time");
    }

    /// A file of zeros, as long as a segment.
    fn large(&self, name: &str, age: u64) {
        let path = self.path(name);
        let file = File::create(&path).expect("a file");
        file.set_len(33 * MIB).expect("long");
        file.set_modified(changed(age)).expect("a time");
    }

    pub(super) fn depot(&self) -> Depot {
        Depot::open(&format!("file://{}", self.store.display())).expect("a store")
    }

    pub(super) fn places(&self) -> Places {
        let paths = ["target", "~/.cache/tool"].map(PathBuf::from);
        Places::new(&self.path("work"), &self.path("home"), &paths).expect("places")
    }

    async fn save(&self, attempt: u32, name: &str) -> Marked {
        self.save_most(attempt, name, u64::MAX).await
    }

    async fn save_most(&self, attempt: u32, name: &str, most: u64) -> Marked {
        let store = format!("file://{}", self.store.display());
        let declaration = Declaration::new(
            store,
            None,
            scope("build"),
            attempt,
            self.places(),
            most,
            true,
        );
        let saved = save(&declaration, &self.depot(), name, LONG, &self.path("temp")).await;
        saved.expect("saved")
    }

    pub(super) async fn restore(&self, scope: &Scope, wanted: &Wanted) -> Restored {
        let (depot, places) = (self.depot(), self.places());
        let restored = restore(&depot, scope, &places, wanted, &self.path("temp")).await;
        restored.expect("the store answers")
    }

    /// The files below the workspace's `target`, by name, with their sizes.
    fn files(&self) -> BTreeMap<String, u64> {
        let Ok(entries) = fs::read_dir(self.path("work/target")) else {
            return BTreeMap::new();
        };
        let files = entries.map(|entry| entry.expect("an entry"));
        let facts = files.map(|file| {
            let name = file.file_name().into_string().expect("text");
            (name, file.metadata().expect("facts").len())
        });
        facts.collect()
    }
}

fn changed(age: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 - age)
}

pub(super) fn scope(job: &str) -> Scope {
    Scope::new("acme/shop", &Trust::Own, 9_000_000_001, job).expect("a scope")
}

pub(super) fn wanted(attempt: u32) -> Wanted {
    Wanted {
        attempt,
        whole_only: false,
        most_bytes: u64::MAX,
        within: LONG,
    }
}

#[tokio::test]
async fn empty_folders_come_back_as_they_were() {
    let store = TempDir::new().expect("a store");
    let first = Machine::new(store.path());
    first.write("work/target/full/x", b"x", 1);
    let empty = first.path("work/target/a/empty");
    fs::create_dir_all(&empty).expect("a folder");
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o750)).expect("a mode");
    fs::create_dir_all(first.path("work/target/.git")).expect("a folder");
    // Nothing to go on from.
    fs::create_dir_all(first.path("home/.cache/tool")).expect("a folder");
    let marked = first.save(1, "1").await;
    assert!(marked.whole, "{marked:?}");
    let second = Machine::new(store.path());
    let restored = second.restore(&scope("build"), &wanted(2)).await;
    assert_eq!(restored.extent, Extent::Whole, "{restored:?}");
    let facts = fs::metadata(second.path("work/target/a/empty")).expect("a folder");
    assert!(facts.is_dir());
    assert_eq!(facts.permissions().mode() & 0o777, 0o750);
    for path in ["work/target/.git", "home/.cache"] {
        assert!(!second.path(path).exists(), "{path}");
    }
    // One that is there stays as it is, a file in its way too.
    let third = Machine::new(store.path());
    third.write("work/target/a/empty", b"a file", 1);
    let restored = third.restore(&scope("build"), &wanted(2)).await;
    assert_eq!(restored.extent, Extent::Partial, "{restored:?}");
    assert_eq!(
        fs::read(third.path("work/target/a/empty")).expect("read"),
        b"a file"
    );
}

#[tokio::test]
async fn what_one_attempt_made_the_next_one_has_with_times_and_modes() {
    let store = TempDir::new().expect("a store");
    let first = Machine::new(store.path());
    first.write("work/target/a.o", b"a", 100);
    first.write("work/target/run", b"#!/bin/sh", 50);
    let run = first.path("work/target/run");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("a mode");
    symlink("a.o", first.path("work/target/link")).expect("a link");
    first.write("home/.cache/tool/x/y", b"cached", 10);
    first.write("home/.ssh/key", b"not declared", 1);
    first.write("work/target/.git/config", b"a token", 1);
    let marked = first.save(1, "1").await;
    assert!(marked.whole && marked.cut_off.is_none(), "{marked:?}");
    assert_eq!((marked.files, marked.left_out.len()), (4, 0), "{marked:?}");

    let second = Machine::new(store.path());
    let restored = second.restore(&scope("build"), &wanted(2)).await;
    assert_eq!(
        (restored.extent, restored.attempt),
        (Extent::Whole, Some(1))
    );
    assert!(restored.trouble.is_empty(), "{restored:?}");
    let read = |name: &str| fs::read(second.path(name)).expect(name);
    assert_eq!(read("home/.cache/tool/x/y"), b"cached");
    assert_eq!(read("work/target/link"), b"a");
    let facts = fs::metadata(second.path("work/target/run")).expect("facts");
    assert_eq!(facts.permissions().mode() & 0o777, 0o755);
    assert_eq!(facts.modified().expect("a time"), changed(50));
    assert!(!second.path("home/.ssh").exists());
    assert!(!second.path("work/target/.git").exists());
}

#[tokio::test]
async fn only_earlier_attempts_of_the_same_job_run_repository_and_trust_are_brought_back() {
    let store = TempDir::new().expect("a store");
    let first = Machine::new(store.path());
    first.write("work/target/a", b"a", 1);
    first.save(2, "1").await;
    let second = Machine::new(store.path());
    let other = |repository: &str, trust: Trust, run: u64| {
        Scope::new(repository, &trust, run, "build").expect("a scope")
    };
    for (scope, attempt) in [
        (scope("build"), 2),
        (scope("build "), 3),
        (other("acme/shop2", Trust::Own, 9_000_000_001), 3),
        (other("acme/shop", Trust::Fork(1), 9_000_000_001), 3),
        (other("acme/shop", Trust::Own, 9_000_000_002), 3),
    ] {
        let restored = second.restore(&scope, &wanted(attempt)).await;
        assert_eq!(restored.extent, Extent::Nothing, "{scope:?}");
        assert!(second.files().is_empty(), "{scope:?}");
    }
    let restored = second.restore(&scope("build"), &wanted(3)).await;
    assert_eq!(restored.extent, Extent::Whole);
}

#[tokio::test]
async fn a_later_save_that_was_cut_off_lies_over_the_whole_one() {
    let store = TempDir::new().expect("a store");
    let first = Machine::new(store.path());
    first.write("work/target/old", b"old", 100);
    first.write("work/target/changed", b"before", 90);
    first.save(1, "1").await;
    first.write("work/target/changed", b"after!", 10);
    // Only the youngest fits.
    let marked = first.save_most(1, "2", 6).await;
    assert_eq!((marked.files, marked.beyond, marked.whole), (1, 1, false));

    let second = Machine::new(store.path());
    let restored = second.restore(&scope("build"), &wanted(2)).await;
    // Of two moments, and so not whole.
    assert_eq!(restored.extent, Extent::Partial);
    assert!(restored.is_complete(), "{restored:?}");
    let read = |machine: &Machine| fs::read(machine.path("work/target/changed")).expect("read");
    assert_eq!(read(&second), b"after!");
    assert_eq!(second.files().len(), 2);

    let third = Machine::new(store.path());
    let whole = Wanted {
        whole_only: true,
        ..wanted(2)
    };
    third.restore(&scope("build"), &whole).await;
    assert_eq!(read(&third), b"before");
}

#[tokio::test]
async fn without_time_nothing_is_marked_and_nothing_fails() {
    let store = TempDir::new().expect("a store");
    let machine = Machine::new(store.path());
    machine.write("work/target/a", b"a", 1);
    let address = format!("file://{}", store.path().display());
    let declaration = Declaration::new(
        address,
        None,
        scope("build"),
        1,
        machine.places(),
        MIB,
        true,
    );
    let (depot, temp) = (machine.depot(), machine.path("temp"));
    let marked = save(&declaration, &depot, "1", Duration::ZERO, &temp).await;
    let marked = marked.expect("no failure");
    assert!(matches!(marked.cut_off, Some(CutOff::Time)), "{marked:?}");
    assert_eq!(marked.segments, 0);
    let restored = machine.restore(&scope("build"), &wanted(2)).await;
    assert_eq!(restored.extent, Extent::Nothing);
}

#[tokio::test]
async fn more_than_may_be_brought_back_is_not() {
    let store = TempDir::new().expect("a store");
    let first = Machine::new(store.path());
    first.write("work/target/a", &[1; 1_000], 1);
    first.save(1, "1").await;
    let second = Machine::new(store.path());
    let little = Wanted {
        most_bytes: 999,
        ..wanted(2)
    };
    let restored = second.restore(&scope("build"), &little).await;
    assert_eq!(restored.extent, Extent::Nothing);
    assert!(restored.trouble[0].to_string().contains("--max-size"));
    assert!(second.files().is_empty());
}

#[tokio::test]
async fn a_job_that_began_with_less_than_was_saved_hides_nothing_of_it() {
    let store = TempDir::new().expect("a store");
    let first = Machine::new(store.path());
    first.write("work/target/weights", b"weights", 50);
    first.save(1, "1").await;
    let second = Machine::new(store.path());
    second.write("work/target/log", b"log", 1);
    let address = format!("file://{}", store.path().display());
    let behind = Declaration::new(
        address,
        None,
        scope("build"),
        2,
        second.places(),
        MIB,
        false,
    );
    let marked = save(&behind, &second.depot(), "1", LONG, &second.path("temp")).await;
    let marked = marked.expect("saved");
    assert!(
        !marked.ended && !marked.whole && marked.cut_off.is_none(),
        "{marked:?}"
    );
    let third = Machine::new(store.path());
    let restored = third.restore(&scope("build"), &wanted(3)).await;
    assert_eq!(
        (restored.extent, restored.attempt),
        (Extent::Partial, Some(2))
    );
    let back: Vec<String> = third.files().into_keys().collect();
    assert_eq!(back, ["log", "weights"]);
}

#[tokio::test]
async fn a_save_that_missed_a_file_is_not_whole() {
    let store = TempDir::new().expect("a store");
    let first = Machine::new(store.path());
    first.write("home/.cache/tool/good", b"good", 10);
    symlink("/", first.path("home/.cache/tool/out")).expect("a link");
    let save = async |workspace: &Path, name: &str| {
        let paths = ["status", "~/.cache/tool"].map(PathBuf::from);
        let places = Places::new(workspace, &first.path("home"), &paths).expect("places");
        let address = format!("file://{}", store.path().display());
        let declaration = Declaration::new(address, None, scope("build"), 1, places, MIB, true);
        let saved = save(
            &declaration,
            &first.depot(),
            name,
            LONG,
            &first.path("temp"),
        )
        .await;
        let marked = saved.expect("saved");
        let whys: Vec<Why> = marked.left_out.iter().map(|one| one.why).collect();
        (marked.files, marked.ended, marked.whole, whys)
    };
    let whole = save(&first.path("work"), "1").await;
    assert_eq!(whole, (1, true, true, vec![Why::Gone, Why::LeadsOut]));
    // The kernel says that this one has no bytes, and then there are some: as of a file that grows meanwhile.
    let torn = save(Path::new("/proc/self"), "2").await;
    assert_eq!(torn, (1, true, false, vec![Why::LeadsOut, Why::Changed]));
}

#[tokio::test]
async fn what_is_damaged_ends_what_is_brought_back_and_never_begins_a_file() {
    let store = TempDir::new().expect("a store");
    let first = Machine::new(store.path());
    for (name, age) in [("young", 1), ("middle", 2), ("old", 3)] {
        first.large(&format!("work/{name}"), age);
        fs::create_dir_all(first.path("work/target")).expect("a folder");
        let to = first.path("work/target").join(name);
        fs::rename(first.path("work").join(name), to).expect("moved");
    }
    let marked = first.save(1, "1").await;
    assert_eq!(marked.segments, 3, "{marked:?}");
    let segment = find(store.path(), "00001.tar.zst");
    let bytes = fs::read(&segment).expect("a segment");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    for damage in [&flipped[..], &bytes[..bytes.len() - 1], b""] {
        overwrite(&segment, damage);
        let second = Machine::new(store.path());
        let restored = second.restore(&scope("build"), &wanted(2)).await;
        assert_eq!(restored.extent, Extent::Partial, "{restored:?}");
        assert_eq!(restored.trouble.len(), 1, "{restored:?}");
        assert_eq!(second.files().into_keys().collect::<Vec<_>>(), ["young"]);
        let third = Machine::new(store.path());
        let whole = Wanted {
            whole_only: true,
            ..wanted(2)
        };
        let restored = third.restore(&scope("build"), &whole).await;
        assert_eq!(restored.extent, Extent::Nothing, "{restored:?}");
        assert!(third.files().is_empty());
    }
}

/// In place, so that the attribute with the checksum stays.
fn overwrite(file: &Path, content: &[u8]) {
    fs::write(file, content).expect("written");
}

pub(super) fn find(folder: &Path, name: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with(name) {
                return path;
            }
        }
    }
    panic!("{name} is not there");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// A save that is cut off after any of its marks is what is younger than something, and nothing else.
    #[test]
    fn what_comes_back_of_a_save_that_was_cut_off_is_the_youngest(
        ages in proptest::collection::btree_set(1_u64..1_000, 1..6),
        kept in 0_usize..6,
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let store = TempDir::new().expect("a store");
            let first = Machine::new(store.path());
            fs::create_dir_all(first.path("work/target")).expect("a folder");
            for age in &ages {
                first.large(&format!("work/target/{age:04}"), *age);
            }
            let marked = first.save(1, "1").await;
            assert_eq!(marked.segments, ages.len());
            let kept = kept.min(ages.len());
            cut_off(store.path(), kept);
            let second = Machine::new(store.path());
            let restored = second.restore(&scope("build"), &wanted(2)).await;
            let back: Vec<String> = second.files().into_keys().collect();
            let youngest: Vec<String> = ages.iter().take(kept).map(|age| format!("{age:04}")).collect();
            assert_eq!(back, youngest);
            let extent = if kept == 0 { Extent::Nothing } else { Extent::Partial };
            assert_eq!(restored.extent, extent);
        });
    }
}

/// As the store is when the save ended after so many marks, and during the put of the next.
fn cut_off(store: &Path, marks: usize) {
    let manifest = find(store, "manifest.json");
    let text = fs::read(&manifest).expect("a manifest");
    let mut value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let segments = value["segments"].as_array_mut().expect("segments");
    let all = segments.len();
    segments.truncate(marks);
    value["whole"] = false.into();
    value["ended"] = false.into();
    for number in marks + 1..all {
        let name = format!("{number:05}.tar.zst");
        fs::remove_file(find(store, &name)).expect("removed");
    }
    if marks == 0 {
        fs::remove_file(&manifest).expect("removed");
        return;
    }
    // As another put would leave it: another file, with its own checksum or none.
    fs::remove_file(&manifest).expect("removed");
    fs::write(&manifest, value.to_string()).expect("written");
}
