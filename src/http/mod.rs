//! stub
pub mod cgi;
pub mod date;
pub mod escape;
pub mod headers;
pub mod method;
pub mod path;
pub mod status;
pub use headers::Headers;
pub use method::{Method, MethodSet};
pub use status::Status;
