//! `rachis run`: a directory served without any configuration.

use std::process::ExitCode;

/// Arguments of `rachis run`.
#[derive(clap::Args, Debug)]
pub(super) struct Run {}

impl Run {
    pub(super) fn run(self) -> ExitCode {
        ExitCode::FAILURE
    }
}
