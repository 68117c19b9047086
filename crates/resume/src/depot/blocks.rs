//! Blocks of memory that are used again, and work on them beside their way.
//!
//! A block that is given back is neither cleared nor mapped anew, which for each gigabyte would cost as much as a copy of it;
//! and memory stays what was under way at once, whichever threads it was on.

use std::io::{self, ErrorKind, Read};
use std::ops::{Deref, DerefMut};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::checksum::Hasher;
use bytes::Bytes;

use super::error::DepotError;

/// How many blocks wait for the work on them.
const WAITING: usize = 2;

/// Blocks that nobody uses now.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

/// A block that goes back to its pool.
#[derive(Debug)]
pub(super) struct Block {
    bytes: Vec<u8>,
    pool: Pool,
}

impl Pool {
    /// A block of so many bytes, with whatever was in it.
    pub(super) fn take(&self, length: usize) -> Block {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = free.pop().unwrap_or_default();
        bytes.resize(length, 0);
        Block {
            bytes,
            pool: self.clone(),
        }
    }

    /// What comes next of a file, so many bytes at most; empty at its end.
    pub(super) fn read(&self, from: &mut impl Read, length: usize) -> io::Result<Bytes> {
        let mut block = self.take(length);
        loop {
            match from.read(&mut block) {
                Ok(count) => {
                    block.bytes.truncate(count);
                    return Ok(block.freeze());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Block {
    /// From now on nobody writes to it; it goes back when the last one who reads it has done so.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut free = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(std::mem::take(&mut self.bytes));
    }
}

/// Work on blocks on a thread of its own, while they go where they go.
#[derive(Debug)]
pub(super) struct Aside<T> {
    blocks: SyncSender<Bytes>,
    thread: JoinHandle<T>,
}

impl Aside<Hasher> {
    /// Takes the checksum of all blocks.
    pub(super) fn hash() -> io::Result<Self> {
        Self::begin(Hasher::new(), |hash, block| {
            hash.update(block);
        })
    }
}

impl<T: Send + 'static> Aside<T> {
    /// Begins it.
    pub(super) fn begin(mut state: T, work: fn(&mut T, &[u8])) -> io::Result<Self> {
        let (blocks, waiting) = sync_channel::<Bytes>(WAITING);
        let thread = std::thread::Builder::new().spawn(move || {
            for block in waiting {
                work(&mut state, &block);
            }
            state
        })?;
        Ok(Self { blocks, thread })
    }

    /// The next block; waits while others wait.
    pub(super) fn take(&self, block: Bytes) {
        // Where the thread has ended, `finish` says so.
        self.blocks.send(block).ok();
    }

    /// All blocks were taken: what came of the work.
    pub(super) fn finish(self) -> Result<T, DepotError> {
        drop(self.blocks);
        self.thread.join().map_err(|_| DepotError::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_again_once_nobody_reads_it() {
        let pool = Pool::default();
        let first = pool.read(&mut b"abc".as_slice(), 8).expect("read");
        assert_eq!(first, "abc");
        let reader = first.clone();
        drop(first);
        assert_eq!(pool.take(8).len(), 8);
        assert_eq!(reader, "abc", "it was not written to");
        drop(reader);
        assert_eq!(pool.0.lock().expect("free").len(), 2);
    }

    #[test]
    fn work_beside_sees_each_block_in_its_order() {
        let aside = Aside::begin(Vec::new(), |seen: &mut Vec<u8>, block: &[u8]| {
            seen.extend_from_slice(block);
        });
        let aside = aside.expect("begun");
        for block in ["one ", "two ", "three"] {
            aside.take(block.into());
        }
        assert_eq!(aside.finish().expect("ended well"), b"one two three");
    }
}
