//! The one check of `-t` that looks beyond the configuration: the directories of error logs exist.

use super::config::DEFAULT_ERROR_LOG;
use crate::policy::{Policy, place::server_root_relative};
use bstr::{BStr, ByteSlice};
use std::path::Path;

/// Apache's lines for error logs whose directory cannot be had, and its conclusion; empty if all
/// is well.
pub(super) fn complaints(policy: &Policy) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, server) in policy.servers.iter().enumerate() {
        let said = server.core().error_log.as_ref();
        let inherited = number != 0
            && said.map(|said| said.at) == policy.main().core().error_log.as_ref().map(|said| said.at);
        if inherited {
            continue;
        }
        let spec = said.map_or(DEFAULT_ERROR_LOG.as_bytes(), |said| said.value.as_slice());
        let Some(os) = missing(spec, &policy.process.server_root) else { continue };
        let place = policy.sources.place(server.span);
        lines.push(match number {
            0 => format!("{os} for main error log"),
            _ => format!("{os} for error log of vhost defined at {}:{}", place.file, place.line),
        });
    }
    if !lines.is_empty() {
        lines.push("AH00014: Configuration check failed".to_owned());
    }
    lines
}

/// What is wrong with the directory of a log; nothing with pipes, syslog and the like.
fn missing(spec: &[u8], root: &[u8]) -> Option<String> {
    let elsewhere = spec.starts_with(b"|") || spec == b"syslog" || spec.starts_with(b"syslog:");
    if elsewhere {
        return None;
    }
    let file = server_root_relative(root, spec);
    let directory = &file[..=file.rfind_byte(b'/')?];
    let path = Path::new(directory.to_os_str().ok()?);
    let error = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => return None,
        Ok(_) => "(20)Not a directory",
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => "(13)Permission denied",
        Err(_) => "(2)No such file or directory",
    };
    Some(format!("{error}: AH02291: Cannot access directory '{}'", BStr::new(directory)))
}
