//! Which jobs of a run still have to run, judged by their artifacts in object storage.
//!
//! What there is, an [`Inventory`] lists; what that means is decided from data to data.

mod inventory;
mod key;

pub use inventory::{Inventory, InventoryError};
pub use key::{Key, KeyError, Prefix};
