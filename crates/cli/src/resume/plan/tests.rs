//! Questions to servers that answer in every way.
