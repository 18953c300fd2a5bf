//! Files and URLs that are mapped to something else than was meant: RX0780, a handler that looks like another
//! one's name, and RX0781, an alias whose two halves do not fit.

use crate::{
    diag::Diagnostic,
    policy::table::edit_distance,
    syntax::{Node, Word},
};
use bstr::ByteSlice;

/// Handlers of Apache's modules that configurations name.
const HANDLERS: [&str; 11] = [
    "cgi-script",
    "default-handler",
    "server-status",
    "server-info",
    "send-as-is",
    "type-map",
    "imap-file",
    "balancer-manager",
    "ldap-status",
    "lua-script",
    "isapi-handler",
];

/// How many letters may be wrong.
const NEAR: usize = 2;

/// Both, over all nodes of a configuration or of a `.htaccess` file.
pub fn lint(nodes: &[Node]) -> Vec<Diagnostic> {
    let all = super::every(nodes);
    // A handler may have any name if an Action says what it does.
    let actions = all.iter().filter(|node| node.is(b"Action")).filter_map(|node| node.words().next());
    let actions: Vec<Word> = actions.collect();
    let known = |name: &[u8]| actions.iter().any(|action| action.text.eq_ignore_ascii_case(name));
    all.into_iter().filter_map(|node| handler(node, &known).or_else(|| halves(node))).collect()
}

fn handler(node: &Node, known: &dyn Fn(&[u8]) -> bool) -> Option<Diagnostic> {
    if !node.is(b"AddHandler") && !node.is(b"SetHandler") {
        return None;
    }
    let word = node.words().next()?;
    let name = word.text.to_str().ok()?.to_ascii_lowercase();
    if known(name.as_bytes()) || HANDLERS.contains(&name.as_str()) {
        return None;
    }
    let meant = HANDLERS.into_iter().find(|handler| edit_distance(handler, &name) <= NEAR)?;
    let warning = Diagnostic::warning("RX0780", word.span, format!("nothing handles `{}`", word.text));
    Some(
        warning
            .with_label("no handler has this name")
            .with_note(
                "files of a handler that nobody has are sent as they are: the source of a program, too",
            )
            .with_edit(format!("write `{meant}`"), word.span, meant),
    )
}

/// The rest of the URL is put behind the path as it is.
fn halves(node: &Node) -> Option<Diagnostic> {
    if !node.is(b"Alias") && !node.is(b"ScriptAlias") {
        return None;
    }
    let words: Vec<Word> = node.words().collect();
    let [url, path] = words.as_slice() else { return None };
    if !url.text.ends_with(b"/") || path.text.ends_with(b"/") || path.text.is_empty() {
        return None;
    }
    let example = format!("`{}x` is looked for at `{}x`", url.text, path.text);
    let warning = Diagnostic::warning("RX0781", path.span, "the slash at the end is missing here");
    let edit = format!("\"{}/\"", path.text);
    Some(warning.with_label(example).with_edit("end both with a slash, or neither", path.span, edit))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn handlers_that_nobody_has() {
        check("AddHandler cgiscript .py\n", &["f:1:12: warning[RX0780]"]);
        check("SetHandler CGI-scirpt\n", &["f:1:12: warning[RX0780]"]);
        check("AddHandler cgi-script .py\nSetHandler Server-Status\nSetHandler none\n", &[]);
        check("AddHandler my-own .x\nSetHandler \"proxy:fcgi://127.0.0.1:9000\"\n", &[]);
        check("Action cgiscript /cgi-bin/p\nAddHandler cgiscript .py\n", &[]);
    }

    #[test]
    fn aliases_whose_halves_do_not_fit() {
        check("ScriptAlias /cgi-bin/ /srv/site\n", &["f:1:23: warning[RX0781]"]);
        check("Alias /a/ \"/srv/site\"\n", &["f:1:11: warning[RX0781]"]);
        check("Alias /a /srv/site/\nAlias /a/ /srv/site/\nAlias /a /srv/site\n", &[]);
    }
}
