//! Files into the archive of a segment, while the job may still be writing to them.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::depot::checksum::{Hasher, hex};
use tar::{Builder, EntryType, Header};

use super::error::CheckpointError;
use super::files::{Found, Kind, LeftOut, Why};
use super::manifest::Segment;

/// The quickest that still halves most of what builds make.
const LEVEL: i32 = 1;

/// A file that has at most that many bytes is read before it is packed, and left out when it changed meanwhile.
const AT_ONCE: u64 = 1 << 20;

/// A segment, packed.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) segment: Segment,
    pub(super) left_out: Vec<LeftOut>,
}

/// Packs files into an empty file; nothing where none of them could be packed.
///
/// A larger file that changes while it is packed would leave a hole in the archive: then all is packed again without it.
pub(super) fn pack(
    files: &[Found],
    into: &mut File,
    path: &Path,
    stop: &AtomicBool,
) -> Result<Packed, CheckpointError> {
    let mut left_out = Vec::new();
    loop {
        let failed = || CheckpointError::file("pack into", path);
        into.set_len(0).map_err(failed())?;
        into.seek(SeekFrom::Start(0)).map_err(failed())?;
        let is_in = |file: &&Found| left_out.iter().all(|one: &LeftOut| one.path != file.full);
        let files: Vec<&Found> = files.iter().filter(is_in).collect();
        match pack_once(&files, into, stop).map_err(failed())? {
            Ok((segment, mut more)) => {
                left_out.append(&mut more);
                return Ok(Packed { segment, left_out });
            }
            Err(changed) => left_out.push(changed),
        }
    }
}

type Tried = Result<(Segment, Vec<LeftOut>), LeftOut>;

fn pack_once(files: &[&Found], into: &mut File, stop: &AtomicBool) -> io::Result<Tried> {
    let summed = Summed {
        into,
        sum: Hasher::new(),
    };
    let mut encoder = zstd::Encoder::new(summed, LEVEL)?;
    encoder.include_checksum(true)?;
    let mut builder = Builder::new(encoder);
    let mut segment = Segment {
        checksum: String::new(),
        bytes: 0,
        files: 0,
    };
    let mut left_out = Vec::new();
    for file in files {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("there is no time left"));
        }
        match add(&mut builder, file, stop)? {
            Added::Bytes(bytes) => {
                segment.bytes += bytes;
                segment.files += 1;
            }
            Added::Nothing(why) => left_out.push(left(file, why)),
            Added::Broken => return Ok(Err(left(file, Why::Changed))),
        }
    }
    let summed = builder.into_inner()?.finish()?;
    segment.checksum = hex(&summed.sum);
    Ok(Ok((segment, left_out)))
}

fn left(file: &Found, why: Why) -> LeftOut {
    LeftOut {
        path: file.full.clone(),
        why,
    }
}

enum Added {
    Bytes(u64),
    Nothing(Why),
    /// The archive is of no use any more.
    Broken,
}

fn add<W: Write>(builder: &mut Builder<W>, found: &Found, stop: &AtomicBool) -> io::Result<Added> {
    match &found.kind {
        Kind::File => add_file(builder, found, stop),
        Kind::Link(target) => {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            header.set_mode(0o777);
            builder.append_link(&mut header, &found.member, target)?;
            Ok(Added::Bytes(0))
        }
        Kind::EmptyFolder => add_folder(builder, found),
    }
}

fn add_folder<W: Write>(builder: &mut Builder<W>, found: &Found) -> io::Result<Added> {
    let facts = match found.full.symlink_metadata() {
        Ok(facts) if facts.is_dir() => facts,
        Ok(_) => return Ok(Added::Nothing(Why::Changed)),
        // Programs make such folders for a moment. Nobody misses one.
        Err(_) => return Ok(Added::Nothing(Why::Gone)),
    };
    let mut header = header(&facts);
    header.set_size(0);
    builder.append_data(&mut header, &found.member, io::empty())?;
    Ok(Added::Bytes(0))
}

fn add_file<W: Write>(
    builder: &mut Builder<W>,
    found: &Found,
    stop: &AtomicBool,
) -> io::Result<Added> {
    // What has become a pipe meanwhile must not have us wait for somebody at its other end.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(&found.full);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Added::Nothing(Why::Removed));
        }
        Err(_) => return Ok(Added::Nothing(Why::Unreadable)),
    };
    let before = file.metadata()?;
    if !before.is_file() {
        return Ok(Added::Nothing(Why::Changed));
    }
    let mut header = header(&before);
    if before.len() > AT_ONCE {
        let data = Exactly {
            file: &mut file,
            before: &before,
            left: before.len(),
            checked: before.len(),
            stop,
        };
        return Ok(
            match builder.append_data(&mut header, &found.member, data) {
                Ok(()) if is_same(&before, &file.metadata()?) => Added::Bytes(before.len()),
                Ok(()) => Added::Broken,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Added::Broken,
                Err(error) => return Err(error),
            },
        );
    }
    let mut data = Vec::new();
    if (&mut file).take(AT_ONCE).read_to_end(&mut data).is_err() {
        return Ok(Added::Nothing(Why::Unreadable));
    }
    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
    if length != before.len() || !is_same(&before, &file.metadata()?) {
        return Ok(Added::Nothing(Why::Changed));
    }
    builder.append_data(&mut header, &found.member, &data[..])?;
    Ok(Added::Bytes(length))
}

fn header(facts: &Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_metadata(facts);
    // Whose it is means nothing on another machine.
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Whether nobody has written to a file meanwhile, as far as its clock can tell.
fn is_same(before: &Metadata, after: &Metadata) -> bool {
    before.len() == after.len() && before.modified().ok() == after.modified().ok()
}

/// As many bytes as the file had when its header was written.
struct Exactly<'a> {
    file: &'a mut File,
    before: &'a Metadata,
    left: u64,
    /// How much was left when it was last looked whether the file is still the same.
    checked: u64,
    stop: &'a AtomicBool,
}

impl Read for Exactly<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("there is no time left"));
        }
        if self.checked - self.left >= AT_ONCE {
            self.checked = self.left;
            if !is_same(self.before, &self.file.metadata()?) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(into.len());
        let count = self.file.read(&mut into[..most])?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= u64::try_from(count).unwrap_or(self.left);
        Ok(count)
    }
}

/// Takes the checksum of what is packed on its way.
struct Summed<W> {
    into: W,
    sum: Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.into.write(bytes)?;
        self.sum.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}
