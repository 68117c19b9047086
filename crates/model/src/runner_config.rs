//! A runner's just-in-time configuration, as small as its row in the runner table needs it.
//!
//! GitHub gives base64 of a JSON object, whose values are the files that the runner starts with, in
//! base64 again: over 4 KB, of which most is the spelling. DynamoDB charges each kilobyte. Here the
//! files are unspelled and deflated, which is less than half.
//!
//! Invariant: what is unpacked is what was packed, byte for byte. What does not look as described is
//! deflated as it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;

/// Deflate's own level for the smallest result.
const LEVEL: u8 = 9;

/// Far more than a configuration has, so that a broken row cannot fill the memory.
const LARGEST: usize = 256 * 1024;

/// The first byte of a packed configuration says what was deflated.
const AS_IT_CAME: u8 = 0;
const FILES: u8 = 1;

/// What is in a row is no packed configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the configuration in the row cannot be unpacked; the agent is older than the controller, \
     or something else wrote the row"
)]
pub struct NotPacked;

/// GitHub's `encoded_jit_config`, packed.
#[must_use]
pub fn pack(encoded: &str) -> Vec<u8> {
    let files = packed_files(encoded);
    // GitHub may spell the object otherwise than we would, and who knows what the runner reads of that.
    files
        .filter(|packed| unpack(packed).as_deref() == Ok(encoded))
        .unwrap_or_else(|| deflated(AS_IT_CAME, encoded.as_bytes()))
}

/// GitHub's `encoded_jit_config` again.
pub fn unpack(packed: &[u8]) -> Result<String, NotPacked> {
    let (form, deflated) = packed.split_first().ok_or(NotPacked)?;
    let bytes = decompress_to_vec_with_limit(deflated, LARGEST).map_err(|_| NotPacked)?;
    match *form {
        AS_IT_CAME => String::from_utf8(bytes).map_err(|_| NotPacked),
        FILES => serde_json::from_slice(&bytes)
            .map(|files: Vec<(String, String)>| spelled(&files))
            .map_err(|_| NotPacked),
        _ => Err(NotPacked),
    }
}

fn packed_files(encoded: &str) -> Option<Vec<u8>> {
    let object = STANDARD.decode(encoded).ok()?;
    let Object(spelled) = serde_json::from_slice(&object).ok()?;
    let unspelled = spelled.into_iter().map(|(name, text)| {
        let file = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        Some((name, file))
    });
    let files: Vec<(String, String)> = unspelled.collect::<Option<_>>()?;
    Some(deflated(FILES, json!(files).to_string().as_bytes()))
}

fn spelled(files: &[(String, String)]) -> String {
    let members = files.iter().map(|(name, file)| {
        let (name, file) = (json!(name), json!(STANDARD.encode(file)));
        format!("{name}:{file}")
    });
    let members: Vec<String> = members.collect();
    STANDARD.encode(format!("{{{}}}", members.join(",")))
}

fn deflated(form: u8, bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![form];
    packed.extend(compress_to_vec(bytes, LEVEL));
    packed
}

/// A JSON object of texts in the order in which it is written, which a map would forget.
struct Object(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                if members.is_empty() {
                    return Err(A::Error::custom("no files"));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers as large as those of a key of 2,048 bits, without a pattern.
    fn number(seed: u64, bytes: usize) -> String {
        let mut state = seed;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        };
        STANDARD.encode((0..bytes).map(next).collect::<Vec<u8>>())
    }

    /// As large as GitHub's, and built like it.
    fn configuration() -> String {
        let half = |seed| number(seed, 128);
        let key = json!({
            "d": number(1, 256), "dp": half(2), "dq": half(3), "exponent": "AQAB",
            "inverseQ": half(4), "modulus": number(5, 256), "p": half(6), "q": half(7),
        });
        let runner = json!({
            "AgentId": "4711", "AgentName": "reprise--i-0123456789abcdef0--ffffffff",
            "DisableUpdate": "False", "Ephemeral": "True", "IsHostedServer": "True", "PoolId": "1", "PoolName": "Default",
            "ServerUrl": "https://pipelinesghubeus1.example.invalid/0123456789abcdef0123456789abcdef0123456789/",
            "ServerUrlV2": "https://broker.example.invalid/", "UseV2Flow": "True",
            "GitHubUrl": "https://github.example.invalid/octo-org", "WorkFolder": "_work",
            "SkipSessionRecover": "False", "MonitorSocketAddress": "",
        });
        let credentials = json!({
            "Scheme": "OAuth",
            "Data": {
                "AuthorizationUrl": "https://tokenghub.example.invalid/0123456789abcdef/_apis/oauth2/token",
                "ClientId": "01234567-89ab-cdef-0123-456789abcdef", "RequireFipsCryptography": "True",
            },
        });
        let file = |file: serde_json::Value| STANDARD.encode(file.to_string());
        let files = format!(
            r#"{{".runner":"{}",".credentials":"{}",".credentials_rsaparams":"{}"}}"#,
            file(runner),
            file(credentials),
            file(key)
        );
        STANDARD.encode(files)
    }

    #[test]
    fn a_configuration_of_over_4_kb_fits_two_write_units_with_the_rest_of_its_row() {
        let encoded = configuration();
        assert!(encoded.len() > 4096, "{}", encoded.len());
        let packed = pack(&encoded);
        assert!(packed.len() < 1_850, "{}", packed.len());
        assert_eq!(unpack(&packed), Ok(encoded));
    }

    #[test]
    fn what_is_spelled_otherwise_comes_back_as_it_was() {
        for odd in [
            "",
            "not base64",
            "e30=",
            &STANDARD.encode(r#"{ ".runner": "e30=" }"#),
            &STANDARD.encode(r#"{".runner":"not base64"}"#),
            &STANDARD.encode(r#"{".runner":7}"#),
        ] {
            assert_eq!(unpack(&pack(odd)).as_deref(), Ok(odd));
        }
    }

    #[test]
    fn what_nobody_packed_is_refused() {
        for broken in [&b""[..], b"\x00", b"\x01\x00", b"\x07abc", b"secret"] {
            assert_eq!(unpack(broken), Err(NotPacked));
        }
        let bomb = deflated(AS_IT_CAME, &vec![b'a'; LARGEST + 1]);
        assert_eq!(unpack(&bomb), Err(NotPacked));
    }

    proptest! {
        #[test]
        fn whatever_is_packed_comes_back(text in ".{0,300}", name in ".{0,20}") {
            let object = json!({ name: STANDARD.encode(&text) }).to_string();
            for encoded in [text, STANDARD.encode(object)] {
                prop_assert_eq!(unpack(&pack(&encoded)), Ok(encoded));
            }
        }

        #[test]
        fn no_row_makes_the_agent_panic(packed in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&packed);
        }
    }
}
