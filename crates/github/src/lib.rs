//! GitHub's REST API as a GitHub App sees it.
