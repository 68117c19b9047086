//! HTTP/1.1 by hand: one request a connection, as the metadata service has it, and the ways in which
//! an answer breaks on its way, which a library for servers has no word for.

use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderName, HeaderValue};
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::until;
use crate::clock::ScaledClock;
use crate::imds::Delivery;

/// No request of a client of ours comes near it.
const LARGEST_REQUEST: usize = 256 * 1024;

/// The pace of [`Delivery::Drip`].
const DRIP_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// An answer and its way; `None` is silence for as long as the service is there.
pub(super) type Sent = Option<(Delivery, http::Response<Vec<u8>>)>;

/// Answers requests.
pub(super) type Answers = Arc<dyn Fn(&http::Request<Vec<u8>>) -> Sent + Send + Sync>;

/// Serves until told to stop: then the port is free and every conversation broken off.
pub(super) async fn serve(
    listener: TcpListener,
    answers: Answers,
    clock: ScaledClock,
    gone: watch::Receiver<bool>,
) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            () = until(gone.clone()) => return,
            Some(_) = conversations.join_next() => (),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let answers = Arc::clone(&answers);
                    conversations.spawn(async move {
                        // A client that goes away in the middle is its own affair.
                        let _ = converse(stream, &answers, clock).await;
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "a connection was not taken; raise the limit of open files");
                    clock.sleep(SignedDuration::from_millis(10)).await;
                }
            },
        }
    }
}

async fn converse(
    mut stream: TcpStream,
    answers: &Answers,
    clock: ScaledClock,
) -> std::io::Result<()> {
    let Some(request) = read(&mut stream).await? else {
        return stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await;
    };
    let Some((delivery, answer)) = answers(&request) else {
        return std::future::pending().await;
    };
    let (head, body) = written(answer);
    match delivery {
        Delivery::Whole => stream.write_all(&[head, body].concat()).await?,
        Delivery::Reset => {
            stream.write_all(&head[..head.len() / 2]).await?;
            // Without lingering, the end of a connection is a reset.
            return stream.set_zero_linger();
        }
        Delivery::Drip => {
            stream.write_all(&head).await?;
            for byte in body {
                stream.write_all(&[byte]).await?;
                clock.sleep(DRIP_EVERY).await;
            }
        }
    }
    stream.shutdown().await
}

/// The request; `None` for what is none.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<http::Request<Vec<u8>>>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if bytes.len() > LARGEST_REQUEST || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let Some(head) = head(&bytes[..end]) else {
        return Ok(None);
    };
    let length = head.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
    let wanted = end + 4 + length.unwrap_or(0_usize).min(LARGEST_REQUEST);
    while bytes.len() < wanted {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let body = bytes[end + 4..wanted].to_vec();
    Ok(Some(head.map(|()| body)))
}

fn head(bytes: &[u8]) -> Option<http::Request<()>> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let mut request = http::Request::builder()
        .method(first.next()?)
        .uri(first.next()?);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request = request.header(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    request.body(()).ok()
}

/// Head and body as they travel.
fn written(answer: http::Response<Vec<u8>>) -> (Vec<u8>, Vec<u8>) {
    let (mut parts, body) = answer.into_parts();
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    parts
        .headers
        .insert(CONNECTION, HeaderValue::from_static("close"));
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_u16()).into_bytes();
    for (name, value) in &parts.headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    (head, body)
}
