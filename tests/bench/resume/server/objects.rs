//! What the server has: objects made of files, and uploads that are to become some.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::http::Piece;

/// What one page of a list holds at most, as S3's.
const PAGE: usize = 1000;

/// An object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    pieces: Vec<Piece>,
    pub(crate) version: u64,
    /// The headers that it was put with and is fetched with.
    pub(crate) kept: String,
}

impl Object {
    pub(crate) fn size(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.length).sum()
    }

    /// The pieces that a range consists of.
    pub(crate) fn range(&self, from: u64, end: u64) -> Vec<Piece> {
        let mut begins = 0;
        let mut found = Vec::new();
        for piece in &self.pieces {
            let ends = begins + piece.length;
            let (first, last) = (from.max(begins), end.min(ends));
            if first < last {
                found.push(Piece {
                    file: piece.file.clone(),
                    from: first - begins,
                    length: last - first,
                });
            }
            begins = ends;
        }
        found
    }
}

/// An upload in parts.
#[derive(Debug, Default)]
struct Upload {
    parts: BTreeMap<u64, Piece>,
    kept: String,
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) paths: Vec<String>,
    /// Where the next one goes on; none where it is the last.
    pub(crate) next: Option<String>,
}

/// All that there is.
#[derive(Debug)]
pub(crate) struct Objects {
    folder: PathBuf,
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    numbered: u64,
    pub(crate) pages: u64,
}

impl Objects {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            numbered: 0,
            pages: 0,
        }
    }

    /// A number that nothing else has.
    fn number(&mut self) -> u64 {
        self.numbered += 1;
        self.numbered
    }

    /// A file that does not count yet.
    pub(crate) fn new_file(&mut self) -> io::Result<(PathBuf, File)> {
        let name = self.number().to_string();
        let path = self.folder.join(name);
        let file = File::create(&path)?;
        Ok((path, file))
    }

    pub(crate) fn put(&mut self, path: &str, pieces: Vec<Piece>, kept: String) -> u64 {
        let version = self.number();
        let object = Object {
            pieces,
            version,
            kept,
        };
        self.objects.insert(path.to_owned(), object);
        version
    }

    pub(crate) fn begin(&mut self, kept: String) -> String {
        let name = format!("upload-{}", self.number());
        let upload = Upload {
            parts: BTreeMap::new(),
            kept,
        };
        self.uploads.insert(name.clone(), upload);
        name
    }

    /// Whether there is such an upload; its part is kept then.
    pub(crate) fn part(&mut self, upload: &str, number: u64, piece: Piece) -> bool {
        match self.uploads.get_mut(upload) {
            Some(upload) => {
                upload.parts.insert(number, piece);
                true
            }
            None => false,
        }
    }

    /// Makes an object of an upload's parts; its version.
    pub(crate) fn complete(&mut self, path: &str, upload: &str) -> Option<u64> {
        let upload = self.uploads.remove(upload)?;
        let pieces = upload.parts.into_values().collect();
        Some(self.put(path, pieces, upload.kept))
    }

    pub(crate) fn get(&self, path: &str) -> Option<Object> {
        self.objects.get(path).cloned()
    }

    pub(crate) fn list(&mut self, below: &str, after: Option<&str>) -> Page {
        self.pages += 1;
        let after = after.unwrap_or("");
        let mut paths: Vec<String> = self
            .objects
            .keys()
            .filter(|path| path.starts_with(below) && path.as_str() > after)
            .take(PAGE + 1)
            .cloned()
            .collect();
        let more = paths.len() > PAGE;
        paths.truncate(PAGE);
        let next = paths.last().filter(|_| more).cloned();
        Page { paths, next }
    }

    pub(crate) fn pretend(&mut self, paths: impl Iterator<Item = String>) {
        self.objects
            .extend(paths.map(|path| (path, Object::default())));
    }

    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.objects.clear();
        self.uploads.clear();
        std::fs::remove_dir_all(&self.folder)?;
        std::fs::create_dir_all(&self.folder)
    }
}
