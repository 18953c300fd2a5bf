//! Files of users and groups, read as Apache reads configuration files (ap_cfg_getline): a line that
//! ends in a backslash goes on, blanks around do not count, `#` begins a comment.

use crate::{engine::Cx, system};
use bstr::ByteSlice;
use std::{borrow::Cow, io};

/// Most bytes of a file that are looked at.
const LONGEST: u64 = 64 << 20;

/// The whole file; a directory or a device is none.
///
/// # Errors
/// It cannot be read.
pub fn read(cx: &mut Cx<'_>, name: &[u8]) -> io::Result<Vec<u8>> {
    let path = system::path(name);
    if !cx.system().stat(path)?.is_file() {
        let name = name.as_bstr();
        cx.as_module("core", |cx| {
            cx.log(3, "AH00554", format_args!("Access to file {name} denied by server: not a regular file"));
        });
        // EBADF, which is what Apache says of it.
        return Err(io::Error::from_raw_os_error(9));
    }
    cx.system().read(path, LONGEST)
}

/// Its lines, without blanks around, comments and empty ones.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.lines().map(ByteSlice::trim).filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

/// The text with continued lines joined.
pub fn joined(text: &[u8]) -> Cow<'_, [u8]> {
    if text.contains_str("\\\n") { text.replace("\\\n", "").into() } else { text.into() }
}
