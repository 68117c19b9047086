//! What the metadata service said where it should have said something else, fit for a log line.
//!
//! Invariant: it is cut, its controls are escaped, and what looks like a secret is not shown at all. Answers that are
//! meant to be secret (tokens, credentials) do not come here.

/// Enough to know an error page, a login page or a typing mistake by.
const MOST_CHARS: usize = 80;

/// Words that stand beside secrets, as in a role's credentials; in small letters.
const SECRET_WORDS: [&str; 5] = ["secret", "token", "accesskey", "password", "private key"];

/// The beginning of a body, in quotes.
pub(crate) fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let small = text.to_ascii_lowercase();
    if SECRET_WORDS.iter().any(|word| small.contains(word)) {
        return format!(
            "{} bytes, not shown as they may be confidential",
            body.len()
        );
    }
    let cut: String = text.chars().take(MOST_CHARS).collect();
    match cut.len() < text.len() {
        true => format!("{cut:?} and more, {} bytes in all", body.len()),
        false => format!("{cut:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_body_is_shown_whole_and_without_its_controls() {
        assert_eq!(shown(b""), "\"\"");
        let page = shown(b"<html>\n\x1b[31mlogin\xff");
        assert_eq!(page, "\"<html>\\n\\u{1b}[31mlogin\u{fffd}\"");
    }

    #[test]
    fn a_long_body_is_cut_between_two_characters() {
        let long = "\u{e9}".repeat(500);
        let beginning = "\u{e9}".repeat(80);
        let expected = format!("\"{beginning}\" and more, 1000 bytes in all");
        assert_eq!(shown(long.as_bytes()), expected);
    }

    #[test]
    fn what_looks_like_credentials_is_not_shown_wherever_it_stands() {
        let padding = " ".repeat(200);
        for text in [
            r#"{"Code":"Success","AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"hidden"}"#
                .to_owned(),
            format!("ASIAEXAMPLE{padding}\"Token\""),
            "password=hidden".to_owned(),
        ] {
            let shown = shown(text.as_bytes());
            assert!(
                !shown.contains("ASIA") && !shown.contains("hidden"),
                "{shown}"
            );
            assert!(shown.contains("may be confidential"), "{shown}");
        }
    }
}
