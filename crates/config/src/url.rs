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

/// Whether it is `https://` and a host, or `http://` to this very machine: what is sent there is nobody else's
/// business. It may have a query.
pub(crate) fn is_private(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let is_here = || {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = host.parse::<std::net::IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|one| one.is_loopback())
    };
    let has_user = uri
        .authority()
        .is_some_and(|one| one.as_str().contains('@'));
    let is_good = match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_here(),
        Some(_) | None => false,
    };
    is_good && !has_user && !text.contains('#')
}

/// The pages of the GitHub whose REST API has this address: `https://api.github.com` and
/// `https://HOST/api/v3` are what there is.
pub(crate) fn web_of(api: &str) -> String {
    let api = api.trim_end_matches('/');
    let own = api.strip_suffix("/api/v3").unwrap_or(api);
    own.replacen("://api.", "://", 1)
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
    fn what_is_asked_is_asked_in_private() {
        for good in [
            "https://judge.example/ask?team=ci",
            "http://127.0.0.1:8080/",
            "http://[::1]:8080/ask",
            "http://localhost",
        ] {
            assert!(is_private(good), "{good}");
        }
        for bad in [
            "",
            "judge.example",
            "http://judge.example/",
            "http://127.0.0.1.example/",
            "https://user:word@judge.example/",
            "https://judge.example/#ask",
            "ftp://judge.example",
            "https://",
        ] {
            assert!(!is_private(bad), "{bad}");
        }
    }

    #[test]
    fn the_pages_of_github_are_beside_its_api() {
        for (api, web) in [
            ("https://api.github.com", "https://github.com"),
            ("https://github.example/api/v3/", "https://github.example"),
            ("https://api.acme.ghe.com", "https://acme.ghe.com"),
            ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
        ] {
            assert_eq!(web_of(api), web);
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
