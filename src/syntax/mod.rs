//! Configuration text to a lossless tree.
