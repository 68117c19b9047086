//! Spot or on-demand.
