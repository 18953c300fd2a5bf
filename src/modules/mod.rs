//! The modules, one file (or folder) each, named as Apache names them. [`ALL`] is the only list;
//! its order is the order in which equals are asked.

mod apr;
mod client;
pub mod core;
pub mod http_core;
pub mod mod_access_compat;
pub mod mod_actions;
pub mod mod_alias;
pub mod mod_allowmethods;
pub mod mod_asis;
pub mod mod_auth_basic;
pub mod mod_auth_digest;
pub mod mod_authn_anon;
pub mod mod_authn_core;
pub mod mod_authn_file;
pub mod mod_authz_core;
pub mod mod_authz_groupfile;
pub mod mod_authz_host;
pub mod mod_authz_owner;
pub mod mod_authz_user;
pub mod mod_autoindex;
pub mod mod_cgi;
pub mod mod_cgid;
pub mod mod_deflate;
pub mod mod_dir;
pub mod mod_env;
pub mod mod_expires;
pub mod mod_filter;
pub mod mod_headers;
pub mod mod_include;
pub mod mod_info;
pub mod mod_log_config;
pub mod mod_macro;
pub mod mod_mime;
pub mod mod_negotiation;
pub mod mod_rachis;
pub mod mod_request;
pub mod mod_rewrite;
pub mod mod_setenvif;
pub mod mod_so;
pub mod mod_status;
pub mod mod_suexec;
pub mod mod_unique_id;
pub mod mod_unixd;
pub mod mod_userdir;
pub mod mod_version;
pub mod mpm_event;
mod require_line;
mod script_head;
mod strftime;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod testing_authz;
mod text_file;

use crate::engine::Module;

/// Every module of this server.
pub static ALL: &[&Module] = &[
    &core::MODULE,
    &mod_so::MODULE,
    &http_core::MODULE,
    &mpm_event::MODULE,
    &mod_unixd::MODULE,
    &mod_log_config::MODULE,
    &mod_version::MODULE,
    &mod_access_compat::MODULE,
    &mod_actions::MODULE,
    &mod_alias::MODULE,
    &mod_allowmethods::MODULE,
    &mod_asis::MODULE,
    &mod_auth_basic::MODULE,
    &mod_auth_digest::MODULE,
    &mod_authn_anon::MODULE,
    &mod_authn_core::MODULE,
    &mod_authn_file::MODULE,
    &mod_authz_core::MODULE,
    &mod_authz_groupfile::MODULE,
    &mod_authz_host::MODULE,
    &mod_authz_owner::MODULE,
    &mod_authz_user::MODULE,
    &mod_autoindex::MODULE,
    &mod_cgi::MODULE,
    &mod_cgid::MODULE,
    &mod_deflate::MODULE,
    &mod_dir::MODULE,
    &mod_env::MODULE,
    &mod_filter::MODULE,
    &mod_expires::MODULE,
    &mod_headers::MODULE,
    &mod_include::MODULE,
    &mod_info::MODULE,
    &mod_macro::MODULE,
    &mod_mime::MODULE,
    &mod_request::MODULE,
    &mod_rewrite::MODULE,
    &mod_setenvif::MODULE,
    &mod_status::MODULE,
    &mod_suexec::MODULE,
    &mod_unique_id::MODULE,
    &mod_userdir::MODULE,
    &mod_negotiation::MODULE,
    &mod_rachis::MODULE,
];
