//! Tokens: the App's JWT finds the repository's installation, whose token opens the repository.
//!
//! Both are cached, the installation by repository and the token by installation. Calls that come
//! at once wait for one look-up and one token instead of asking for one each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use octocrab::Octocrab;
use reprise_model::ids::{InstallationId, Repository};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use crate::error::{GitHubError, GitHubErrorKind};
use crate::limits::RateBudget;
use crate::transport::{Transport, from_octocrab};
use crate::wire::{AccountKind, WireInstallation};

/// Every installation that was needed so far.
#[derive(Default)]
pub(crate) struct Installations {
    by_repository: Mutex<BTreeMap<Repository, Arc<OnceCell<Arc<Installation>>>>>,
    by_id: Mutex<BTreeMap<InstallationId, Arc<Installation>>>,
    /// By the owner of repositories, in lower case: an account has one installation.
    by_owner: Mutex<BTreeMap<String, Arc<Installation>>>,
}

/// One installation of the App, and its token.
pub(crate) struct Installation {
    id: InstallationId,
    kind: AccountKind,
    /// Held while a token is asked for. A clone of the octocrab would not share the token.
    client: tokio::sync::Mutex<Octocrab>,
    rate: Mutex<RateBudget>,
}

/// The right to act on what an installation shows.
pub(crate) struct Access {
    installation: Arc<Installation>,
    pub(crate) token: SecretString,
}

impl Installations {
    /// A token for the repository. An App that was installed anew has a new installation, so one
    /// that GitHub no longer knows is looked up once more.
    pub(crate) async fn access(
        &self,
        transport: &Transport,
        repository: &Repository,
    ) -> Result<Access, GitHubError> {
        let installation = self.of(transport, repository).await?;
        let token = installation.token(transport).await;
        if !matches!(&token, Err(error) if error.kind() == GitHubErrorKind::NotFound) {
            let token = token?;
            return Ok(Access {
                installation,
                token,
            });
        }
        self.forget(repository, installation.id);
        let installation = self.of(transport, repository).await?;
        let token = installation.token(transport).await?;
        Ok(Access {
            installation,
            token,
        })
    }

    /// A token for all that an installation shows.
    pub(crate) async fn access_to_all(
        &self,
        transport: &Transport,
        found: &WireInstallation,
    ) -> Result<Access, GitHubError> {
        let installation = self.shared(transport, found)?;
        let token = installation.token(transport).await?;
        Ok(Access {
            installation,
            token,
        })
    }

    async fn of(
        &self,
        transport: &Transport,
        repository: &Repository,
    ) -> Result<Arc<Installation>, GitHubError> {
        let cell = {
            let mut cells = locked(&self.by_repository);
            Arc::clone(cells.entry(repository.clone()).or_default())
        };
        let found = cell.get_or_try_init(|| self.look_up(transport, repository));
        found.await.cloned()
    }

    async fn look_up(
        &self,
        transport: &Transport,
        repository: &Repository,
    ) -> Result<Arc<Installation>, GitHubError> {
        let operation = format!("find the GitHub App's installation on {repository}");
        let mut path = format!("/repos/{repository}/installation");
        let mut answer = transport.get_as_app(&operation, &path).await?;
        if let Some(moved) = transport.redirect(&answer) {
            path = moved;
            answer = transport.get_as_app(&operation, &path).await?;
        }
        if answer.status == StatusCode::NOT_FOUND {
            return Err(GitHubError::NotInstalled {
                app_id: transport.app_id(),
                repository: repository.clone(),
            });
        }
        let found = answer.parse(&operation)?;
        let installation = self.shared(transport, &found)?;
        let owner = repository.owner().to_ascii_lowercase();
        locked(&self.by_owner).insert(owner, Arc::clone(&installation));
        Ok(installation)
    }

    /// The rate limit of an owner's installation, as an answer last told it.
    pub(crate) fn rate_of(&self, owner: &str) -> Option<RateBudget> {
        let owner = owner.to_ascii_lowercase();
        let installation = locked(&self.by_owner).get(&owner).cloned()?;
        let rate = *locked(&installation.rate);
        Some(rate)
    }

    fn shared(
        &self,
        transport: &Transport,
        found: &WireInstallation,
    ) -> Result<Arc<Installation>, GitHubError> {
        let id = found.id;
        let mut known = locked(&self.by_id);
        if let Some(installation) = known.get(&id) {
            return Ok(Arc::clone(installation));
        }
        let installation = Arc::new(Installation {
            id,
            kind: found.target_type,
            client: tokio::sync::Mutex::new(transport.installation(id)?),
            rate: Mutex::default(),
        });
        known.insert(id, Arc::clone(&installation));
        Ok(installation)
    }

    fn forget(&self, repository: &Repository, id: InstallationId) {
        locked(&self.by_repository).remove(repository);
        locked(&self.by_id).remove(&id);
    }
}

impl Access {
    /// Whose repository it is.
    pub(crate) fn account(&self) -> AccountKind {
        self.installation.kind
    }

    /// An answer told the installation's rate limit.
    pub(crate) fn told(&self, rate: RateBudget) {
        *locked(&self.installation.rate) = rate;
    }

    /// Takes a new token in place of the one that GitHub rejected, unless somebody did already.
    pub(crate) async fn renew(&mut self, transport: &Transport) -> Result<(), GitHubError> {
        self.token = self.installation.renewed(transport, &self.token).await?;
        Ok(())
    }
}

impl Installation {
    async fn token(&self, transport: &Transport) -> Result<SecretString, GitHubError> {
        let operation = self.operation();
        let token = async {
            let client = self.client.lock().await;
            asked(&operation, &client).await
        };
        // The limit includes the wait for somebody else's request, which has the same limit.
        transport.within_limit(&operation, Box::pin(token)).await
    }

    async fn renewed(
        &self,
        transport: &Transport,
        rejected: &SecretString,
    ) -> Result<SecretString, GitHubError> {
        let operation = self.operation();
        let token = async {
            let mut client = self.client.lock().await;
            let known = asked(&operation, &client).await?;
            if known.expose_secret() != rejected.expose_secret() {
                return Ok(known);
            }
            *client = transport.installation(self.id)?;
            asked(&operation, &client).await
        };
        transport.within_limit(&operation, Box::pin(token)).await
    }

    fn operation(&self) -> String {
        format!("get an access token of installation {}", self.id)
    }
}

async fn asked(operation: &str, client: &Octocrab) -> Result<SecretString, GitHubError> {
    let token = client.installation_token().await;
    token.map_err(|error| from_octocrab(operation, error))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
