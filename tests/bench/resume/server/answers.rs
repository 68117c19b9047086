//! What S3 answers to a put, an upload in parts, a look, a range and a list.

use std::io;

use super::Shared;
use super::http::{Asked, Connection, Piece, wrong};
use super::objects::{Object, Page};

/// What S3 says of each object; nothing here is about time.
const CHANGED: &str = "Mon, 01 Jan 2024 00:00:00 GMT";

/// With this header a PUT is answered before the disk has it, which no S3 does.
pub(crate) const VOLATILE: &str = "x-bench-volatile";

pub(crate) fn answer(asked: &Asked, to: &mut Connection, shared: &Shared) -> io::Result<()> {
    match asked.method.as_str() {
        "PUT" => put(asked, to, shared),
        "POST" if asked.is_about("uploads") => begin(asked, to, shared),
        "POST" => complete(asked, to, shared),
        "GET" if asked.is_about("list-type") => list(asked, to, shared),
        "GET" | "HEAD" => get(asked, to, shared),
        _ => to.say("405 Method Not Allowed", "connection: close\r\n", ""),
    }
}

fn put(asked: &Asked, to: &mut Connection, shared: &Shared) -> io::Result<()> {
    let length = asked.length()?;
    let (path, mut file) = shared.objects().new_file()?;
    to.body_into(&mut file, length)?;
    if asked.header(VOLATILE).is_none() {
        file.sync_all()?;
    }
    let piece = Piece {
        file: path,
        from: 0,
        length,
    };
    let Some(upload) = asked.query.get("uploadId") else {
        let version = shared.objects().put(&asked.path, vec![piece], kept(asked));
        return to.say("200 OK", &etag(version), "");
    };
    let number = asked.query.get("partNumber");
    let number = number.and_then(|number| number.parse().ok());
    let number: u64 = number.ok_or_else(|| wrong("a part without a number"))?;
    if shared.objects().part(upload, number, piece) {
        to.say("200 OK", &etag(number), "")
    } else {
        no_such(to, "NoSuchUpload")
    }
}

fn begin(asked: &Asked, to: &mut Connection, shared: &Shared) -> io::Result<()> {
    let upload = shared.objects().begin(kept(asked));
    let body = format!(
        "<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
    );
    to.say("200 OK", "", &body)
}

fn complete(asked: &Asked, to: &mut Connection, shared: &Shared) -> io::Result<()> {
    to.text(asked.length()?)?;
    let upload = asked.query.get("uploadId").map_or("", String::as_str);
    let completed = shared.objects().complete(&asked.path, upload);
    match completed {
        None => no_such(to, "NoSuchUpload"),
        Some(version) => {
            let body = format!(
                "<CompleteMultipartUploadResult><ETag>\"{version}\"</ETag></CompleteMultipartUploadResult>"
            );
            to.say("200 OK", "", &body)
        }
    }
}

fn get(asked: &Asked, to: &mut Connection, shared: &Shared) -> io::Result<()> {
    let object = shared.objects().get(&asked.path);
    let Some(object) = object else {
        return no_such(to, "NoSuchKey");
    };
    let size = object.size();
    let (status, from, end, ranged) = match asked.header("range").map(range) {
        None => ("200 OK", 0, size, String::new()),
        Some(None) => return Err(wrong("a range that nobody here asks for")),
        Some(Some((from, last))) => {
            let end = size.min(last + 1);
            let ranged = format!("content-range: bytes {from}-{}/{size}\r\n", end - 1);
            ("206 Partial Content", from, end, ranged)
        }
    };
    let headers = format!("{}{}{ranged}", described(&object), object.kept);
    to.head(status, &headers, end - from)?;
    if asked.method == "HEAD" {
        return Ok(());
    }
    let pieces = object.range(from, end);
    pieces.iter().try_for_each(|piece| to.send(piece))
}

fn described(object: &Object) -> String {
    format!(
        "{}last-modified: {CHANGED}\r\naccept-ranges: bytes\r\n",
        etag(object.version)
    )
}

/// The first and the last byte of `bytes=1-2`.
fn range(text: &str) -> Option<(u64, u64)> {
    let (from, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, last.parse().ok()?))
}

fn list(asked: &Asked, to: &mut Connection, shared: &Shared) -> io::Result<()> {
    let prefix = asked.query.get("prefix").map_or("", String::as_str);
    let prefix = prefix.replace("%2F", "/");
    let bucket = format!("{}/", asked.path.trim_end_matches('/'));
    let after = asked.query.get("continuation-token");
    let after = after.map(|token| token.replace("%2F", "/"));
    let page = shared
        .objects()
        .list(&format!("{bucket}{prefix}"), after.as_deref());
    let body = listed(&bucket, &page);
    to.say("200 OK", "", &body)
}

/// Keys of the bench are of letters, digits and slashes, which mean nothing in XML.
fn listed(bucket: &str, page: &Page) -> String {
    let mut body = "<ListBucketResult>".to_owned();
    for path in &page.paths {
        let key = path.strip_prefix(bucket).unwrap_or(path);
        body.push_str(&format!(
            "<Contents><Key>{key}</Key><Size>0</Size><LastModified>2024-01-01T00:00:00.000Z</LastModified>\
             <ETag>\"0\"</ETag></Contents>"
        ));
    }
    if let Some(next) = &page.next {
        body.push_str(&format!(
            "<NextContinuationToken>{next}</NextContinuationToken>"
        ));
    }
    body.push_str("</ListBucketResult>");
    body
}

/// The attributes that an object is put with.
fn kept(asked: &Asked) -> String {
    let name = "x-amz-meta-reprise_blake3";
    asked
        .header(name)
        .map_or_else(String::new, |value| format!("{name}: {value}\r\n"))
}

fn etag(version: u64) -> String {
    format!("etag: \"{version}\"\r\n")
}

fn no_such(to: &mut Connection, code: &str) -> io::Result<()> {
    let body = format!("<Error><Code>{code}</Code></Error>");
    to.say("404 Not Found", "", &body)
}
