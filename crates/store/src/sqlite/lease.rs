//! The leases: one statement each, so that two processes cannot both come first.

use rusqlite::{Connection, OptionalExtension, named_params};

use crate::lease::{Fence, HolderId, LeaseName};
use crate::time::Millis;

/// A renewal keeps the fence; every other holder gets the next one.
const TAKE: &str = "INSERT INTO leases (name, holder, fence, held_until)
     VALUES (:name, :holder, 1, :until)
     ON CONFLICT (name) DO UPDATE SET
         fence = fence + (holder IS NOT excluded.holder),
         holder = excluded.holder, held_until = excluded.held_until
     WHERE holder IS NULL OR holder = excluded.holder OR held_until <= :now
     RETURNING fence";

const RELEASE: &str = "UPDATE leases SET holder = NULL
     WHERE name = :name AND holder = :holder AND fence = :fence";

pub(super) fn take(
    connection: &Connection,
    name: LeaseName,
    holder: &HolderId,
    now: Millis,
    until: Millis,
) -> rusqlite::Result<Option<Fence>> {
    connection
        .prepare_cached(TAKE)?
        .query_row(
            named_params! {
                ":name": name.as_str(), ":holder": holder.as_str(), ":now": now.0, ":until": until.0,
            },
            |row| row.get(0).map(|fence: i64| Fence(fence.cast_unsigned())),
        )
        .optional()
}

pub(super) fn release(
    connection: &Connection,
    name: LeaseName,
    holder: &HolderId,
    fence: Fence,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(RELEASE)?
        .execute(named_params! {
            ":name": name.as_str(), ":holder": holder.as_str(), ":fence": fence.0.cast_signed(),
        })
        .map(drop)
}
