//! Who asks: the App by a JWT that its key signed, or an installation by a token made here.

use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, Validation};
use reprise_model::ids::{InstallationId, Repository};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use crate::github::GitHub;
use crate::github::json::{Wire, seconds};

/// GitHub takes no JWT that lives longer than ten minutes; a client may date its beginning back by
/// one more against clock drift.
const LONGEST_JWT_SECONDS: i64 = 11 * 60;

/// How long GitHub's installation tokens live.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(1);

#[derive(Deserialize)]
struct Claims {
    /// A number or a text, GitHub takes both.
    iss: Value,
    iat: i64,
    exp: i64,
}

impl GitHub {
    /// Every installation token becomes worthless at once.
    pub fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }

    /// A JWT of the App. Its times are compared with each other only: the client's clock is not
    /// ours.
    pub(super) fn check_app(&self, request: &Request<Vec<u8>>) -> Result<(), Answer> {
        let unreadable = "A JSON web token could not be decoded";
        let token = credential(request).ok_or_else(|| unauthorized(unreadable))?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token, &self.app_key, &validation)
            .map_err(|_| unauthorized(unreadable))?
            .claims;
        let number = claims.iss.as_u64();
        let number = number.or_else(|| claims.iss.as_str().and_then(|iss| iss.parse().ok()));
        if number != Some(self.settings.app_id) {
            return Err(Answer::error(
                StatusCode::NOT_FOUND,
                "Integration not found",
            ));
        }
        match claims.exp.saturating_sub(claims.iat) {
            1..=LONGEST_JWT_SECONDS => Ok(()),
            i64::MIN..=0 => Err(unauthorized(
                "'Expiration time' claim ('exp') must be a numeric value representing the future \
                 time at which the assertion expires",
            )),
            _ => Err(unauthorized(
                "'Expiration time' claim ('exp') is too far in the future",
            )),
        }
    }

    /// An installation token that was made here and has not expired.
    pub(super) fn check_token(
        &self,
        now: Timestamp,
        request: &Request<Vec<u8>>,
    ) -> Result<(), Answer> {
        let expires_at = credential(request).and_then(|token| self.tokens.get(token));
        match expires_at {
            Some(expires_at) if now < *expires_at => Ok(()),
            Some(_) | None => Err(unauthorized("Bad credentials")),
        }
    }

    pub(super) fn new_token(&mut self, now: Timestamp, installation: InstallationId) -> Answer {
        if installation != self.settings.installation {
            return Answer::not_found();
        }
        let secret: String = (0..36).map(|_| self.rng.alphanumeric()).collect();
        let token = format!("ghs_{secret}");
        let expires_at = self.settings.tokens_expire_at.unwrap_or(now + TOKEN_LIFE);
        self.tokens.retain(|_, expires_at| now < *expires_at);
        self.tokens.insert(token.clone(), expires_at);
        let body = json!({
            "token": token,
            "expires_at": seconds(expires_at),
            "permissions": Wire(&self.settings).permissions(),
            "repository_selection": "all",
        });
        Answer::new(StatusCode::CREATED, body)
    }

    pub(super) fn app(&self) -> Answer {
        let owner = self.repositories.keys().next();
        let owner = owner.map_or(self.settings.app_slug.as_str(), Repository::owner);
        Answer::ok(Wire(&self.settings).app(owner))
    }

    pub(super) fn installation_of(&self, repository: &Repository) -> Answer {
        match self.repositories.get_key_value(repository) {
            Some((known, _)) => Answer::ok(Wire(&self.settings).installation(known.owner())),
            None => Answer::not_found(),
        }
    }
}

fn unauthorized(message: &str) -> Answer {
    Answer::error(StatusCode::UNAUTHORIZED, message)
}

fn credential(request: &Request<Vec<u8>>) -> Option<&str> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = header.split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    known.then_some(credential)
}
