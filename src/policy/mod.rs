//! The policy tree.
