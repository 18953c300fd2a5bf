//! mod_authn_file: users and their passwords in a text file (mod_authn_file.html).

use super::text_file;
use crate::{
    diag::Span,
    engine::{Authn, AuthnFunctions, Cx, Module, RealmHash},
    policy::{
        Applied, Args, Config, Directive, Kind, Place, Said, Scope, Setting, Shape, table::AuthnProvider,
    },
};
use bstr::{BString, ByteSlice};

/// The module.
pub static MODULE: Module = Module {
    name: "mod_authn_file",
    source: "mod_authn_file.c",
    identifier: "authn_file_module",
    configs: &[Kind::of::<UserFile>()],
    directives: &[Directive {
        name: "AuthUserFile",
        shape: Shape::One,
        scope: Scope::AUTHCFG,
        usage: "text file containing user IDs and passwords",
        doc: "The file with the users and the hashes of their passwords, as htpasswd writes it",
        apply: user_file,
    }],
    authn_providers: &[AuthnProvider {
        name: "file",
        doc: "the users in AuthUserFile",
        has_realms: true,
        functions: &FUNCTIONS,
    }],
    ..Module::NOTHING
};

static FUNCTIONS: AuthnFunctions = AuthnFunctions { password, realm: Some(realm) };

/// `AuthUserFile`.
#[derive(Clone, Debug, Default)]
pub struct UserFile {
    path: Said<BString>,
}

impl Config for UserFile {
    /// Apache does not merge these: what is inside takes the place of what is around.
    fn merge(&self, _: &Self) -> Self {
        self.clone()
    }
}

fn user_file(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let path = place.server_path(args.text(0));
    place.dir::<UserFile>().path = Some(Setting::new(path, args.span));
    Ok(())
}

/// What the file says of a user: the fields behind the name.
enum Line {
    Found(BString, Span),
    NotFound,
    Unreadable,
}

fn find(cx: &mut Cx<'_>, numbers: [&'static str; 2], fits: &dyn Fn(&[u8]) -> Option<BString>) -> Line {
    cx.as_module(MODULE.name, |cx| {
        let Some(said) = &cx.conf::<UserFile>().path else {
            cx.log(3, numbers[0], format_args!("AuthUserFile not specified in the configuration"));
            cx.note(format_args!("no AuthUserFile is said here"));
            return Line::Unreadable;
        };
        let text = match text_file::read(cx, &said.value) {
            Ok(text) => text,
            Err(error) => {
                let path = &said.value;
                cx.log_os(
                    3,
                    error.raw_os_error(),
                    numbers[1],
                    format_args!("Could not open password file: {path}"),
                );
                cx.because(said.at, format_args!("this file cannot be read: {error}"));
                return Line::Unreadable;
            }
        };
        let found = text_file::lines(&text_file::joined(&text)).find_map(fits);
        match found {
            Some(hash) => Line::Found(hash, said.at),
            None => {
                cx.because(said.at, format_args!("this file does not know the user"));
                Line::NotFound
            }
        }
    })
}

fn password(cx: &mut Cx<'_>, user: &[u8], password: &[u8], _: Span) -> Authn {
    let of_user = |line: &[u8]| {
        let mut fields = line.split_str(":");
        (fields.next()? == user).then(|| fields.next().unwrap_or_default().into())
    };
    match find(cx, ["AH01619", "AH01620"], &of_user) {
        Line::Unreadable => Authn::Error,
        Line::NotFound => Authn::NotFound,
        Line::Found(hash, at) => match cx.password_fits(password, &hash) {
            Err(pending) => Authn::Wait(pending),
            Ok(true) => {
                cx.because(at, format_args!("the password fits the one in this file"));
                Authn::Granted
            }
            Ok(false) => {
                cx.because(at, format_args!("the password does not fit the one in this file"));
                Authn::Denied
            }
        },
    }
}

fn realm(cx: &mut Cx<'_>, user: &[u8], realm: &[u8], _: Span) -> RealmHash {
    let of_user = |line: &[u8]| {
        let mut fields = line.split_str(":");
        let fits = fields.next()? == user && fields.next()? == realm;
        fits.then(|| fields.next().unwrap_or_default().into())
    };
    match find(cx, ["AH01621", "AH01622"], &of_user) {
        Line::Unreadable => RealmHash::Error,
        Line::NotFound => RealmHash::NotFound,
        Line::Found(hash, _) => RealmHash::Found(hash),
    }
}
