//! What a store's refusal means, and what to do about it.

use std::error::Error;

/// What is shown of an answer that is no XML, or of XML without a code.
const LONGEST: usize = 300;

/// An error of a store in one line: what was asked, why it failed, and what helps.
pub(super) fn told(error: &object_store::Error) -> String {
    let outer = error.to_string();
    let last = innermost(error);
    let whole = if outer.contains(&last) {
        outer
    } else {
        format!("{outer}: {last}")
    };
    let advice = advice(error, &whole);
    format!("{}; {advice}", short(&whole))
}

/// Whether an error says that the bucket or container itself is missing, and not only what was looked for in it.
pub(super) fn is_about_bucket(error: &object_store::Error) -> bool {
    names_no_bucket(&error.to_string())
}

fn names_no_bucket(text: &str) -> bool {
    // S3's and Google's code, and Azure's.
    ["NoSuchBucket", "ContainerNotFound"]
        .iter()
        .any(|code| text.contains(code))
}

fn advice(error: &object_store::Error, whole: &str) -> &'static str {
    let refused = matches!(
        error,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
    );
    if matches!(error, object_store::Error::InvalidPath { .. }) {
        "somebody put an object there whose name has an empty part (`//`), \".\" or \"..\", which nobody can ask for by its name here; remove or rename it, or use a prefix that it does not lie below"
    } else if names_no_bucket(whole) {
        "make the bucket, or see that the address names the right one"
    } else if whole.contains("/latest/") {
        // The paths of the machine's metadata service, which is asked last.
        "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the job a web identity or its machine a role"
    } else if whole.contains("URL scheme is not allowed") {
        "set AWS_ALLOW_HTTP=true if a server without TLS is meant"
    } else if refused || whole.contains("403 Forbidden") {
        "see that these are the right credentials, and that they may do this"
    } else if whole.contains("error sending request") {
        "see that the endpoint is the right one, and that it can be reached from here"
    } else {
        "try again, and see what the store itself says of it"
    }
}

fn innermost(error: &object_store::Error) -> String {
    let mut last: &dyn Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// One line; of an answer in XML its code and its message.
fn short(text: &str) -> String {
    let Some((before, xml)) = text
        .split_once("<?xml")
        .or_else(|| text.split_once("<Error>"))
    else {
        return cut(text);
    };
    match (element(xml, "Code"), element(xml, "Message")) {
        (Some(code), Some(message)) => format!("{}{code}: {message}", cut(before)),
        (Some(code), None) => format!("{}{code}", cut(before)),
        (None, _) => cut(text),
    }
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn cut(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(LONGEST)
        .collect();
    if text.chars().count() > LONGEST {
        format!("{line}...")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    #[test]
    fn an_answer_in_xml_is_told_by_its_code_and_its_message_in_one_line() {
        let answer = "404 Not Found: <?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code>\
             <Message>It does not exist</Message><HostId>9</HostId></Error>";
        assert_eq!(
            told(&generic(answer)),
            "Generic S3 error: 404 Not Found: NoSuchBucket: It does not exist; \
             make the bucket, or see that the address names the right one"
        );
        assert!(is_about_bucket(&generic(answer)));
    }

    #[test]
    fn a_name_that_is_none_is_not_to_be_tried_again() {
        let source = object_store::path::Path::parse("7//x").expect_err("an empty part");
        let told = told(&object_store::Error::InvalidPath { source });
        assert!(told.contains("remove or rename"), "{told}");
    }

    #[test]
    fn each_trouble_has_its_advice() {
        for (text, words) in [
            (
                "PUT http://169.254.169.254/latest/api/token",
                "no credentials",
            ),
            ("URL scheme is not allowed", "AWS_ALLOW_HTTP"),
            (
                "403 Forbidden: <Error><Code>AccessDenied</Code></Error>",
                "right credentials",
            ),
            ("error sending request", "can be reached"),
            ("500", "try again"),
        ] {
            let told = told(&generic(text));
            assert!(told.contains(words), "{told}");
        }
    }
}
