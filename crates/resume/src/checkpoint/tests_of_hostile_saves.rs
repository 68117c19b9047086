//! What somebody with the bucket's rights, or with a job's, could have put there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::tests::{Machine, scope, wanted};
use super::*;

/// Puts a save of one segment with a manifest that is right about it.
fn put(store: &Path, archive: &[u8], bytes: u64) {
    let folder = store.join("checkpoints/own/acme/shop/9000000001/build/00001/1");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("00000.tar.zst"), archive).expect("written");
    let manifest = serde_json::json!({
        "version": 1,
        "scope": { "repository": "acme/shop", "trust": "own", "run_id": 9_000_000_001_u64, "job": "build" },
        "attempt": 1,
        "segments": [{ "checksum": blake3::hash(archive).to_hex().to_string(), "bytes": bytes, "files": 1 }],
        "ended": true,
        "whole": true,
    });
    fs::write(folder.join("manifest.json"), manifest.to_string()).expect("written");
}

/// An archive with one member, whatever it is called.
fn archive(name: &str, kind: EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(u64::try_from(content.len()).expect("short"));
    // The safe way refuses such names.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, content).expect("appended");
    let archive = builder.into_inner().expect("finished");
    zstd::encode_all(&archive[..], 1).expect("packed")
}

async fn restored(machine: &Machine) -> Restored {
    machine.restore(&scope("build"), &wanted(2)).await
}

#[tokio::test]
async fn a_good_save_made_by_hand_is_brought_back() {
    let store = TempDir::new().expect("a store");
    put(
        store.path(),
        &archive("workspace/target/x", EntryType::Regular, "", b"abc"),
        3,
    );
    let machine = Machine::new(store.path());
    let restored = restored(&machine).await;
    assert_eq!(restored.extent, Extent::Whole, "{restored:?}");
    assert_eq!(
        fs::read(machine.path("work/target/x")).expect("read"),
        b"abc"
    );
}

#[tokio::test]
async fn a_member_that_leads_elsewhere_is_not_written() {
    for (name, kind, link) in [
        ("workspace/target/../../../out", EntryType::Regular, ""),
        ("workspace/src/main.rs", EntryType::Regular, ""),
        ("home/.ssh/authorized_keys", EntryType::Regular, ""),
        ("/tmp/reprise-out", EntryType::Regular, ""),
        ("../out", EntryType::Regular, ""),
        ("workspace/target/link", EntryType::Symlink, "/etc/passwd"),
        ("workspace/target/link", EntryType::Symlink, "../../out"),
        ("workspace/target/hard", EntryType::Link, "/etc/passwd"),
        ("workspace/target/pipe", EntryType::Fifo, ""),
        ("workspace/target/device", EntryType::Block, ""),
        ("workspace/src/folder", EntryType::Directory, ""),
        ("workspace/target/../../out", EntryType::Directory, ""),
    ] {
        let store = TempDir::new().expect("a store");
        put(store.path(), &archive(name, kind, link, b""), 100);
        let machine = Machine::new(store.path());
        let restored = restored(&machine).await;
        assert_eq!(
            (restored.extent, restored.files),
            (Extent::Nothing, 0),
            "{name}: {restored:?}"
        );
        assert_eq!(restored.trouble.len(), 1, "{name}");
        for path in ["work/target", "work/src", "home/.ssh", "out"] {
            assert!(!machine.path(path).exists(), "{name}: {path}");
        }
        assert!(!Path::new("/tmp/reprise-out").exists());
    }
}

#[tokio::test]
async fn nothing_is_written_through_a_link_that_lies_in_the_workspace() {
    let store = TempDir::new().expect("a store");
    put(
        store.path(),
        &archive("workspace/target/x/y", EntryType::Regular, "", b"abc"),
        3,
    );
    let machine = Machine::new(store.path());
    let elsewhere = machine.path("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    symlink(&elsewhere, machine.path("work/target")).expect("a link");
    let first = restored(&machine).await;
    assert_eq!((first.files, first.left_out.len()), (0, 1), "{first:?}");
    assert!(fs::read_dir(&elsewhere).expect("a folder").next().is_none());
    // A link at the file's own place is replaced, and what it leads to is left alone.
    fs::remove_file(machine.path("work/target")).expect("removed");
    fs::create_dir_all(machine.path("work/target/x")).expect("a folder");
    fs::write(elsewhere.join("kept"), "kept").expect("written");
    symlink(elsewhere.join("kept"), machine.path("work/target/x/y")).expect("a link");
    let second = restored(&machine).await;
    assert_eq!(second.files, 1, "{second:?}");
    assert_eq!(fs::read(elsewhere.join("kept")).expect("read"), b"kept");
    assert_eq!(
        fs::read(machine.path("work/target/x/y")).expect("read"),
        b"abc"
    );
}

#[tokio::test]
async fn more_bytes_than_the_manifest_says_are_not_unpacked() {
    let store = TempDir::new().expect("a store");
    let zeros = vec![0; 1 << 20];
    put(
        store.path(),
        &archive("workspace/target/x", EntryType::Regular, "", &zeros),
        1_000,
    );
    let machine = Machine::new(store.path());
    let restored = restored(&machine).await;
    assert_eq!(restored.extent, Extent::Nothing, "{restored:?}");
    assert!(!machine.path("work/target/x").exists());
}

#[tokio::test]
async fn more_members_or_a_larger_archive_than_the_manifest_says_are_not_brought_back() {
    let store = TempDir::new().expect("a store");
    let two = |name: &str| archive(name, EntryType::Regular, "", b"");
    let joined = zstd::decode_all(&two("workspace/target/x")[..]).expect("unpacked");
    let other = zstd::decode_all(&two("workspace/target/y")[..]).expect("unpacked");
    // Without the two blocks that end an archive.
    let joined = [&joined[..512], &other[..]].concat();
    put(
        store.path(),
        &zstd::encode_all(&joined[..], 1).expect("packed"),
        0,
    );
    let machine = Machine::new(store.path());
    let first = restored(&machine).await;
    assert_eq!((first.files, first.trouble.len()), (1, 1), "{first:?}");
    assert!(!machine.path("work/target/y").exists());
    // It is what the manifest's checksum is of, and is not even fetched.
    put(store.path(), &vec![0; 1 << 20], 3);
    let second = restored(&machine).await;
    let told = second.trouble.first().map(ToString::to_string);
    assert!(
        told.as_ref()
            .is_some_and(|told| told.contains("not fetched")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_manifest_of_another_job_or_of_none_does_not_count() {
    let good = archive("workspace/target/x", EntryType::Regular, "", b"abc");
    for (from, to) in [
        ("\"acme/shop\"", "\"mallory/shop\""),
        ("\"own\"", "\"fork-1\""),
        ("9000000001", "9000000002"),
        ("\"job\":\"build\"", "\"job\":\"other\""),
        ("\"attempt\":1", "\"attempt\":2"),
        ("\"version\":1", "\"version\":2"),
        ("{", "nonsense{"),
    ] {
        let store = TempDir::new().expect("a store");
        put(store.path(), &good, 3);
        let manifest = super::tests::find(store.path(), "manifest.json");
        let text = fs::read_to_string(&manifest).expect("read");
        assert!(text.contains(from), "{from}: {text}");
        fs::write(&manifest, text.replacen(from, to, 1)).expect("written");
        let machine = Machine::new(store.path());
        let restored = restored(&machine).await;
        assert_eq!(restored.extent, Extent::Nothing, "{from}");
        assert_eq!(restored.trouble.len(), 1, "{from}");
    }
}

#[test]
fn a_declaration_counts_only_as_a_file_that_nobody_else_could_write() {
    let folder = TempDir::new().expect("a folder");
    let paths = [PathBuf::from("target")];
    let places = Places::new(folder.path(), folder.path(), &paths).expect("places");
    let declared = Declaration::new(
        "file:///x".to_owned(),
        None,
        scope("build"),
        1,
        places,
        1,
        true,
    );
    let path = folder.path().join("declaration");
    declared.write(&path).expect("written");
    assert_eq!(Declaration::read(&path).expect("read"), declared);
    let mode = fs::metadata(&path).expect("facts").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let link = folder.path().join("link");
    symlink(&path, &link).expect("a link");
    assert!(Declaration::read(&link).is_err());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).expect("a mode");
    let error = Declaration::read(&path).expect_err("others could write it");
    assert!(matches!(error, CheckpointError::NotOurs(_)), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    for nonsense in ["", "{}", "[]", "{\"version\":1}"] {
        fs::write(&path, nonsense).expect("written");
        let error = Declaration::read(&path).expect_err("nonsense");
        assert!(matches!(error, CheckpointError::Unreadable(_)), "{error}");
    }
}
