//! RX0718: `Order`, `Allow` and `Deny` of Apache 2.2, and the `Require` that says the same
//! (the manual's page on upgrading to 2.4). What has no exact counterpart is left alone.

use crate::{
    diag::{Diagnostic, Edit, Fix},
    syntax::Node,
};
use bstr::{BString, ByteSlice};

/// Every section by itself.
pub fn lint(nodes: &[Node]) -> Vec<Diagnostic> {
    super::every(nodes).into_iter().filter(|node| is_section(node)).filter_map(section).collect()
}

fn is_section(node: &Node) -> bool {
    [&b"<Directory"[..], b"<DirectoryMatch", b"<Location", b"<LocationMatch", b"<Files", b"<FilesMatch"]
        .iter()
        .any(|name| node.is(name))
}

fn words(node: &Node) -> Vec<BString> {
    node.words().map(|word| word.text.to_ascii_lowercase().into()).collect()
}

fn section(node: &Node) -> Option<Diagnostic> {
    let named = |names: &[&[u8]]| -> Vec<&Node> {
        let own = node.children.iter();
        own.filter(|child| names.iter().any(|name| child.is(name))).collect()
    };
    let old = named(&[b"Order", b"Allow", b"Deny"]);
    let first = old.first()?;
    let note = Diagnostic::new(
        "RX0718",
        crate::diag::Severity::Note,
        first.span,
        "access control as Apache 2.2 had it",
    )
    .with_note("mod_access_compat still understands it; beside `Require` both must let a request in");
    let mixed = !named(&[b"Require", b"Satisfy", b"<Limit", b"<LimitExcept", b"<RequireAny", b"<RequireAll"])
        .is_empty();
    let required = (!mixed).then(|| requirement(&old)).flatten();
    let Some(required) = required else {
        return Some(note.with_advice("say it with `Require`: see the manual's page on upgrading to 2.4"));
    };
    let advice = format!("write `{}`", required.replace('\n', "` and `"));
    let mut edits = vec![Edit { span: first.span, text: required }];
    edits.extend(old[1..].iter().map(|node| Edit { span: node.span, text: String::new() }));
    Some(Diagnostic { fix: Some(Fix { advice, edits }), ..note })
}

/// What the lines come to, if that is plain.
fn requirement(old: &[&Node]) -> Option<String> {
    let order = old.iter().rfind(|node| node.is(b"Order")).map(|node| words(node));
    let allow_last = match order.as_deref() {
        None => true,
        Some([order]) if order == "deny,allow" => true,
        Some([order]) if order == "allow,deny" || order == "mutual-failure" => false,
        Some(_) => return None,
    };
    let hosts = |name: &[u8]| -> Option<Vec<BString>> {
        let mut hosts = Vec::new();
        for node in old.iter().filter(|node| node.is(name)) {
            let words = words(node);
            let (from, rest) = words.split_first()?;
            if from != "from" || rest.iter().any(|host| host.starts_with(b"env=")) || rest.is_empty() {
                return None;
            }
            hosts.extend(rest.iter().cloned());
        }
        Some(hosts)
    };
    let (allow, deny) = (hosts(b"Allow")?, hosts(b"Deny")?);
    let all = |hosts: &[BString]| hosts.iter().any(|host| host == "all");
    match (allow_last, allow.as_slice(), deny.as_slice()) {
        (true, _, []) => Some("Require all granted".to_owned()),
        (true, allow, _) if all(allow) => Some("Require all granted".to_owned()),
        (true, [], deny) if all(deny) => Some("Require all denied".to_owned()),
        (true, allow, deny) if all(deny) => Some(only(allow)),
        (false, [], _) => Some("Require all denied".to_owned()),
        (false, _, deny) if all(deny) => Some("Require all denied".to_owned()),
        (false, allow, []) if all(allow) => Some("Require all granted".to_owned()),
        (false, allow, []) => Some(only(allow)),
        _ => None,
    }
}

fn only(hosts: &[BString]) -> String {
    let is_ip = |host: &&BString| {
        host.contains(&b':') || host.iter().all(|byte| byte.is_ascii_digit() || b"./".contains(byte))
    };
    let (ips, names): (Vec<&BString>, Vec<&BString>) = hosts.iter().partition(is_ip);
    let line = |kind: &str, hosts: &[&BString]| {
        let hosts: Vec<String> = hosts.iter().map(|host| host.to_str_lossy().into_owned()).collect();
        (!hosts.is_empty()).then(|| format!("Require {kind} {}", hosts.join(" ")))
    };
    let lines: Vec<String> = [line("ip", &ips), line("host", &names)].into_iter().flatten().collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_addresses() {
        assert_eq!(only(&["10.1".into(), "a.example".into()]), "Require ip 10.1\nRequire host a.example");
    }
}
