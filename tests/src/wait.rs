//! Waiting for something that another process does.
//!
//! The only place of the tests that lets real time pass: it looks again and again until there is
//! something to see, and says what never came.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

/// How often to look.
const PAUSE: Duration = Duration::from_millis(25);

/// Looks until there is something, `patience` long at most.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    until_every(PAUSE, what, patience, look).await
}

/// The same with a pause of one's own, where each look takes from what is being measured.
pub async fn until_every<T>(
    each: Duration,
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let looking = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            pause(each).await;
        }
    };
    match tokio::time::timeout(patience, looking).await {
        Ok(found) => found,
        Err(_) => bail!("{what} did not come within {} s", patience.as_secs()),
    }
}

/// Looks until there is a file, for as long as the caller lives.
pub async fn for_file(path: &Path) {
    while !path.exists() {
        pause(PAUSE).await;
    }
}

/// Lets a time pass, for a bench whose events are to come at random moments; no test hopes on it.
pub async fn for_a_moment_of_its_own(length: Duration) {
    pause(length).await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "other processes run by the wall clock"
)]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}
