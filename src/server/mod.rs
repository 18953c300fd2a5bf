//! Sockets, processes, signals.
