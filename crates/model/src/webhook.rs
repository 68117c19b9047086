//! GitHub webhooks.
