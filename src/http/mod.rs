//! Bytes to heads and back; no I/O, no clock, nothing of the rest of the project.
//!
//! Every rule here is Apache's: where the RFCs leave room, or Apache departs from them, Apache wins.

pub mod canned;
pub mod cgi;
pub mod chunked;
pub mod conditional;
pub mod date;
pub mod escape;
mod fields;
pub mod headers;
pub mod method;
pub mod path;
pub mod range;
pub mod request;
mod request_line;
pub mod response;
pub mod status;
pub mod target;

pub use headers::Headers;
pub use method::{Method, MethodSet};
pub use status::Status;
