//! What is known here of an upload that is under way, so that the next process goes on with it.
//!
//! A file of lines: the upload's name, then a line for each part that the store has. A line that was cut off by the
//! process's end does not count, and its part is sent again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The journal of one upload; nobody else has it while this one is open.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

/// What a journal tells of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Begun {
    pub(super) upload: String,
    pub(super) parts: BTreeMap<usize, String>,
}

impl Journal {
    /// Opens that of an upload, by all that tells it from others; none while another process has it.
    pub(super) fn open(folder: &Path, identity: &[&str]) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let name = hex::encode(Sha256::digest(identity.join("\n")));
        let path = folder.join(format!("{name}.upload"));
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// What an earlier process had done.
    pub(super) fn begun(&mut self) -> io::Result<Option<Begun>> {
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(0))?;
        match self.file.read_to_string(&mut text) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
            Err(error) => return Err(error),
        }
        let read = read(&text);
        // What follows is written after the last whole line.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.file.set_len(whole as u64)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(read)
    }

    pub(super) fn begin(&mut self, upload: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.line(&serde_json::json!({ "upload": upload }))
    }

    pub(super) fn part(&mut self, index: usize, id: &str) -> io::Result<()> {
        self.line(&serde_json::json!({ "part": index, "id": id }))
    }

    /// The upload has come to its end.
    pub(super) fn end(self) {
        // One that stays names an upload that is no more: the next process finds that out by itself.
        std::fs::remove_file(&self.path).ok();
    }

    fn line(&mut self, value: &serde_json::Value) -> io::Result<()> {
        self.file.write_all(format!("{value}\n").as_bytes())
    }
}

fn read(text: &str) -> Option<Begun> {
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let mut lines = whole.map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let upload = lines.next()??.get("upload")?.as_str()?.to_owned();
    let part = |line: Option<serde_json::Value>| {
        let line = line?;
        let index = usize::try_from(line.get("part")?.as_u64()?).ok()?;
        Some((index, line.get("id")?.as_str()?.to_owned()))
    };
    Some(Begun {
        upload,
        parts: lines.filter_map(part).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_was_cut_off_anywhere_tells_of_no_part_that_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), &["a"])
            .expect("opened")
            .expect("free");
        journal.begin("up").expect("written");
        journal.part(0, "zero").expect("written");
        journal.part(2, "two").expect("written");
        let text = std::fs::read_to_string(&journal.path).expect("read");
        let all = read(&text).expect("begun").parts;
        assert_eq!(all.len(), 2);
        for end in 0..text.len() {
            if let Some(begun) = read(&text[..end]) {
                assert_eq!(begun.upload, "up");
                assert!(
                    begun
                        .parts
                        .iter()
                        .all(|(index, id)| all.get(index) == Some(id)),
                    "{end}"
                );
            }
        }
    }

    #[test]
    fn a_journal_goes_on_after_the_last_whole_line_and_has_one_writer() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Journal::open(folder.path(), &["a", "b"]).expect("opened");
        let mut first = open().expect("free");
        assert!(open().is_none());
        first.begin("up").expect("written");
        first.file.write_all(b"{\"part\":0").expect("written");
        drop(first);
        let mut second = open().expect("free again");
        assert!(
            second
                .begun()
                .expect("read")
                .expect("begun")
                .parts
                .is_empty()
        );
        second.part(0, "zero").expect("written");
        let begun = second.begun().expect("read").expect("begun");
        assert_eq!(begun.parts, BTreeMap::from([(0, "zero".to_owned())]));
    }
}
