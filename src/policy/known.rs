//! Directives that Apache has and rachis may not: a name that no module here knows is then an
//! error that says whose it is, instead of a guess at a misspelling.

/// Name and module, one a line; sections with their `<` and `>`.
const KNOWN: &str = include_str!("known.tsv");

/// The module of the Apache manual that has a directive of this name (`mod_rewrite`, `prefork`);
/// letter case does not count, sections begin with `<`.
pub fn module_of(name: &[u8]) -> Option<&'static str> {
    let lines = KNOWN.lines().filter(|line| !line.starts_with('#'));
    let mut rows = lines.filter_map(|line| line.split_once('\t'));
    rows.find(|(known, _)| known.trim_end_matches('>').as_bytes().eq_ignore_ascii_case(name))
        .map(|(_, module)| module)
}

#[cfg(test)]
mod tests {
    use super::module_of;

    #[test]
    fn whose_a_directive_is() {
        assert_eq!(module_of(b"rewriteengine"), Some("mod_rewrite"));
        assert_eq!(module_of(b"<Proxy"), Some("mod_proxy"));
        assert_eq!(module_of(b"Rewrite"), None);
    }
}
