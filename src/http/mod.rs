//! Bytes to heads and back; no I/O.
