//! Free memory that is as good as used memory.
//!
//! A virtual machine gives its host back what it has not used for some seconds, and fetches it again page by page: that took up to
//! 2.5 s for 1 GiB, five times what a copy takes, for whoever came to such pages. So all of them are touched before each transfer.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

const BLOCK: usize = 1 << 20;

/// Has the page cache take what is free but for so much, which it gives back when it is asked for: then there is less to touch.
pub(crate) fn keep_busy(folder: &Path, leave: u64) -> Result<()> {
    read_nothing(&folder.join("ballast"), free()?.saturating_sub(leave))
}

/// Touches what is free but for so much.
pub(crate) fn touch_free(folder: &Path, leave: u64) -> Result<()> {
    let file = folder.join("touch");
    read_nothing(&file, free()?.saturating_sub(leave))?;
    Ok(std::fs::remove_file(file)?)
}

/// Reads a file that is one hole: pages in memory, and no disk.
fn read_nothing(path: &Path, length: u64) -> Result<()> {
    File::create(path)?.set_len(length)?;
    let (mut file, mut block) = (File::open(path)?, vec![0; BLOCK]);
    while file.read(&mut block)? > 0 {}
    Ok(())
}

/// In bytes.
fn free() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemFree:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes
        .context("/proc/meminfo names no MemFree")?
        .parse()?;
    Ok(kibibytes * 1024)
}
