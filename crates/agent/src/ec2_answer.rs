//! What EC2's answer to CreateTags means.
//!
//! The two fields that matter are cut out of the XML by their tags; a whole parser would be a
//! tenth of the program. Whatever is not known to be final is tried again: the deadline bounds it.

use crate::tagger::TagFailure;

/// The role may not.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "OptInRequired",
    "UnauthorizedOperation",
];

/// The request as such is wrong.
const REFUSED: &[&str] = &[
    "InvalidAction",
    "InvalidParameterValue",
    "MissingParameter",
    "TagLimitExceeded",
    "UnknownParameter",
];

/// Newer credentials may help.
const STALE: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "InvalidClientTokenId",
    "RequestExpired",
];

const THROTTLED: &[&str] = &[
    "RequestLimitExceeded",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// How much of EC2's message is kept: an encoded authorization failure alone has two thousand
/// characters.
const MESSAGE_LIMIT: usize = 200;

/// Reads status and body of the answer.
pub(crate) fn read_answer(status: u16, body: &[u8]) -> Result<(), TagFailure> {
    if (200..300).contains(&status) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(body);
    let code = element(&text, "Code").unwrap_or_default();
    let message = element(&text, "Message").unwrap_or_default();
    Err(failure(status, code, message))
}

fn failure(status: u16, code: &str, message: &str) -> TagFailure {
    let message = cut(message);
    let known = |codes: &[&str]| codes.contains(&code);
    let code = cut(code);
    if known(DENIED) {
        TagFailure::Denied { code, message }
    } else if known(REFUSED) {
        TagFailure::Refused { code, message }
    } else if known(STALE) {
        TagFailure::StaleCredentials { code }
    } else if known(THROTTLED) || status == 429 {
        TagFailure::Throttled { code }
    } else if code.is_empty() {
        let code = "no error code".to_owned();
        TagFailure::Unavailable { status, code }
    } else {
        TagFailure::Unavailable { status, code }
    }
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.trim())
}

fn cut(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MESSAGE_LIMIT)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tagger::Remedy;

    fn error(code: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}\
             </Code><Message>in EC2's words</Message></Error></Errors><RequestID>1</RequestID>\
             </Response>"
        )
    }

    fn remedy(status: u16, code: &str) -> Remedy {
        read_answer(status, error(code).as_bytes())
            .expect_err("a failure")
            .remedy()
    }

    #[test]
    fn success_is_success_whatever_the_body() {
        assert_eq!(read_answer(200, b"<CreateTagsResponse/>"), Ok(()));
        assert_eq!(read_answer(200, b""), Ok(()));
    }

    #[test]
    fn a_denial_is_final_and_keeps_ec2s_words() {
        assert_eq!(
            read_answer(403, error("UnauthorizedOperation").as_bytes()),
            Err(TagFailure::Denied {
                code: "UnauthorizedOperation".to_owned(),
                message: "in EC2's words".to_owned(),
            })
        );
        assert_eq!(remedy(400, "TagLimitExceeded"), Remedy::None);
    }

    #[test]
    fn throttling_outages_and_unknown_errors_are_tried_again() {
        for (status, code) in [
            (503, "RequestLimitExceeded"),
            (400, "Throttling"),
            (500, "InternalError"),
            (503, "Unavailable"),
            (400, "InvalidInstanceID.NotFound"),
            (400, "SomethingNew"),
        ] {
            assert_eq!(remedy(status, code), Remedy::Wait, "{code}");
        }
    }

    #[test]
    fn an_expired_token_asks_for_new_credentials() {
        assert_eq!(remedy(400, "ExpiredToken"), Remedy::NewCredentials);
        assert_eq!(remedy(400, "RequestExpired"), Remedy::NewCredentials);
        assert_eq!(remedy(401, "AuthFailure"), Remedy::NewCredentials);
    }

    #[test]
    fn an_answer_that_is_not_ec2s_is_tried_again() {
        for body in ["", "<html>bad gateway</html>", "<Code>", "\u{fffd}"] {
            let failure = read_answer(502, body.as_bytes()).expect_err("a failure");
            assert_eq!(failure.remedy(), Remedy::Wait, "{body}");
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let body = format!(
            "<Code>UnauthorizedOperation</Code><Message>{}</Message>",
            "x".repeat(3000)
        );
        let Err(TagFailure::Denied { message, .. }) = read_answer(403, body.as_bytes()) else {
            panic!("not a denial");
        };
        assert_eq!(message.len(), MESSAGE_LIMIT);
    }
}
