//! Folders as archives: there and back, and what must never be unpacked.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use tar::{Builder, EntryType, Header};

use object_store::PutOptions;
use object_store::path::Path as ObjectPath;

use super::cloud::attributes;
use super::seal::AT_THE_END;
use super::tests::{Quiet, Setting, key};
use super::*;

impl Setting {
    fn tree(&self) -> PathBuf {
        let tree = self.at("tree");
        fs::create_dir_all(tree.join("bin/deep")).expect("made");
        fs::create_dir_all(tree.join("empty")).expect("made");
        fs::write(tree.join("bin/deep/tool"), "#!/bin/sh\n").expect("written");
        fs::set_permissions(tree.join("bin/deep/tool"), PermissionsExt::from_mode(0o755))
            .expect("set");
        symlink("deep/tool", tree.join("bin/link")).expect("linked");
        // More than a part, and nothing that zstd could make small.
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(6 << 20)
        .collect();
        fs::write(tree.join("noise"), noise).expect("written");
        fs::write(tree.join("name with äöü"), "").expect("written");
        fs::set_permissions(tree.join("bin/deep"), PermissionsExt::from_mode(0o555)).expect("set");
        tree
    }

    fn is_whole(&self, place: &Path) {
        let tree = self.at("tree");
        let read = |name: &str| fs::read(place.join(name)).expect("unpacked");
        assert_eq!(read("noise"), fs::read(tree.join("noise")).expect("read"));
        assert_eq!(read("bin/link"), b"#!/bin/sh\n");
        assert_eq!(read("name with äöü"), b"");
        assert!(place.join("empty").is_dir());
        let link = fs::read_link(place.join("bin/link")).expect("a link");
        assert_eq!(link, Path::new("deep/tool"));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&place.join("bin/deep/tool")), 0o755);
        assert_eq!(mode(&place.join("bin/deep")), 0o555);
    }

    /// Nothing of an attempt is left, neither at the place nor beside it.
    fn is_untouched(&self, place: &Path) {
        assert!(!place.exists());
        let left = fs::read_dir(self.here.path()).expect("read");
        for entry in left {
            let name = entry.expect("an entry").file_name();
            assert!(!name.to_string_lossy().contains("unfinished"), "{name:?}");
        }
    }

    /// Keeps what says where the checksum is, and not the bytes.
    async fn overwrite(&self, name: &str, bytes: Vec<u8>) {
        let put = PutOptions {
            attributes: attributes(AT_THE_END),
            ..PutOptions::default()
        };
        let path = ObjectPath::from(format!("all/of it/{name}"));
        let put = self.memory.put_opts(&path, bytes.into(), put).await;
        put.expect("put");
    }

    async fn put_archive(&self, bytes: &[u8]) -> Depot {
        let packed = zstd::encode_all(bytes, 1).expect("packed");
        fs::write(self.at("made.tar.zst"), packed).expect("written");
        let depot = self.folder();
        let file = self.at("made.tar.zst");
        self.put(&depot, &key("a.tar.zst"), &file)
            .await
            .expect("put");
        depot
    }
}

#[tokio::test]
async fn a_folder_comes_back_the_same_from_every_kind_of_store() {
    let here = Setting::new();
    let tree = here.tree();
    for (depot, place) in [
        (here.folder(), here.at("of the folder")),
        (here.bucket(here.failing(0)), here.at("of the bucket")),
    ] {
        let put = depot.put_folder(&key("a.tar.zst"), &tree, &Quiet).await;
        let got = depot.get_folder(&key("a.tar.zst"), &place, &Quiet).await;
        assert_eq!(put.expect("put"), got.expect("got"));
        here.is_whole(&place);
        // As a file it is fetched like any other, and its end is looked at.
        let file = here.at("as a file");
        let got = depot.get(&key("a.tar.zst"), &file, &Quiet).await;
        assert!(got.expect("got").checksum.is_some());
        // Other people's decoders pass over the checksum.
        let plain = zstd::decode_all(fs::File::open(&file).expect("there")).expect("decoded");
        let mut archive = tar::Archive::new(plain.as_slice());
        assert_eq!(archive.entries().expect("read").count(), 7);
    }
}

#[tokio::test]
async fn a_small_folder_takes_one_request_and_an_empty_one_is_no_mistake() {
    let here = Setting::new();
    fs::create_dir(here.at("empty")).expect("made");
    let depot = here.bucket(here.failing(0));
    let put = depot.put_folder(&key("e"), &here.at("empty"), &Quiet).await;
    put.expect("put");
    let place = here.at("place");
    fs::create_dir(&place).expect("made");
    let got = depot.get_folder(&key("e"), &place, &Quiet).await;
    assert!(got.expect("got").checksum.is_some());
    assert_eq!(fs::read_dir(&place).expect("there").count(), 0);
}

#[tokio::test]
async fn an_archive_that_was_cut_off_or_changed_is_not_unpacked() {
    let here = Setting::new();
    let (depot, object) = (here.folder(), here.at("store/a.tar.zst"));
    let tree = here.tree();
    let put = depot.put_folder(&key("a.tar.zst"), &tree, &Quiet).await;
    put.expect("put");
    let whole = fs::read(&object).expect("there");
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    // Written anew, it has no attribute: what it ends with tells.
    for damaged in [&changed[..], &whole[..whole.len() / 2]] {
        fs::remove_file(&object).expect("removed");
        fs::write(&object, damaged).expect("written");
        let place = here.at("place");
        let got = depot.get_folder(&key("a.tar.zst"), &place, &Quiet).await;
        assert!(got.is_err(), "{} bytes", damaged.len());
        here.is_untouched(&place);
    }
}

#[tokio::test]
async fn an_archive_in_a_bucket_that_lost_its_end_is_not_unpacked() {
    let here = Setting::new();
    let depot = here.bucket(here.failing(0));
    fs::create_dir(here.at("small")).expect("made");
    fs::write(here.at("small/file"), "text").expect("written");
    let put = depot.put_folder(&key("a"), &here.at("small"), &Quiet).await;
    put.expect("put");
    let file = here.at("file");
    depot.get(&key("a"), &file, &Quiet).await.expect("got");
    let mut bytes = fs::read(&file).expect("there");
    bytes.truncate(bytes.len() - 40);
    here.overwrite("a", bytes).await;
    let got = depot.get_folder(&key("a"), &here.at("place"), &Quiet).await;
    assert!(matches!(got, Err(DepotError::Unsealed(_))), "{got:?}");
    here.is_untouched(&here.at("place"));
}

#[tokio::test]
async fn an_empty_folder_is_filled_and_stays_the_one_that_somebody_may_stand_in() {
    let here = Setting::new();
    let tree = here.tree();
    fs::create_dir(tree.join("sealed")).expect("made");
    fs::set_permissions(tree.join("sealed"), PermissionsExt::from_mode(0o555)).expect("set");
    let depot = here.folder();
    let put = depot.put_folder(&key("a.tar.zst"), &tree, &Quiet).await;
    put.expect("put");
    let place = here.at("place");
    fs::create_dir(&place).expect("made");
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&path.metadata().expect("there"));
    let before = inode(&place);
    // As `.` is for whoever stands in it.
    let got = depot
        .get_folder(&key("a.tar.zst"), &place.join("."), &Quiet)
        .await;
    got.expect("got");
    here.is_whole(&place);
    assert_eq!(inode(&place), before);
    let sealed = fs::metadata(place.join("sealed")).expect("there");
    assert_eq!(sealed.permissions().mode() & 0o777, 0o555);
    let names = |path: &Path| fs::read_dir(path).expect("read").count();
    assert_eq!(names(&place), names(&tree));
}

#[tokio::test]
async fn an_empty_folder_stays_empty_where_the_archive_is_damaged() {
    let here = Setting::new();
    let depot = here.put_archive(b"no archive").await;
    fs::write(here.at("store/a.tar.zst"), [0; 1024]).expect("written");
    let place = here.at("place");
    fs::create_dir(&place).expect("made");
    let got = depot.get_folder(&key("a.tar.zst"), &place, &Quiet).await;
    assert!(got.is_err(), "{got:?}");
    assert_eq!(fs::read_dir(&place).expect("there").count(), 0);
}

#[tokio::test]
async fn files_that_are_there_are_not_mixed_with_those_of_an_archive() {
    let here = Setting::new();
    let depot = here.put_archive(&[0; 1024]).await;
    fs::create_dir(here.at("place")).expect("made");
    fs::write(here.at("place/mine"), "mine").expect("written");
    let got = depot
        .get_folder(&key("a.tar.zst"), &here.at("place"), &Quiet)
        .await;
    assert!(matches!(got, Err(DepotError::NotEmpty(_))), "{got:?}");
}

/// A member of whatever name: tar's own setters refuse the worst ones.
fn member(archive: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, target: &str, text: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(text.len() as u64);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_cksum();
    archive.append(&header, text).expect("appended");
}

#[tokio::test]
async fn no_archive_writes_outside_of_its_folder() {
    use EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};
    let here = Setting::new();
    fs::write(here.at("outside"), "mine").expect("written");
    let absolute = here.at("outside").display().to_string();
    let hostile: [&[(EntryType, &str, &str)]; 12] = [
        &[(Regular, "../outside", "")],
        &[(Regular, "a/../../outside", "")],
        &[(Regular, &absolute, "")],
        &[(Symlink, "a", "..")],
        &[(Symlink, "a", &absolute)],
        &[(Symlink, "a", "."), (Regular, "a/../outside", "")],
        &[
            (Symlink, "a", "b"),
            (Directory, "b", ""),
            (Regular, "a/c", ""),
        ],
        // Each by itself looks harmless: together they are the folder above.
        &[
            (Directory, "s", ""),
            (Symlink, "s/x", ".."),
            (Symlink, "z", "s/x/.."),
        ],
        &[(Link, "a", &absolute)],
        &[(Regular, "a", ""), (Regular, "a", "")],
        &[(Fifo, "a", "")],
        &[(Char, "a", ""), (Block, "b", "")],
    ];
    for members in hostile {
        let mut archive = Builder::new(Vec::new());
        for (kind, name, target) in members {
            let text: &[u8] = if *kind == Regular { b"theirs" } else { b"" };
            member(&mut archive, *kind, name, target, text);
        }
        let bytes = archive.into_inner().expect("made");
        let depot = here.put_archive(&bytes).await;
        let place = here.at("place");
        let got = depot.get_folder(&key("a.tar.zst"), &place, &Quiet).await;
        assert!(
            matches!(got, Err(DepotError::Hostile(_))),
            "{members:?}: {got:?}"
        );
        here.is_untouched(&place);
        let outside = fs::read_to_string(here.at("outside")).expect("there");
        assert_eq!(outside, "mine", "{members:?}");
    }
}

#[tokio::test]
async fn what_no_archive_may_have_is_not_put() {
    for store in ["folder", "bucket"] {
        let here = Setting::new();
        let depot = match store {
            "folder" => here.folder(),
            _ => here.bucket(here.failing(0)),
        };
        let tree = here.tree();
        symlink("/etc/passwd", tree.join("zz")).expect("linked");
        let put = depot.put_folder(&key("a"), &tree, &Quiet).await;
        assert!(matches!(put, Err(DepotError::LeadsOut(_))), "{put:?}");
        assert!(
            !depot.exists(&key("a")).await.expect("an answer"),
            "{store}"
        );
    }
}
