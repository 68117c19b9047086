//! A folder as a `.tar.zst`, packed while it is sent.
//!
//! What could lead out of a folder when it is unpacked is not packed in the first place.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::error::DepotError;
use super::seal::Sealer;

/// zstd's own default: faster than most networks, and little memory.
const LEVEL: i32 = 3;

/// Packs a folder into whatever takes it, with its checksum at the end.
pub(super) fn pack<W: Write>(folder: &Path, into: W) -> Result<W, DepotError> {
    let failed = || DepotError::file("pack", folder);
    let sealed = Sealed {
        into,
        sealer: Sealer::default(),
    };
    let mut encoder = zstd::Encoder::new(sealed, LEVEL).map_err(failed())?;
    encoder.include_checksum(true).map_err(failed())?;
    let mut builder = Builder::new(encoder);
    add_folder(&mut builder, folder, Path::new(""))?;
    let encoder = builder.into_inner().map_err(failed())?;
    let Sealed { mut into, sealer } = encoder.finish().map_err(failed())?;
    into.write_all(&sealer.trailer()).map_err(failed())?;
    Ok(into)
}

/// In the order of names, so that the same folder makes the same archive.
fn add_folder<W: Write>(
    builder: &mut Builder<W>,
    root: &Path,
    below: &Path,
) -> Result<(), DepotError> {
    let folder = root.join(below);
    let read = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = read.map_err(DepotError::file("read", &folder))?;
    let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
    names.sort();
    for name in names {
        let path = below.join(name);
        let full = root.join(&path);
        let facts = fs::symlink_metadata(&full).map_err(DepotError::file("look at", &full))?;
        add(builder, &full, &path, &facts)?;
        if facts.is_dir() {
            add_folder(builder, root, &path)?;
        }
    }
    Ok(())
}

fn add<W: Write>(
    builder: &mut Builder<W>,
    full: &Path,
    path: &Path,
    facts: &Metadata,
) -> Result<(), DepotError> {
    let mut header = Header::new_gnu();
    header.set_metadata(facts);
    // Whose a file is means nothing on another machine.
    header.set_uid(0);
    header.set_gid(0);
    let added = if facts.is_dir() {
        builder.append_data(&mut header, path, io::empty())
    } else if facts.is_file() {
        File::open(full).and_then(|file| {
            let data = Exactly {
                file,
                left: facts.len(),
            };
            builder.append_data(&mut header, path, data)
        })
    } else if facts.is_symlink() {
        let target = fs::read_link(full).map_err(DepotError::file("read", full))?;
        if !stays_within(path, &target) {
            return Err(DepotError::LeadsOut(full.to_owned()));
        }
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, path, target)
    } else {
        return Err(DepotError::NoFile(full.to_owned()));
    };
    added.map_err(DepotError::file("pack", full))
}

/// Whether a link's target is in the folder that the link is packed with.
///
/// `..` may stand only at the target's beginning: behind a name it means the parent of wherever that name leads.
pub(crate) fn stays_within(link: &Path, target: &Path) -> bool {
    let mut up = link.components().count().saturating_sub(1);
    let mut inside = false;
    target.components().all(|part| match part {
        Component::Normal(_) => {
            inside = true;
            true
        }
        Component::CurDir => true,
        Component::ParentDir if inside || up == 0 => false,
        Component::ParentDir => {
            up -= 1;
            true
        }
        Component::RootDir | Component::Prefix(_) => false,
    })
}

/// As many bytes as the file had when its header was written: more or fewer would break the archive.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(into.len());
        let count = self.file.read(&mut into[..most])?;
        if count == 0 && most > 0 {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        self.left -= u64::try_from(count).unwrap_or(self.left);
        Ok(count)
    }
}

/// Takes the checksum of what is packed on its way.
struct Sealed<W> {
    into: W,
    sealer: Sealer,
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.into.write(bytes)?;
        self.sealer.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// The path of an archive's member, where it is one below the folder that it is unpacked into.
pub(super) fn member(path: &Path) -> Option<PathBuf> {
    let mut safe = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => safe.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_within_their_folder_also_over_other_links() {
        for (link, target, stays) in [
            ("a", "b", true),
            ("a/b", "../c", true),
            ("a/b/c", "../../d/e", true),
            ("a", "../b", false),
            ("a/b", "../../c", false),
            ("a", "/etc/passwd", false),
            ("a", "b/../../c", false),
            // `b` may be a link to `.`, and then this is the folder above.
            ("a", "b/..", false),
        ] {
            let found = stays_within(Path::new(link), Path::new(target));
            assert_eq!(found, stays, "{link} -> {target}");
        }
    }
}
