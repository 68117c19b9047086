//! The store, by its address.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use reprise_resume::{Inventory, InventoryError, Key, Prefix};

/// Opens the store at an address.
pub(super) fn open(address: &str) -> Result<Folder> {
    match address.strip_prefix("file://") {
        Some(path) if path.starts_with('/') => Ok(Folder(PathBuf::from(path))),
        Some(_) | None => bail!("the store {address:?} cannot be opened; write file:///FOLDER"),
    }
}

/// A folder of this machine.
pub(super) struct Folder(PathBuf);

impl Inventory for Folder {
    async fn list(&self, prefix: &Prefix) -> Result<Vec<Key>, InventoryError> {
        let keys = below(&self.0, prefix.as_str());
        keys.map_err(|source| InventoryError {
            prefix: prefix.clone(),
            source: Box::new(source),
        })
    }
}

fn below(root: &Path, prefix: &str) -> std::io::Result<Vec<Key>> {
    // A store that is not there must not look like one that is empty.
    root.metadata()?;
    let mut open = VecDeque::from([prefix.to_owned()]);
    let mut keys = Vec::new();
    while let Some(folder) = open.pop_front() {
        let entries = match root.join(&folder).read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = format!("{folder}/{name}");
            if entry.file_type()?.is_dir() {
                open.push_back(path);
            } else {
                keys.extend(Key::parse(&path));
            }
        }
    }
    Ok(keys)
}
