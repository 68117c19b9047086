//! Reads a body whole, but never more of it than expected.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

/// Far more than any answer that the agent wants: a role's credentials have about two thousand
/// bytes, a denial with its encoded message about three thousand.
pub(crate) const LIMIT_BYTES: usize = 16 * 1024;

/// The body's bytes, or what is wrong with it.
pub(crate) async fn read(body: Incoming) -> Result<Vec<u8>, String> {
    match Limited::new(body, LIMIT_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(format!("the answer is longer than {LIMIT_BYTES} bytes"))
        }
        Err(error) => Err(format!("the answer breaks off: {error}")),
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
