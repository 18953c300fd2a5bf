//! What core does to small configurations.
