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

/// `-t`, `-S`, `-M` and the other dumps; without any, that the syntax is right.
fn test(options: &Options, loaded: &Loaded) -> ExitCode {
    let mut text = String::new();
    let mut dumped = false;
    let mut dump = |name: &str, make: &dyn Fn() -> String| {
        if options.defined(name) {
            text.push_str(&make());
            dumped = true;
        }
    };
    dump("DUMP_VHOSTS", &|| dump::vhosts(&loaded.policy));
    dump("DUMP_RUN_CFG", &|| dump::run_settings(loaded, &options.defines));
    dump("DUMP_MODULES", &|| version::loaded(&loaded.policy.tables));
    dump("DUMP_INCLUDES", &|| dump::includes(loaded));
    report::print(&text);
    let complaints = log_directories::complaints(&loaded.policy);
    if !complaints.is_empty() {
        complaints.iter().for_each(|line| report::say(&format!("{line}\n")));
        return ExitCode::FAILURE;
    }
    if !dumped {
        report::say("Syntax OK\n");
    }
    ExitCode::SUCCESS
}
