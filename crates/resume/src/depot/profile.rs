//! Profiles: who we are, and where our buckets are, as the files say that all of AWS's programs
//! [share](https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html).
//!
//! Keys are taken from them, a region and an endpoint. Keys that a profile has somebody else give, such as a program or a
//! sign-in, are not: who is told to use such a profile says so, and uses no other identity.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Says what a variable of the environment has.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a profile that is to be used says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) keys: Option<Keys>,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
}

/// Who we are.
#[derive(PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

// Whoever is asked to show them shows no secrets.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Nobody wrote it.
    #[error(
        "AWS_PROFILE names the profile {0:?}, which neither ~/.aws/credentials nor ~/.aws/config has; correct it, or unset it"
    )]
    Missing(String),
    /// One key of two.
    #[error(
        "the profile {name:?} has no {lacks}; write it beside the other key, in ~/.aws/credentials"
    )]
    Half {
        /// The profile.
        name: String,
        /// What is missing.
        lacks: &'static str,
    },
    /// Another program, service or profile gives its keys.
    #[error(
        "the profile {name:?} has its keys from {by}, which is not followed here; set what `aws configure export-credentials --profile {name} --format env` prints, or AWS_PROFILE to another one"
    )]
    Elsewhere {
        /// The profile.
        name: String,
        /// What in it says where they come from.
        by: &'static str,
    },
    /// A file that is there cannot be read.
    #[error("failed to read the profiles in {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What AWS's programs look at first.
const KEYS: [&str; 2] = ["aws_access_key_id", "aws_secret_access_key"];

/// What says in a profile that its keys come from elsewhere.
const ELSEWHERE: [&str; 6] = [
    "role_arn",
    "credential_process",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
    "login_session",
];

/// The profile of this environment: the one of AWS_PROFILE, or `default` where there is one. None where variables say
/// already who we are and where.
pub(super) fn profile(variable: Lookup<'_>) -> Result<Profile, ProfileError> {
    let is_set = |name: &&str| variable(name).is_some();
    let is_someone = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        .iter()
        .any(is_set);
    let is_somewhere = ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().any(is_set);
    if is_someone && is_somewhere {
        return Ok(Profile::default());
    }
    let credentials = text(variable, "AWS_SHARED_CREDENTIALS_FILE", "credentials")?;
    let config = text(variable, "AWS_CONFIG_FILE", "config")?;
    let named = variable("AWS_PROFILE");
    let name = named.as_deref().unwrap_or("default");
    let Some(values) = merged(name, &credentials, &config) else {
        return match named {
            Some(name) if !is_someone => Err(ProfileError::Missing(name)),
            Some(_) | None => Ok(Profile::default()),
        };
    };
    let keys = if is_someone {
        None
    } else {
        keys(name, &values)?
    };
    let value = |key: &str| values.get(key).cloned();
    Ok(Profile {
        keys,
        region: value("region"),
        endpoint: value("endpoint_url"),
    })
}

type Values = BTreeMap<String, String>;

fn keys(name: &str, values: &Values) -> Result<Option<Keys>, ProfileError> {
    let elsewhere = ELSEWHERE.into_iter().find(|by| values.contains_key(*by));
    let half = |lacks| ProfileError::Half {
        name: name.to_owned(),
        lacks,
    };
    match (KEYS.map(|key| values.get(key)), elsewhere) {
        // A role is taken on by means of the keys beside it.
        (_, Some(by)) => Err(ProfileError::Elsewhere {
            name: name.to_owned(),
            by,
        }),
        ([Some(id), Some(secret)], None) => Ok(Some(Keys {
            id: id.clone(),
            secret: secret.clone(),
            token: values.get("aws_session_token").cloned(),
        })),
        ([Some(_), None], None) => Err(half(KEYS[1])),
        ([None, Some(_)], None) => Err(half(KEYS[0])),
        ([None, None], None) => Ok(None),
    }
}

/// What both files say of a profile. The file of credentials has the last word; `[profile default]` hides `[default]`.
fn merged(name: &str, credentials: &str, config: &str) -> Option<Values> {
    let (mut credentials, mut config) = (sections(credentials), sections(config));
    let long = config.remove(&format!("profile {name}"));
    let short = config.remove(name).filter(|_| name == "default");
    let from_config = long.or(short);
    let from_credentials = credentials.remove(name);
    if from_config.is_none() && from_credentials.is_none() {
        return None;
    }
    let mut values = from_config.unwrap_or_default();
    values.extend(from_credentials.unwrap_or_default());
    Some(values)
}

/// The values below each `[header]`. What is indented belongs to the value before it, and is none of ours.
fn sections(text: &str) -> BTreeMap<String, Values> {
    let mut all: BTreeMap<String, Values> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if line.trim().is_empty() || line.starts_with(['#', ';', ' ', '\t']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default();
            let words: Vec<&str> = header.split_whitespace().collect();
            let name = words.join(" ");
            all.entry(name.clone()).or_default();
            current = Some(name);
            continue;
        }
        let section = current.as_ref().and_then(|name| all.get_mut(name));
        if let (Some(section), Some((key, value))) = (section, line.split_once('=')) {
            let value = [" #", "\t#", " ;", "\t;"]
                .iter()
                .fold(value, |value, begin| {
                    value.split(begin).next().unwrap_or_default()
                })
                .trim();
            if !value.is_empty() {
                section.insert(key.trim().to_lowercase(), value.to_owned());
            }
        }
    }
    all
}

/// A file's text; nothing where there is none.
fn text(variable: Lookup<'_>, name: &str, usual: &str) -> Result<String, ProfileError> {
    let home = || variable("HOME").map(|home| Path::new(&home).join(".aws").join(usual));
    let Some(path) = variable(name).map(PathBuf::from).or_else(home) else {
        return Ok(String::new());
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(String::new())
        }
        Err(source) => Err(ProfileError::Unreadable { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "\
# a comment
[default]
aws_access_key_id = AKIAFAKEDEFAULT
aws_secret_access_key=fake/secret+of=a-test ; another
[ci]
aws_access_key_id = AKIAFAKECI
aws_secret_access_key = fake-secret
AWS_SESSION_TOKEN = fake-token
[half]
aws_access_key_id = AKIAFAKEHALF
";

    const CONFIG: &str = "\
[default]
region = us-west-2
[profile   ci]
region = eu-west-1 # Ireland
aws_access_key_id = AKIAFAKEHIDDEN
s3 =
  endpoint_url = http://other.example.com
endpoint_url = http://127.0.0.1:9000
[ci]
region = nowhere
[profile role]
role_arn = arn:aws:iam::123456789012:role/ci
source_profile = ci
[profile place]
region = eu-north-1
";

    /// What the profile of an environment says, with both files beside.
    fn read(variables: &[(&str, &str)]) -> Result<Profile, ProfileError> {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("credentials"), CREDENTIALS).expect("written");
        std::fs::write(path("config"), CONFIG).expect("written");
        let files = [
            ("AWS_SHARED_CREDENTIALS_FILE", path("credentials")),
            ("AWS_CONFIG_FILE", path("config")),
        ];
        profile(&|name| {
            let said = variables.iter().find(|(said, _)| *said == name);
            let file = files.iter().find(|(said, _)| *said == name);
            said.map(|(_, value)| (*value).to_owned())
                .or_else(|| file.map(|(_, path)| path.clone()))
        })
    }

    #[test]
    fn a_profile_is_what_both_files_say_of_it() {
        let ci = read(&[("AWS_PROFILE", "ci")]).expect("a profile");
        let wanted = Profile {
            keys: Some(Keys {
                id: "AKIAFAKECI".to_owned(),
                secret: "fake-secret".to_owned(),
                token: Some("fake-token".to_owned()),
            }),
            region: Some("eu-west-1".to_owned()),
            endpoint: Some("http://127.0.0.1:9000".to_owned()),
        };
        assert!(ci == wanted, "{ci:?}");
        let default = read(&[]).expect("a profile");
        let keys = default.keys.expect("keys");
        assert_eq!(keys.id, "AKIAFAKEDEFAULT");
        assert_eq!(keys.secret, "fake/secret+of=a-test");
        assert_eq!(default.region.as_deref(), Some("us-west-2"));
        // The machine says who we are.
        let place = read(&[("AWS_PROFILE", "place")]).expect("a profile");
        assert!(place.keys.is_none());
    }

    #[test]
    fn variables_go_before_a_profile() {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "AKIAFAKE"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_PROFILE", "role"),
        ];
        let role = read(&keys).expect("its role is not asked for");
        assert_eq!(role, Profile::default());
        let mut keys = keys;
        keys[2] = ("AWS_PROFILE", "ci");
        let ci = read(&keys).expect("a profile");
        assert_eq!((ci.keys, ci.region.as_deref()), (None, Some("eu-west-1")));
        keys[2] = ("AWS_PROFILE", "nobody");
        assert_eq!(read(&keys).expect("not needed"), Profile::default());
    }

    #[test]
    fn a_profile_that_cannot_be_used_is_no_other_identity() {
        for (name, told) in [
            ("nobody", "correct it, or unset it"),
            ("half", "has no aws_secret_access_key"),
            ("role", "has its keys from role_arn"),
        ] {
            let error = read(&[("AWS_PROFILE", name)]).expect_err(name);
            assert!(error.to_string().contains(told), "{error}");
        }
        let nowhere = profile(&|_| None).expect("nothing is no mistake");
        assert_eq!(nowhere, Profile::default());
        let shown = format!("{:?}", read(&[]).expect("a profile"));
        assert!(!shown.contains("fake"), "{shown}");
    }
}
