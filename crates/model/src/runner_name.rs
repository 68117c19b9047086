//! From a runner's name to the instance it runs on.
