//! The cases of `tests/cases/`, one test per page.
//!
//! `cargo test --test cases` asks rachis; `ORACLE=1` asks Apache as well, and both must answer as the page says;
//! `CASE=words` takes only the cases whose `page.md: heading` contains the words.

mod support;

macro_rules! pages {
    ($($page:ident)*) => {
        const PAGES: &[&str] = &[$(stringify!($page)),*];
        $(#[test]
        fn $page() {
            support::run_page(stringify!($page), PAGES.len());
        })*
    };
}

pages! {
    core directory_merge files location limit htaccess mod_alias mod_mime mod_dir mod_cgi cgi_environment cgi_answers
    mod_cgid mod_authz_core mod_authz_host mod_access_compat mod_env mod_setenvif mod_log_config
    mod_version mod_actions mod_so mod_suexec mpm_event mod_unixd http error_documents config_errors mission core_tuning command_line
    virtual_hosts if_sections mod_macro wrong_configs mod_rachis mod_userdir mod_unique_id
    mod_auth_basic mod_auth_digest mod_authn_core mod_authn_file mod_authn_anon mod_authz_user mod_authz_groupfile
    mod_authz_owner mod_allowmethods mod_deflate mod_filter introspection mod_expires mod_headers mod_rewrite mod_asis mod_include mod_autoindex mod_negotiation mod_status mod_info mod_request script_mistakes
}

#[test]
fn every_page_is_listed() {
    let mut found: Vec<String> = std::fs::read_dir(support::directory())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".md").map(str::to_string))
        .filter(|page| page != "README")
        .collect();
    found.sort();
    let mut listed = PAGES.to_vec();
    listed.sort();
    assert_eq!(found, listed);
}
