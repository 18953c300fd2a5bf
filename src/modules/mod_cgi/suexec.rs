//! Programs that run as another user than the server, through Apache's setuid wrapper; and what the
//! wrapper means when it refuses, which it tells nobody but its own log.

use super::super::mod_suexec;
use crate::{
    engine::{Cgi, Cx},
    policy::suexec::WRAPPER,
};
use bstr::ByteSlice;

/// The note of a request whose program runs through the wrapper: as whom.
pub(super) const WRAPPED: &str = "rachis-suexec";

/// Has the setuid wrapper run the program, where it is to run as another user than the server: its
/// own directory, and the bare name, are what the wrapper takes (ap_unix_create_privileged_process).
pub(super) fn as_somebody(cx: &mut Cx<'_>, cgi: Cgi) -> Cgi {
    let Some(who) = mod_suexec::identity(cx) else { return cgi };
    let words = format!("the program runs through suEXEC as user {} and group {}", who.user, who.group);
    match who.at {
        Some(at) => cx.because(at, format_args!("{words}")),
        None => cx.note(format_args!("{words}")),
    }
    cx.req.notes.set(WRAPPED, who.user.clone());
    let name = cx.req.base_name().into();
    let front = [WRAPPER.into(), who.user, who.group, name];
    let argv = front.into_iter().chain(cgi.argv.into_iter().skip(1)).collect();
    Cgi { program: WRAPPER.into(), argv, ..cgi }
}

/// What an exit status of the wrapper means for a program; `None` for those of the program itself.
/// Each was seen beside the line that the wrapper wrote to its log.
pub(super) fn refusal(status: i32, program: &[u8]) -> Option<String> {
    let (file, directory) =
        (program.as_bstr(), program.rfind_byte(b'/').map_or(program, |at| &program[..at]).as_bstr());
    let (what, mend) = match (status & 0x7f, status >> 8 & 0xff) {
        (0, 103) => (
            "the server runs as another user than the wrapper was built for (AP_HTTPD_USER of `suexec -V`)".to_owned(),
            "write that user in `User`: on Debian www-data".to_owned(),
        ),
        (0, 106) => ("there is no such group".to_owned(), "name another group in SuexecUserGroup".to_owned()),
        (0, 107) => (
            "the user is root, or its number is below AP_UID_MIN of `suexec -V`".to_owned(),
            "name an ordinary user in SuexecUserGroup".to_owned(),
        ),
        (0, 108) => (
            "the group is root's, or its number is below AP_GID_MIN of `suexec -V`".to_owned(),
            "name an ordinary group in SuexecUserGroup".to_owned(),
        ),
        (0, 112) => (
            "the user has no home directory with a public_html in it (AP_USERDIR_SUFFIX of `suexec -V`)".to_owned(),
            "make it, mode 755".to_owned(),
        ),
        (0, 114) => (
            format!("{directory} is outside of the tree that the wrapper serves: AP_DOC_ROOT of `suexec -V`, or public_html of a `~user`"),
            "move the program there: on Debian below /var/www, or name the tree in /etc/apache2/suexec/www-data with \
             apache2-suexec-custom".to_owned(),
        ),
        (0, 116) => (format!("the directory {directory} is writable by group or others"), format!("chmod go-w {directory}")),
        (0, 117) => (format!("{file} cannot be seen, or is a symbolic link"), format!("put the file itself into {directory}")),
        (0, 118) => (format!("{file} is writable by group or others"), format!("chmod go-w {file}")),
        (0, 119) => (format!("{file} is setuid or setgid"), format!("chmod ug-s {file}")),
        (0, 120) => (
            format!("{file} or {directory} does not belong to the user and group that it is to run as"),
            format!("chown both to the user and group of SuexecUserGroup: chown USER:GROUP {directory} {file}"),
        ),
        (0, 121) => (
            format!("{file} is not executable by its owner, or there is no user of the number in SuexecUserGroup"),
            format!("chmod u+x {file}"),
        ),
        _ => return None,
    };
    Some(format!(
        "suEXEC refused to run it: {what}. To mend it: {mend}. The wrapper's own words are in its log (AP_LOG_EXEC of `suexec -V`)."
    ))
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[track_caller]
    fn check(code: i32, expected: Option<&str>) {
        let text = refusal(code << 8, b"/var/www/u/x.py");
        assert_eq!(text.is_some(), expected.is_some(), "{text:?}");
        assert!(text.unwrap_or_default().contains(expected.unwrap_or_default()));
    }

    #[test]
    fn refusals_of_the_wrapper() {
        check(103, Some("another user than the wrapper was built for"));
        check(116, Some("chmod go-w /var/www/u."));
        check(118, Some("chmod go-w /var/www/u/x.py."));
        check(120, Some("chown USER:GROUP /var/www/u /var/www/u/x.py"));
        check(1, None);
        check(0, None);
    }
}
