//! `rachis explain-id`: the page of a finding's id.

use super::report;
use crate::diag::ids;
use std::process::ExitCode;

/// Arguments of `rachis explain-id`.
#[derive(clap::Args, Debug)]
pub(super) struct ExplainId {
    /// An id as findings bear it, such as RX0010; without it, all of them in a list.
    id: Option<String>,
}

impl ExplainId {
    pub(super) fn run(self) -> ExitCode {
        let Some(id) = self.id else {
            let lines = ids::all().map(|row| format!("{}  {}\n", row.id, row.title));
            report::print(&lines.collect::<String>());
            return ExitCode::SUCCESS;
        };
        match ids::find(&id.to_ascii_uppercase()) {
            Some(row) => {
                report::print(&row.page());
                ExitCode::SUCCESS
            }
            None => {
                report::say(&format!("rachis explain-id: there is no {id}; without an id all are listed\n"));
                ExitCode::FAILURE
            }
        }
    }
}
