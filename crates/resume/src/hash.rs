//! One hash of many files: of which, a manifest says by patterns.
//!
//! The same files with the same content have the same hash on every machine: modes, times and the order in which a
//! folder is read do not count. Links are not followed, as they may lead out of the workspace; where one leads counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};
use sha2::{Digest, Sha256};

/// `*` and `?` stay within a folder, `**` does not, and a dot is a letter like others.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// Git's own folder, which differs from clone to clone.
const GIT: &str = ".git";

/// The files that patterns mean, as `Gemfile.lock,src/**`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileSet {
    globs: Vec<Pattern>,
}

/// The hashes of all files that a manifest names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hashes(BTreeMap<FileSet, String>);

/// Files cannot be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The folder or a file in it cannot be read.
    #[error("failed to read {path} for {{hash:{files}}}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// For what.
        files: FileSet,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// For one of the patterns there is none, and a hash of nothing would never change.
    #[error("no file in {workspace} matches {{hash:{files}}}; check the workspace out before, or correct the pattern", workspace = workspace.display())]
    NoFile {
        /// Where was looked.
        workspace: PathBuf,
        /// For what.
        files: FileSet,
    },
}

impl FileSet {
    pub(crate) fn parse(globs: &str) -> Result<Self, String> {
        let globs: Vec<&str> = globs.split(',').map(str::trim).collect();
        if globs.iter().any(|glob| glob.is_empty()) {
            return Err("has a {hash:} that names no files; write {hash:GLOB}".to_owned());
        }
        let leads_out =
            |glob: &str| glob.starts_with('/') || glob.split('/').any(|part| part == "..");
        if let Some(glob) = globs.iter().find(|glob| leads_out(glob)) {
            return Err(format!(
                "has {{hash:{glob}}}, which leads out of the workspace; name files in it, as {{hash:src/**}}"
            ));
        }
        let read = |glob: &str| {
            Pattern::new(glob.strip_prefix("./").unwrap_or(glob)).map_err(|error| {
                format!(
                    "has {{hash:{glob}}}, which is no pattern ({}); * and ? stay within a folder, ** goes below it",
                    error.msg
                )
            })
        };
        let globs: Result<Vec<Pattern>, String> = globs.into_iter().map(read).collect();
        globs.map(|globs| Self { globs })
    }

    fn has(&self, path: &str) -> bool {
        self.globs
            .iter()
            .any(|glob| glob.matches_with(path, OPTIONS))
    }

    /// Where all of its files lie below: `src` for `src/**`.
    fn beginnings(&self) -> BTreeSet<PathBuf> {
        let begins = |glob: &Pattern| {
            let parts: Vec<&str> = glob.as_str().split('/').collect();
            let folders = &parts[..parts.len().saturating_sub(1)];
            let literal = |part: &&&str| !part.contains(['*', '?', '[']);
            folders.iter().take_while(literal).collect()
        };
        self.globs.iter().map(begins).collect()
    }

    fn hash(&self, workspace: &Path) -> Result<String, HashError> {
        let mut files = BTreeMap::new();
        for begin in self.beginnings() {
            self.gather(workspace, &begin, &mut files)?;
        }
        let means_none =
            |glob: &&Pattern| !files.keys().any(|name| glob.matches_with(name, OPTIONS));
        if let Some(glob) = self.globs.iter().find(means_none) {
            return Err(HashError::NoFile {
                workspace: workspace.to_owned(),
                files: Self {
                    globs: vec![glob.clone()],
                },
            });
        }
        let mut whole = Sha256::new();
        for (name, content) in files {
            whole.update(Sha256::digest(name));
            whole.update(content);
        }
        Ok(hex::encode(whole.finalize()))
    }

    /// Finds the files below a folder of the workspace, with the hash of each.
    fn gather(
        &self,
        workspace: &Path,
        folder: &Path,
        files: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<(), HashError> {
        let whole = workspace.join(folder);
        let unreadable = |source| self.unreadable(&whole, source);
        let entries = match fs::read_dir(&whole) {
            Ok(entries) => entries,
            Err(error) if is_no_folder(&error) => return Ok(()),
            Err(error) => return Err(unreadable(error)),
        };
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            let path = folder.join(entry.file_name());
            if kind.is_dir() {
                if entry.file_name() != GIT {
                    self.gather(workspace, &path, files)?;
                }
                continue;
            }
            let name = path.to_string_lossy().into_owned();
            // Nothing else has a content; a pipe would have us wait for one.
            if (kind.is_file() || kind.is_symlink()) && self.has(&name) {
                let content = content(&entry.path(), kind.is_symlink());
                let content = content.map_err(|error| self.unreadable(&entry.path(), error))?;
                files.insert(name, content);
            }
        }
        Ok(())
    }

    fn unreadable(&self, path: &Path, source: io::Error) -> HashError {
        HashError::Unreadable {
            path: path.to_owned(),
            files: self.clone(),
            source,
        }
    }
}

impl fmt::Display for FileSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let globs: Vec<&str> = self.globs.iter().map(Pattern::as_str).collect();
        f.write_str(&globs.join(","))
    }
}

impl Hashes {
    /// Hashes files of a workspace.
    ///
    /// # Errors
    /// Where files cannot be read, or there are none.
    pub fn of<'a>(
        wanted: impl IntoIterator<Item = &'a FileSet>,
        workspace: &Path,
    ) -> Result<Self, HashError> {
        let hash = |files: &FileSet| Ok((files.clone(), files.hash(workspace)?));
        let hashed: Result<BTreeMap<_, _>, HashError> = wanted.into_iter().map(hash).collect();
        hashed.map(Self)
    }

    pub(crate) fn get(&self, files: &FileSet) -> Option<&str> {
        self.0.get(files).map(String::as_str)
    }
}

/// A pattern may name a folder that there is not: then it has no files.
fn is_no_folder(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn content(path: &Path, is_link: bool) -> io::Result<Vec<u8>> {
    let mut hash = Sha256::new();
    if is_link {
        hash.update(fs::read_link(path)?.as_os_str().as_encoded_bytes());
        return Ok(hash.finalize().to_vec());
    }
    let mut file = File::open(path)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hash.finalize().to_vec());
        }
        hash.update(&piece[..read]);
    }
}

#[cfg(test)]
mod tests;
