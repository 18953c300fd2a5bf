//! `rachis run`: a directory served without any configuration. What it does stands in an ordinary
//! httpd.conf text, [`TEXT`], which `--print-config` prints.

use super::{absolute, config, report, serve};
use crate::policy::reading::{ConfigFile, LoadOptions};
use bstr::{BString, ByteSlice};
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The configuration, behind the two lines that define DIR and ADDRESS.
const TEXT: &str = include_str!("run.conf");

/// Arguments of `rachis run`.
#[derive(clap::Args, Debug)]
pub(super) struct Run {
    /// The directory whose files are served; those in its cgi-bin are run as programs.
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// Port to listen on; 0 takes any that is free.
    #[arg(long, short, default_value_t = 8080)]
    port: u16,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Print the configuration that is used, and do nothing else.
    #[arg(long)]
    print_config: bool,
}

impl Run {
    pub(super) fn run(self) -> ExitCode {
        let directory = absolute(&self.directory);
        let text = match config_text(&directory, &self.host, self.port) {
            Ok(text) => text,
            Err(why) => {
                report::say(&format!("rachis run: {why}\n"));
                return ExitCode::FAILURE;
            }
        };
        if self.print_config {
            report::print(&text);
            return ExitCode::SUCCESS;
        }
        let load = LoadOptions {
            server_root: config::bytes(&directory),
            file: ConfigFile::Text("(rachis run)".into(), text.into()),
            pre: Vec::new(),
            post: Vec::new(),
            defines: Vec::new(),
        };
        let loaded = config::load(&load);
        if loaded.error().is_some() {
            report::errors(&loaded);
            return ExitCode::FAILURE;
        }
        let serving = Some(directory.display().to_string());
        serve::run(&loaded, serve::How { load, foreground: true, workers: 0, pid_file: None, serving })
    }
}

/// The whole text for a directory and an address.
fn config_text(directory: &Path, host: &str, port: u16) -> Result<BString, String> {
    if !directory.is_dir() {
        return Err(format!("`{}` is not a directory", directory.display()));
    }
    let name = config::bytes(directory);
    if name.find_byteset(b"\"\\$\n\r").is_some() {
        let shown = directory.display();
        return Err(format!(
            "the name of `{shown}` has a quote, a backslash or a `$`: no httpd.conf can say it"
        ));
    }
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-_[]".contains(&byte))
    {
        return Err(format!("`{host}` is no address"));
    }
    let host = match host.parse() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => host.to_owned(),
    };
    let head = [b"Define DIR \"", name.as_slice(), b"\"\n"].concat();
    let address = format!("Define ADDRESS {host}:{port}\n\n");
    Ok([head.as_slice(), address.as_bytes(), TEXT.as_bytes()].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(directory: &str, host: &str, words: &str) {
        let why = config_text(Path::new(directory), host, 0).unwrap_err();
        assert!(why.contains(words), "{why}");
    }

    #[test]
    fn what_cannot_be_served_is_said() {
        refused("/no/such/place", "127.0.0.1", "is not a directory");
        refused("/", "a b", "is no address");
        refused("/", "", "is no address");
    }

    #[test]
    fn addresses_stand_in_brackets_where_they_must() {
        let text = config_text(Path::new("/"), "::1", 81).unwrap();
        assert!(text.starts_with(b"Define DIR \"/\"\nDefine ADDRESS [::1]:81\n"));
    }
}
