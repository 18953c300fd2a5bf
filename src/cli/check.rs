//! `rachis check`: everything that is wrong with a configuration, in one run.

use super::{
    ConfigArgs, Format, absolute,
    config::{self, Origin},
    report,
};
use crate::{diag::Severity, explain::lint, policy::reading::ConfigFile, system::Disk};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

/// Arguments of `rachis check`.
#[derive(clap::Args, Debug)]
pub(super) struct Check {
    /// A configuration, whole or in part; without it, the one that httpd's options name.
    file: Option<PathBuf>,
    /// How to write what is found.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Check {
    pub(super) fn run(self) -> ExitCode {
        let options = self.config.options();
        let mut load = config::load_options(&options, &Origin::of(&options));
        if let Some(file) = &self.file {
            load.file = ConfigFile::Path(config::bytes(&absolute(file)));
            if options.server_root.is_none() {
                load.server_root = config::bytes(&absolute(".".as_ref()));
            }
        }
        let loaded = config::load(&load);
        let mut findings = loaded.diagnostics.clone();
        findings.extend(lint::lint(&loaded.nodes, loaded.sources(), &Disk));
        let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        for found in &findings {
            if !report::print(&report::finding(found, loaded.sources(), self.format, color)) {
                break;
            }
        }
        if self.format != Format::Json {
            report::print(&format!("{}: {}\n", loaded.main, report::summary(&findings)));
        }
        ExitCode::from(u8::from(findings.iter().any(|found| found.severity == Severity::Error)))
    }
}
