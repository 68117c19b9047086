//! The controller: consumes events, decides, re-runs and launches.
