//! `[api]`: where operators ask, and who may.

use secrecy::{ExposeSecret, SecretString};

use super::github::secret;
use crate::ApiConfig;
use crate::checker::{Checker, Secrecy};
use crate::error::shown;
use crate::file::Api;

const LISTEN: &str = "127.0.0.1:9465";

/// A shorter one could be guessed by trying.
const LEAST_TOKEN: usize = 16;

/// `None` where there is no token, and so no API; and where there are mistakes, which `checker` knows of.
pub(super) fn api(
    checker: &mut Checker<'_>,
    section: Api,
    http: Option<&str>,
) -> Option<ApiConfig> {
    let text = section.listen.unwrap_or_else(|| LISTEN.to_owned());
    let problem = format!(
        "is {}, which is no address and port; write {LISTEN}",
        shown(&text)
    );
    let listen = checker.good("api.listen", text.parse().map_err(|_| problem));
    let is_shared = http == Some(text.as_str()) && !text.ends_with(":0");
    if is_shared {
        checker.wrong(
            "api.listen",
            "is http.listen too; each needs an address of its own, as metrics are for everybody and \
             the API is not",
        );
    }
    if section.token.is_none() && section.token_file.is_none() {
        return None;
    }
    let file = section.token_file.as_deref();
    let token = secret(checker, "api.token_file", section.token, file)?;
    if checker.secrecy == Secrecy::Needed && !is_good(&token) {
        checker.wrong(
            "api.token_file",
            format!(
                "holds no token of {LEAST_TOKEN} or more letters, digits and signs; \
                 `openssl rand -hex 32` makes one"
            ),
        );
    }
    Some(ApiConfig {
        listen: listen?,
        token,
    })
}

/// What a header can hold, and nobody guesses.
fn is_good(token: &SecretString) -> bool {
    let token = token.expose_secret();
    token.len() >= LEAST_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic())
}
