//! Starting the server, and telling a running one what to do.

use super::{
    config::{Loaded, Origin},
    options::Options,
};
use std::process::ExitCode;

/// `-k`, `-X`, or a plain start.
pub(super) fn start(_options: &Options, _origin: &Origin, _loaded: &Loaded, _bare: bool) -> ExitCode {
    ExitCode::FAILURE
}
