//! The engine: from a request to one decision.
