//! Buckets and containers: how they are reached, and what is asked of them.
//!
//! Who we are is found as `object_store` finds it, from variables, web identities and the machine's own role; and in
//! profiles, which it does not read.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::multipart::MultipartStore;
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, Certificate, ClientOptions, GetOptions, GetResult, ObjectStore,
    ObjectStoreExt,
};

use super::address::Cloud;
use super::error::DepotError;
use super::profile::{Keys, Profile, profile};
use crate::key::{Key, Prefix};

/// Where an object's checksum is kept, beside it.
pub(super) const CHECKSUM: &str = "reprise_blake3";

/// A bucket, and what lies before each key.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// Where an upload can go on in another process: not with Azure, whose blocks have no upload that could keep the checksum.
    pub(super) parts: Option<Arc<dyn MultipartStore>>,
    /// The address, so that an upload to one bucket is never taken for that to another.
    pub(super) name: String,
    pub(super) prefix: Option<Prefix>,
}

impl Bucket {
    pub(super) fn open(
        cloud: Cloud,
        bucket: &str,
        prefix: Option<Prefix>,
        region: Option<&str>,
    ) -> Result<Self, DepotError> {
        let profile = match cloud {
            Cloud::S3 => profile(&variable)?,
            Cloud::Google | Cloud::Azure => Profile::default(),
        };
        let endpoint = endpoint(profile.endpoint.as_deref())?;
        let (objects, parts): (Arc<dyn ObjectStore>, Option<Arc<dyn MultipartStore>>) = match cloud
        {
            Cloud::S3 => {
                let store = with_profile(AmazonS3Builder::from_env(), profile, &endpoint)
                    .with_bucket_name(bucket)
                    // What changes on the way does not count as stored. Signing says who puts: a signature of the bytes
                    // would take their SHA-256, longer than sending them where the network is quick.
                    .with_checksum_algorithm(Checksum::CRC64NVME)
                    .with_unsigned_payload(true);
                let store = match region {
                    Some(region) => store.with_region(region),
                    None => store,
                };
                let store = match authorities()? {
                    Some(options) => store.with_client_options(options),
                    None => store,
                };
                let store = Arc::new(store.build().map_err(DepotError::set_up)?);
                (store.clone(), Some(store))
            }
            Cloud::Google => {
                let store = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
                let store = Arc::new(store.build().map_err(DepotError::set_up)?);
                (store.clone(), Some(store))
            }
            Cloud::Azure => {
                let store = MicrosoftAzureBuilder::from_env().with_container_name(bucket);
                (Arc::new(store.build().map_err(DepotError::set_up)?), None)
            }
        };
        Ok(Self {
            objects,
            parts,
            name: format!("{cloud:?} {endpoint} {bucket}"),
            prefix,
        })
    }

    /// What the store says of an object, without its content.
    pub(super) async fn look(&self, key: &Key) -> object_store::Result<GetResult> {
        let head = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match self.objects.get_opts(&self.path(key), head).await {
            // An answer to a HEAD has no body, and so does not say whether even the bucket is missing.
            Err(object_store::Error::NotFound { .. }) => self.objects.get(&self.path(key)).await,
            looked => looked,
        }
    }

    /// Where a key's object is in the bucket.
    pub(super) fn path(&self, key: &Key) -> ObjectPath {
        self.below(key.as_str())
    }

    /// Where what a prefix names lies in the bucket.
    pub(super) fn folder(&self, prefix: &Prefix) -> ObjectPath {
        self.below(prefix.as_str())
    }

    fn below(&self, rest: &str) -> ObjectPath {
        // As it is written: an object that another program put is found under its own name, `[` and `~` too. What
        // `parse` refuses is in no key.
        let before = self.prefix.as_ref().map(Prefix::as_str);
        let parts: Vec<&str> = before.into_iter().chain([rest]).collect();
        let whole = parts.join("/");
        ObjectPath::parse(&whole).unwrap_or_else(|_| ObjectPath::from(whole))
    }

    /// The key of an object; none for what somebody else put under a name that is no key.
    pub(super) fn key(&self, path: &ObjectPath) -> Option<Key> {
        let before = self
            .prefix
            .as_ref()
            .map_or(0, |prefix| prefix.as_str().split('/').count());
        let parts: Vec<&str> = path.as_ref().split('/').skip(before).collect();
        Key::parse(&parts.join("/")).ok()
    }
}

// Whoever is asked to show it shows no credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.name).finish()
    }
}

pub(super) fn attributes(checksum: &str) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(
        Attribute::Metadata(CHECKSUM.into()),
        checksum.to_owned().into(),
    );
    attributes
}

pub(super) fn checksum_of(attributes: &Attributes) -> Option<String> {
    attributes
        .get(&Attribute::Metadata(CHECKSUM.into()))
        .map(|value| value.to_string())
}

/// A variable of the environment that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What a profile says, where no variable does.
fn with_profile(store: AmazonS3Builder, profile: Profile, endpoint: &str) -> AmazonS3Builder {
    let is_somewhere = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .any(|name| variable(name).is_some());
    let store = match profile.region {
        Some(region) if !is_somewhere => store.with_region(region),
        Some(_) | None => store,
    };
    let store = if endpoint.is_empty() {
        store
    } else {
        store.with_endpoint(endpoint)
    };
    let Some(Keys { id, secret, token }) = profile.keys else {
        return store;
    };
    let store = store.with_access_key_id(id).with_secret_access_key(secret);
    match token {
        Some(token) => store.with_token(token),
        None => store,
    }
}

/// Another server than Amazon's, by a variable or else by the profile; empty for Amazon's.
fn endpoint(of_profile: Option<&str>) -> Result<String, DepotError> {
    let text = variable("AWS_ENDPOINT_URL");
    let text = text.or(of_profile.map(str::to_owned)).unwrap_or_default();
    let is_address = text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
    });
    if text.is_empty() || is_address {
        Ok(text)
    } else {
        Err(DepotError::Endpoint(text))
    }
}

/// The authorities that count instead of the machine's, where a proxy opens TLS on the way.
fn authorities() -> Result<Option<ClientOptions>, DepotError> {
    let Some(path) = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let path = PathBuf::from(path);
    let wrong = |source| DepotError::Authorities {
        path: path.clone(),
        source,
    };
    let pem = std::fs::read(&path).map_err(wrong)?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(DepotError::set_up)?;
    let http = std::env::var("AWS_ALLOW_HTTP").is_ok_and(|value| value == "true");
    let options = ClientOptions::new().with_allow_http(http);
    Ok(Some(
        certificates
            .into_iter()
            .fold(options, ClientOptions::with_root_certificate),
    ))
}
