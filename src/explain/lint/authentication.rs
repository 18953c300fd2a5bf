//! RX0716: sections that ask for a user and lack a part of what that takes. Apache starts with every
//! one of them, and answers 500 when somebody asks.

use crate::{
    diag::Diagnostic,
    policy::place::server_root_relative,
    syntax::Node,
    system::{self, System},
};
use bstr::{BString, ByteSlice};

/// Words behind `Require` that need a user.
const USERS: [&[u8]; 5] = [b"user", b"valid-user", b"group", b"file-owner", b"file-group"];

/// What the sections around say already.
#[derive(Clone, Copy, Default)]
struct Said<'n> {
    kind: Option<&'n Node>,
    name: bool,
    file: bool,
    provider: bool,
    requires: bool,
}

/// Looks at every section by itself, and takes what stands anywhere else for said: sections are laid
/// over one another in more ways than a lint can follow.
pub fn lint(nodes: &[Node], system: &dyn System) -> Vec<Diagnostic> {
    let all = super::every(nodes);
    let root = all.iter().find(|node| node.is(b"ServerRoot")).and_then(|node| first_word(node));
    let anywhere = |name: &[u8]| all.iter().any(|node| node.is(name));
    let mut found = Vec::new();
    for node in all.iter().filter(|node| node.is(b"AuthUserFile") || node.is(b"AuthGroupFile")) {
        found.extend(unreadable(node, root.as_ref(), system));
    }
    for section in all.iter().filter(|node| is_section(node)) {
        let said = said_in(&section.children);
        found.extend(incomplete(section, &said, &anywhere));
    }
    found
}

fn is_section(node: &Node) -> bool {
    [&b"<Directory"[..], b"<DirectoryMatch", b"<Location", b"<LocationMatch", b"<Files", b"<FilesMatch"]
        .iter()
        .any(|name| node.is(name))
}

fn first_word(node: &Node) -> Option<BString> {
    node.words().next().map(|word| word.text)
}

fn said_in(children: &[Node]) -> Said<'_> {
    let mut said = Said::default();
    for node in super::every(children) {
        match node.name.to_ascii_lowercase().as_slice() {
            b"authtype" => said.kind = Some(node),
            b"authname" => said.name = true,
            b"authuserfile" => said.file = true,
            b"authbasicprovider" | b"authdigestprovider" => said.provider = true,
            b"require" => said.requires |= asks_for_user(node),
            _ => {}
        }
    }
    said
}

fn asks_for_user(node: &Node) -> bool {
    let mut words = node.words().map(|word| word.text.to_ascii_lowercase());
    let first = words.next().filter(|word| word != b"not").or_else(|| words.next());
    first.is_some_and(|word| USERS.contains(&word.as_slice()))
}

/// What a section that says `AuthType Basic` or Digest, or requires a user, does not say.
fn incomplete(section: &Node, said: &Said<'_>, anywhere: &dyn Fn(&[u8]) -> bool) -> Option<Diagnostic> {
    let kind = said.kind.and_then(first_word);
    let mut lacks: Vec<&str> = Vec::new();
    let at = match (said.kind, &kind) {
        (Some(node), Some(kind)) if !kind.eq_ignore_ascii_case(b"None") => {
            let known = [&b"basic"[..], b"digest", b"form"].contains(&kind.to_ascii_lowercase().as_slice());
            if !known && !kind.contains(&b'%') {
                return Some(unknown_kind(node, kind));
            }
            if !said.name && !anywhere(b"AuthName") {
                lacks.push("AuthName");
            }
            if !said.file && !said.provider && !anywhere(b"AuthUserFile") {
                lacks.push("AuthUserFile");
            }
            if !said.requires && !anywhere(b"Require") {
                lacks.push("Require");
            }
            node.span
        }
        (None, _) if said.requires && !anywhere(b"AuthType") => {
            lacks.push("AuthType");
            lacks.extend((!anywhere(b"AuthName")).then_some("AuthName"));
            lacks.extend((!anywhere(b"AuthUserFile") && !said.provider).then_some("AuthUserFile"));
            section.span
        }
        _ => return None,
    };
    if lacks.is_empty() {
        return None;
    }
    let headline = format!("users are asked for here, but there is no {}", lacks.join(", no "));
    let label = match lacks.as_slice() {
        ["Require"] => "nobody is ever asked",
        _ => "every request is answered with 500",
    };
    let lines: Vec<&str> = lacks.iter().map(|name| example(name)).collect();
    Some(
        Diagnostic::warning("RX0716", at, headline)
            .with_label(label)
            .with_advice(format!("add {}", lines.join(", "))),
    )
}

fn example(name: &str) -> &'static str {
    match name {
        "AuthType" => "`AuthType Basic`",
        "AuthName" => "`AuthName \"Members only\"`",
        "AuthUserFile" => "`AuthUserFile \"/path/to/htpasswd\"`",
        _ => "`Require valid-user`",
    }
}

fn unknown_kind(node: &Node, kind: &BString) -> Diagnostic {
    let at = node.words().next().map_or(node.span, |word| word.span);
    Diagnostic::warning("RX0716", at, format!("there is no AuthType {kind}"))
        .with_label("every request is answered with 500")
        .with_note("the log would say: AH01796: AuthType … configured without corresponding module")
        .with_edit("the usual one is Basic", at, "Basic".to_owned())
}

/// A file of users or groups that is not there or cannot be read.
fn unreadable(node: &Node, root: Option<&BString>, system: &dyn System) -> Option<Diagnostic> {
    let word = node.words().next()?;
    let path = match (word.text.starts_with(b"/"), root) {
        (true, _) => word.text.clone(),
        (false, Some(root)) => server_root_relative(root, &word.text),
        (false, None) => return None,
    };
    let why = match system.stat(system::path(&path)) {
        Err(error) => format!("cannot be read: {error}"),
        Ok(stat) if stat.is_dir() => "is a directory".to_owned(),
        Ok(_) => match system.read(system::path(&path), 1) {
            Err(error) => format!("cannot be read: {error}"),
            Ok(_) => return None,
        },
    };
    Some(
        Diagnostic::warning("RX0717", word.span, format!("`{}` {why}", path.as_bstr()))
            .with_label("every request with a user is answered with 500")
            .with_note("the log would say: AH01620: Could not open password file")
            .with_advice(format!("make it with `htpasswd -cB {} NAME`", path.as_bstr())),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    const FILE: &str = "AuthUserFile /srv/site/page\n";

    #[test]
    fn what_is_whole_is_right() {
        check(
            &format!("<Location /a>\nAuthType Basic\nAuthName x\n{FILE}Require valid-user\n</Location>\n"),
            &[],
        );
        check("<Location /a>\nAuthType None\nRequire all granted\n</Location>\n", &[]);
    }

    #[test]
    fn what_is_lacking_is_named() {
        let headline =
            "f:2:1: warning[RX0716]: users are asked for here, but there is no AuthName, no AuthUserFile";
        check("<Location /a>\nAuthType Basic\nRequire valid-user\n</Location>\n", &[headline]);
        let all = "f:1:1: warning[RX0716]: users are asked for here, but there is no AuthType, no AuthName, no AuthUserFile";
        check("<Location /a>\nRequire user amy\n</Location>\n", &[all]);
        let require = "f:2:1: warning[RX0716]: users are asked for here, but there is no Require";
        check(&format!("<Location /a>\nAuthType Basic\nAuthName x\n{FILE}</Location>\n"), &[require]);
    }

    #[test]
    fn a_kind_that_nobody_has() {
        let text =
            format!("<Location /a>\nAuthType Bsic\nAuthName x\n{FILE}Require valid-user\n</Location>\n");
        check(&text, &["f:2:10: warning[RX0716]: there is no AuthType Bsic"]);
    }

    #[test]
    fn a_file_that_is_not_there() {
        let text = "<Location /a>\nAuthType Basic\nAuthName x\nAuthUserFile /srv/none\nRequire valid-user\n</Location>\n";
        check(text, &["f:4:14: warning[RX0717]"]);
        check(&text.replace("/srv/none", "/srv/site"), &["f:4:14: warning[RX0717]"]);
    }
}
