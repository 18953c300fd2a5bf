//! httpd's front: the options that other programs drive, with httpd's streams and exit codes.

use super::{
    config::{self, Loaded, Origin},
    dump, local_host, log_directories,
    options::{self, BadOptions, Options, Print},
    report, version,
};
use crate::modules;
use std::{ffi::OsString, fs::OpenOptions, mem::ManuallyDrop, process::ExitCode};

/// Does what httpd does with these arguments.
pub(super) fn main(arguments: &[OsString]) -> ExitCode {
    let options = match options::parse(arguments) {
        Ok(options) => options,
        Err(bad) => return usage(&bad),
    };
    if let Some(file) = &options.error_file
        && let Err(failed) = redirect_errors(file)
    {
        return failed;
    }
    let origin = Origin::of(&options);
    match options.print {
        Some(Print::Version) => return print(&version::version()),
        Some(Print::Settings) => return print(&version::settings(&origin)),
        Some(Print::Modules) => return print(&version::compiled_in(modules::ALL)),
        None => {}
    }
    // Never given back piece by piece, which for ten thousand hosts takes a tenth of the time: the
    // process ends with it.
    let mut loaded = ManuallyDrop::new(config::load(&config::load_options(&options, &origin)));
    if options.skip_document_root {
        loaded.diagnostics.retain(|found| !is_document_root_check(found));
    }
    if options.defined("DUMP_INCLUDES") {
        report::print(&dump::includes(&loaded));
    }
    if loaded.error().is_some() {
        report::errors(&loaded);
        return ExitCode::FAILURE;
    }
    report::warnings(&loaded.diagnostics);
    if loaded.policy.main().core().name.is_none()
        && let Some(warning) = local_host::warning(&report::program())
    {
        report::say(&warning);
    }
    if options.defined("DUMP_VHOSTS") {
        report::print(&dump::vhosts(&loaded.policy));
    }
    if (options.test || options.directives) && !checked(&loaded) {
        return ExitCode::FAILURE;
    }
    // Without mod_info the name means nothing to Apache.
    if options.defined("DUMP_CONFIG")
        && loaded.policy.tables.is_active(modules::mod_info::MODULE.source.as_bytes())
    {
        report::print(&modules::mod_info::dump(&loaded.policy));
    }
    if options.directives {
        return print(&version::directives(&loaded.policy.tables));
    }
    if options.test {
        return test(&options, &loaded);
    }
    super::serve::start(&options, &origin, &loaded, arguments.is_empty())
}

fn usage(bad: &BadOptions) -> ExitCode {
    if let Some(complaint) = &bad.0 {
        report::say(&format!("{}: {complaint}\n", report::program()));
    }
    report::say(&options::usage(&report::called()));
    ExitCode::FAILURE
}

fn print(text: &str) -> ExitCode {
    report::print(text);
    ExitCode::SUCCESS
}

/// `-E`: standard error goes into a file from here on.
fn redirect_errors(file: &[u8]) -> Result<(), ExitCode> {
    let opened = OpenOptions::new().append(true).create(true).open(options::path(file));
    let done = opened.and_then(crate::server::host::redirect_stderr);
    done.map_err(|error| {
        let name = options::path(file);
        report::say(&format!(
            "{}: could not open error log file {}: {error}\n",
            report::program(),
            name.display()
        ));
        ExitCode::FAILURE
    })
}

/// Apache makes the check while it reads DocumentRoot, and `-T` turns it off.
fn is_document_root_check(found: &crate::diag::Diagnostic) -> bool {
    match report::apache_line(found) {
        Some(line) => {
            line.contains("\nDocumentRoot '") && line.ends_with("' is not a directory, or is not readable\n")
        }
        None => false,
    }
}

/// Apache's check of the configuration behind its reading; what is wrong is told.
fn checked(loaded: &Loaded) -> bool {
    let complaints = log_directories::complaints(&loaded.policy);
    complaints.iter().for_each(|line| report::say(&format!("{line}\n")));
    complaints.is_empty()
}

/// The dumps that Apache makes of a configuration that was found good; without any dump, that the
/// syntax is right.
fn test(options: &Options, loaded: &Loaded) -> ExitCode {
    if options.defined("DUMP_RUN_CFG") {
        report::print(&dump::run_settings(loaded, &options.defines));
    }
    if options.defined("DUMP_MODULES") {
        report::print(&version::loaded(&loaded.policy.tables));
    }
    if !options.dumps() {
        report::say("Syntax OK\n");
    }
    ExitCode::SUCCESS
}
