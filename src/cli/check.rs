//! `rachis check`: everything that is wrong with a configuration, in one run: its own text, the
//! `.htaccess` files below the document roots, and the programs that it would run.

mod fix;
mod fragment;
mod site;

use super::{
    ConfigArgs, Format, absolute,
    config::{self, Origin},
    report,
};
use crate::{
    diag::{Diagnostic, Severity, Sources},
    explain::lint,
    policy::reading::{ConfigFile, LoadOptions},
    system::Disk,
};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

/// Arguments of `rachis check`.
#[derive(clap::Args, Debug)]
pub(super) struct Check {
    /// A configuration, whole or in part (`-` is standard input); without it, the one that httpd's
    /// options name.
    file: Option<PathBuf>,
    /// How to write what is found.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Take the file for a piece of a configuration, and check it for itself.
    #[arg(long, requires = "file")]
    fragment: bool,
    /// Where the piece would stand.
    #[arg(long, value_enum, default_value_t, requires = "fragment")]
    context: fragment::Context,
    /// Print what can be mended by a machine as a unified diff.
    #[arg(long)]
    fix: bool,
    /// Mend it in the files themselves.
    #[arg(long, requires = "fix")]
    write: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// What a check found, and the texts it points into.
pub(super) struct Found {
    name: String,
    findings: Vec<Diagnostic>,
    sources: Sources,
}

impl Check {
    pub(super) fn run(self) -> ExitCode {
        let found = match self.found() {
            Ok(found) => found,
            Err(error) => {
                report::say(&format!("rachis check: {error}\n"));
                return ExitCode::FAILURE;
            }
        };
        if self.fix {
            return fix::run(&found, self.write);
        }
        let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        report::findings(&found.findings, &found.sources, self.format, color);
        if matches!(self.format, Format::Full | Format::Concise) {
            report::print(&format!("{}: {}\n", found.name, report::summary(&found.findings)));
        }
        let failed = found.findings.iter().any(|found| found.severity == Severity::Error);
        ExitCode::from(u8::from(failed))
    }

    fn found(&self) -> Result<Found, String> {
        match &self.file {
            Some(file) if self.fragment => fragment::check(file, self.context, self.options()),
            _ => Ok(whole(&self.options())),
        }
    }

    fn options(&self) -> LoadOptions {
        let mut options = self.config.options();
        let standard_input = self.file.as_ref().is_some_and(|file| file.as_os_str() == "-");
        if standard_input && !self.fragment {
            options.config_file = Some(b"-".to_vec());
        }
        let mut load = config::load_options(&options, &Origin::of(&options));
        if let Some(file) = &self.file {
            if !standard_input {
                load.file = ConfigFile::Path(config::bytes(&absolute(file)));
            }
            if options.server_root.is_none() {
                load.server_root = config::bytes(&absolute(".".as_ref()));
            }
        }
        load
    }
}

fn whole(options: &LoadOptions) -> Found {
    let loaded = config::load(options);
    let mut findings = loaded.diagnostics.clone();
    findings.extend(lint::lint(&loaded.nodes, loaded.sources(), &Disk));
    let mut sources = loaded.sources().clone();
    findings.extend(site::check(&loaded, &mut sources));
    Found { name: loaded.main.to_string(), findings, sources }
}
