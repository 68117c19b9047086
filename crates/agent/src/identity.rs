//! Which instance the agent is on, read from the identity document.

use reprise_model::ids::{AccountId, InstanceId, Region};
use reprise_model::instance::Instance;
use serde::Deserialize;

use crate::shown::shown;

/// Where the document stands.
pub const IDENTITY_PATH: &str = "/latest/dynamic/instance-identity/document";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    account_id: String,
    region: String,
    instance_id: InstanceId,
}

/// Reads the identity document; the error says what is wrong with it.
pub fn read_identity(body: &[u8]) -> Result<Instance, String> {
    let document: Document = serde_json::from_slice(body).map_err(|error| {
        // serde_json's message may quote any amount of the text.
        format!(
            "the identity document is not usable ({:?} error at line {}, column {}); it is {}",
            error.classify(),
            error.line(),
            error.column(),
            shown(body)
        )
    })?;
    // The region becomes part of a host name.
    let sound = !document.region.is_empty()
        && document
            .region
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !sound {
        return Err(format!(
            "the identity document's region {} is not a region, as eu-west-1",
            shown(document.region.as_bytes())
        ));
    }
    Ok(Instance {
        account: AccountId::new(document.account_id),
        region: Region::new(document.region),
        id: document.instance_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_account_region_and_instance() {
        let body = br#"{"accountId":"123456789012","architecture":"x86_64",
            "instanceId":"i-0123456789abcdef0","region":"eu-west-1","version":"2017-09-30"}"#;
        let instance = read_identity(body).expect("a document");
        assert_eq!(
            instance.to_string(),
            "123456789012/eu-west-1/i-0123456789abcdef0"
        );
    }

    #[test]
    fn what_is_no_document_is_shown_by_its_beginning() {
        let page = format!("<html>\n{}", "x".repeat(1000));
        let error = read_identity(page.as_bytes()).expect_err("no document");
        assert!(error.contains("\"<html>\\nxxx"), "{error}");
        assert!(error.len() < 250, "{error}");
        let long = r#"{"accountId":"1","instanceId":"INSTANCE","region":"eu-west-1"}"#;
        let long = long.replace("INSTANCE", &"y".repeat(1000));
        let error = read_identity(long.as_bytes()).expect_err("no id");
        assert!(error.len() < 250, "{error}");
    }

    #[test]
    fn a_document_that_could_redirect_requests_is_refused() {
        for region in ["", "eu-west-1.evil.example/", "EU", "a@b"] {
            let body = format!(
                r#"{{"accountId":"1","instanceId":"i-0123456789abcdef0","region":"{region}"}}"#
            );
            assert!(read_identity(body.as_bytes()).is_err(), "{region}");
        }
        assert!(
            read_identity(br#"{"accountId":"1","instanceId":"x","region":"eu-west-1"}"#).is_err()
        );
    }
}
