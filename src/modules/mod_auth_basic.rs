//! mod_auth_basic: user and password in each request (mod_auth_basic.html, RFC 7617).

use super::mod_authn_core::{
    auth_name, auth_type,
    providers::{self, Known},
};
use crate::{
    engine::{Authn, Cx, Hook, Module, Order, Phase, RealmHash, Verdict},
    http::Status,
    policy::{
        Applied, Args, Config, Directive, Kind, Mistake, Place, Said, SaidExt, Scope, Setting, Shape,
        expr::{self, Captures, Expr, eval_string},
    },
};
use base64::{
    Engine as _,
    engine::{DecodePaddingMode, general_purpose::GeneralPurpose, general_purpose::GeneralPurposeConfig},
};
use bstr::{BString, ByteSlice};
use md5::{Digest, Md5};
use std::sync::Arc;

/// The module.
pub static MODULE: Module = Module {
    name: "mod_auth_basic",
    source: "mod_auth_basic.c",
    identifier: "auth_basic_module",
    configs: &[Kind::of::<Basic>()],
    directives: DIRECTIVES,
    hooks: &[
        Hook { phase: Phase::Authn, order: Order::MIDDLE, run: authenticate },
        Hook { phase: Phase::Fixup, order: Order::LAST, run: fake },
    ],
    challenge: Some(note_auth_failure),
    ..Module::NOTHING
};

const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "AuthBasicProvider",
        shape: Shape::Each,
        scope: Scope::AUTHCFG,
        usage: "specify the auth providers for a directory or location",
        doc: "Who knows users and passwords, in the order in which they are asked",
        apply: provider,
    },
    Directive {
        name: "AuthBasicAuthoritative",
        shape: Shape::Flag,
        scope: Scope::AUTHCFG,
        usage: "Set to 'Off' to allow access control to be passed along to lower modules if the UserID is not known to this module",
        doc: "Whether a user that no provider knows is refused at once",
        apply: authoritative,
    },
    Directive {
        name: "AuthBasicFake",
        shape: Shape::OneTwo,
        scope: Scope::AUTHCFG,
        usage: "Fake basic authentication using the given expressions for username and password, 'off' to disable. Password defaults to 'password' if missing.",
        doc: "A user and password that programs and other servers are told, whatever the client sent",
        apply: fake_said,
    },
    Directive {
        name: "AuthBasicUseDigestAlgorithm",
        shape: Shape::One,
        scope: Scope::AUTHCFG,
        usage: "Set to 'MD5' to use the auth provider's authentication check for digest auth, using a hash of 'user:realm:pass'",
        doc: "Whether the password is held against the hash that Digest uses",
        apply: digest_algorithm,
    },
];

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct Basic {
    providers: Vec<Setting<Known>>,
    authoritative: Said<bool>,
    /// `None` inside: off.
    fake: Said<Option<Arc<Fake>>>,
    digest: Said<bool>,
}

#[derive(Debug)]
struct Fake {
    user: Expr,
    password: Option<Expr>,
}

impl Config for Basic {
    fn merge(&self, outer: &Self) -> Self {
        let own = if self.providers.is_empty() { outer } else { self };
        Basic {
            providers: own.providers.clone(),
            authoritative: self.authoritative.over(&outer.authoritative),
            fake: self.fake.over(&outer.fake),
            digest: self.digest.over(&outer.digest),
        }
    }
}

fn provider(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    providers::add(place, args, |place| &mut place.dir::<Basic>().providers, |_| Ok(()))
}

fn authoritative(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.dir::<Basic>().authoritative = Some(Setting::new(args.on, args.span));
    Ok(())
}

fn fake_said(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let options = expr::Options { dont_vary: true, ..place.expression_options() };
    let user = args.text(0);
    let parsed = |n: usize, what: String| {
        expr::parse(args.text(n), expr::Mode::String, options).map_err(|error| {
            Mistake::new(format!("{what}: {}", error.message)).id("RX0386").at(args.at(n), "")
        })
    };
    let value = if user.eq_ignore_ascii_case(b"off") {
        None
    } else {
        let user = user.as_bstr();
        let own = parsed(0, format!("Could not parse fake username expression '{user}'"))?;
        let what = format!("Could not parse fake password expression associated to user '{user}'");
        let password = args.get(1).map(|_| parsed(1, what)).transpose()?;
        Some(Arc::new(Fake { user: own, password }))
    };
    place.dir::<Basic>().fake = Some(Setting::new(value, args.span));
    Ok(())
}

fn digest_algorithm(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let on = match args.text(0).to_ascii_lowercase().as_slice() {
        b"off" => false,
        b"md5" => true,
        _ => {
            let text = args.text(0).as_bstr();
            let message = format!("Invalid algorithm in AuthBasicUseDigestAlgorithm: {text}");
            return Err(Mistake::new(message).id("RX0387").at(args.at(0), "either `MD5` or `Off`"));
        }
    };
    place.dir::<Basic>().digest = Some(Setting::new(on, args.span));
    Ok(())
}

/// Asks for user and password.
fn challenge(cx: &mut Cx<'_>, realm: &[u8]) -> Verdict {
    let value = [b"Basic realm=\"", realm, b"\""].concat();
    cx.req.err_headers_out.set("WWW-Authenticate", value);
    Verdict::Status(Status(401))
}

/// The same where others refuse \[note_auth_failure\].
fn note_auth_failure(cx: &mut Cx<'_>, kind: &[u8]) -> bool {
    let ours = kind.eq_ignore_ascii_case(b"Basic");
    if let (true, Some(realm)) = (ours, auth_name(cx)) {
        challenge(cx, &realm);
    }
    ours
}

/// \[check_user_id\]
fn authenticate(cx: &mut Cx<'_>) -> Verdict {
    let Some(kind) = auth_type(cx).filter(|kind| kind.value.eq_ignore_ascii_case(b"Basic")) else {
        return Verdict::Declined;
    };
    let uri = cx.req.uri.clone();
    let Some(realm) = auth_name(cx) else {
        cx.log(3, "AH01615", format_args!("need AuthName: {uri}"));
        return cx.fail(500, kind.at, format_args!("this needs an AuthName beside it"));
    };
    cx.req.auth_type = Some(kind.value);
    let Some(field) = cx.req.headers_in.get("Authorization").map(BString::from) else {
        cx.because(kind.at, format_args!("the request says no user and password"));
        return challenge(cx, &realm);
    };
    let Some((user, password)) = credentials(&field) else {
        cx.log(3, "AH01614", format_args!("client used wrong authentication scheme: {uri}"));
        cx.because(kind.at, format_args!("the request authenticates by another scheme"));
        return challenge(cx, &realm);
    };
    cx.req.user = Some(user.clone());
    let conf: &Basic = cx.conf();
    let said = ask(cx, conf, &user, &password, &realm);
    if !conf.authoritative.value_or(true) && !matches!(said, Authn::Denied | Authn::Granted | Authn::Wait(_))
    {
        cx.because(conf.authoritative.at(), format_args!("others are asked about {user}"));
        return Verdict::Declined;
    }
    match said {
        Authn::Granted => {
            cx.because(kind.at, format_args!("this is user {user}"));
            Verdict::Ok
        }
        Authn::Denied => {
            let text = format_args!("user {user}: authentication failure for \"{uri}\": Password Mismatch");
            cx.log(3, "AH01617", text);
            challenge(cx, &realm)
        }
        Authn::NotFound => {
            cx.log(3, "AH01618", format_args!("user {user} not found: {uri}"));
            challenge(cx, &realm)
        }
        Authn::Error => Verdict::Status(Status(500)),
        Authn::Wait(pending) => Verdict::Wait(pending),
    }
}

/// Asks the providers in turn until one knows the user.
fn ask(cx: &mut Cx<'_>, conf: &Basic, user: &[u8], password: &[u8], realm: &[u8]) -> Authn {
    let list = providers::list(cx, &conf.providers);
    if list.is_empty() {
        cx.log(3, "AH01616", format_args!("No Authn provider configured"));
        return Authn::Error;
    }
    let mut said = Authn::NotFound;
    for provider in list {
        said = if conf.digest.value_or(false) {
            by_digest(cx, &provider, user, password, realm)
        } else {
            provider.value.check(cx, user, password, provider.at)
        };
        if said != Authn::NotFound {
            break;
        }
    }
    said
}

fn by_digest(
    cx: &mut Cx<'_>,
    provider: &Setting<Known>,
    user: &[u8],
    password: &[u8],
    realm: &[u8],
) -> Authn {
    match provider.value.realm(cx, user, realm, provider.at) {
        None => {
            cx.log(3, "AH02493", format_args!("Authn provider does not support AuthBasicUseDigestAlgorithm"));
            Authn::Error
        }
        Some(RealmHash::Error) => Authn::Error,
        Some(RealmHash::NotFound) => Authn::NotFound,
        Some(RealmHash::Found(hash)) => {
            let text = [user, b":", realm, b":", password].concat();
            let own: String = Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
            if own.as_bytes().eq_ignore_ascii_case(&hash) { Authn::Granted } else { Authn::Denied }
        }
    }
}

/// User and password of the field's value; `None` if it is of another scheme.
fn credentials(field: &[u8]) -> Option<(BString, BString)> {
    let end = field.find_byteset(b" ").unwrap_or(field.len());
    if !field[..end].eq_ignore_ascii_case(b"Basic") {
        return None;
    }
    let plain = decode(field[end..].trim_start_with(|c| c == ' ' || c == '\t'));
    let plain = &plain[..plain.find_byte(0).unwrap_or(plain.len())];
    let (user, password) = plain.split_once_str(":").unwrap_or((plain, b""));
    Some((user.into(), password.into()))
}

/// As far as the text is base64; what comes behind does not count.
fn decode(text: &[u8]) -> Vec<u8> {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut end = text.iter().position(|byte| !letter(byte)).unwrap_or(text.len());
    if end % 4 == 1 {
        end -= 1;
    }
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&base64::alphabet::STANDARD, config).decode(&text[..end]).unwrap_or_default()
}

/// \[fixups\] AuthBasicFake: what programs are told.
fn fake(cx: &mut Cx<'_>) -> Verdict {
    let conf: &Basic = cx.conf();
    let Some(Setting { value: Some(fake), at }) = &conf.fake else { return Verdict::Declined };
    let Some(user) = made(cx, &fake.user, ["AH02455", "AH02458"], "user") else { return Verdict::Declined };
    let password = match &fake.password {
        None => Some(BString::from("password")),
        Some(expr) => made(cx, expr, ["AH02456", "AH02459"], "password"),
    };
    let Some(password) = password else { return Verdict::Declined };
    let text = [user.as_slice(), b":", &password].concat();
    let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
    cx.because(*at, format_args!("programs are told of user {user}"));
    cx.req.headers_in.set("Authorization", value);
    Verdict::Ok
}

fn made(cx: &mut Cx<'_>, expr: &Expr, numbers: [&'static str; 2], what: &str) -> Option<BString> {
    let uri = cx.req.uri.clone();
    match eval_string(expr, cx, &mut Captures::new()) {
        Err(error) => {
            let text =
                format_args!("AuthBasicFake: could not evaluate {what} expression for URI '{uri}': {error}");
            cx.log(3, numbers[0], text);
            None
        }
        Ok(text) if text.is_empty() => {
            let name = if what == "user" { "username" } else { what };
            let text = format_args!("AuthBasicFake: empty {name} expression for URI '{uri}', ignoring");
            cx.log(6, numbers[1], text);
            None
        }
        Ok(text) => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::credentials;

    #[track_caller]
    fn check(field: &str, expected: Option<(&str, &str)>) {
        let expected = expected.map(|(user, password)| (user.into(), password.into()));
        assert_eq!(credentials(field.as_bytes()), expected);
    }

    // RFC 7617, section 2.
    #[test]
    fn the_example_of_the_rfc() {
        check("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(("Aladdin", "open sesame")));
        check("basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ", Some(("Aladdin", "open sesame")));
    }

    #[test]
    fn what_is_no_pair() {
        check("Basic", Some(("", "")));
        check("Basic !", Some(("", "")));
        check("Basic YQ==", Some(("a", "")));
        check("Digest YQ==", None);
        check("BasicYQ==", None);
    }
}
