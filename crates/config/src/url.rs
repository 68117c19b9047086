//! Whether a text is an address that can be called at all.

use http::Uri;

/// Whether it is `http://` or `https://`, a host, and no query.
pub(crate) fn is_http(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    // A fragment is dropped by the parser, and would be silently missing from every call.
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && uri.query().is_none()
        && !text.contains('#')
}

/// Whether it is that, with a path: a queue's URL names its account and itself there.
pub(crate) fn is_queue(text: &str) -> bool {
    is_http(text) && text.parse::<Uri>().is_ok_and(|uri| uri.path().len() > 1)
}

/// The queue that a URL names, the same however its scheme and host are written.
pub(crate) fn queue(text: &str) -> String {
    let Ok(uri) = text.parse::<Uri>() else {
        return text.to_owned();
    };
    let authority = uri.authority().map(|authority| authority.as_str());
    let host = authority.unwrap_or_default().to_ascii_lowercase();
    format!("{host}{}", uri.path().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for good in [
            "https://api.github.com",
            "http://127.0.0.1:4566",
            "https://github.example/api/v3/",
        ] {
            assert!(is_http(good), "{good}");
        }
        for bad in [
            "",
            "api.github.com",
            "/api/v3",
            "ftp://github.example",
            "https://",
            "https:///api/v3",
            "https://github example",
            "https://github.example?per_page=1",
            "https://github.example/#top",
        ] {
            assert!(!is_http(bad), "{bad}");
        }
    }

    #[test]
    fn a_queue_is_the_same_however_its_scheme_and_host_are_written() {
        let same = queue("https://sqs.example/1/webhooks");
        assert_eq!(queue("HTTPS://SQS.example/1/webhooks/"), same);
        assert_ne!(queue("https://sqs.example/1/Webhooks"), same);
        assert_ne!(queue("https://sqs.example:80/1/webhooks"), same);
    }

    #[test]
    fn a_queue_has_a_path_too() {
        assert!(is_queue("https://sqs.example/123456789012/webhooks"));
        assert!(is_queue("http://127.0.0.1:4566/000000000000/webhooks"));
        for bad in ["webhooks", "https://sqs.example", "https://sqs.example/"] {
            assert!(!is_queue(bad), "{bad}");
        }
    }
}
