//! mod_auth_digest: users prove that they know a password without sending it (mod_auth_digest.html,
//! RFC 7616 with MD5 and `qop=auth` alone, as Apache has it).
//!
//! Reading the client's words is in `header.rs`, what the server hands out and wants back in `nonce.rs`.

mod authenticate;
mod header;
mod nonce;

use super::mod_authn_core::providers::{self, Known};
use crate::{
    engine::{Hook, Module, Order, Phase},
    policy::{
        Applied, Args, Config, Directive, Kind, Mistake, Place, Said, SaidExt, Scope, Setting, Shape,
        table::AuthnProvider,
    },
};
use bstr::{BString, ByteSlice};

/// The module.
pub static MODULE: Module = Module {
    name: "mod_auth_digest",
    source: "mod_auth_digest.c",
    identifier: "auth_digest_module",
    configs: &[Kind::of::<DigestDir>()],
    directives: DIRECTIVES,
    hooks: &[Hook { phase: Phase::Authn, order: Order::MIDDLE, run: authenticate::authenticate }],
    challenge: Some(authenticate::note_auth_failure),
    ..Module::NOTHING
};

const DIRECTIVES: &[Directive] = &[
    Directive {
        name: "AuthDigestProvider",
        shape: Shape::Each,
        scope: Scope::AUTHCFG,
        usage: "specify the auth providers for a directory or location",
        doc: "Who knows users and the hashes of their passwords, in the order in which they are asked",
        apply: provider,
    },
    Directive {
        name: "AuthDigestQop",
        shape: Shape::Each,
        scope: Scope::AUTHCFG,
        usage: "A list of quality-of-protection options",
        doc: "`auth`, and nothing else",
        apply: qop,
    },
    Directive {
        name: "AuthDigestNonceLifetime",
        shape: Shape::One,
        scope: Scope::AUTHCFG,
        usage: "Maximum lifetime of the server nonce (seconds)",
        doc: "For how long a client may use what the server gave it: seconds, 0 for once, less for ever",
        apply: lifetime,
    },
    Directive {
        name: "AuthDigestNcCheck",
        shape: Shape::Flag,
        scope: Scope::AUTHCFG,
        usage: "Whether or not to check the nonce-count sent by the client",
        doc: "Whether a request that was made before is refused",
        apply: nc_check,
    },
    Directive {
        name: "AuthDigestAlgorithm",
        shape: Shape::One,
        scope: Scope::AUTHCFG,
        usage: "The algorithm used for the hash calculation",
        doc: "`MD5`, and nothing else",
        apply: algorithm,
    },
    Directive {
        name: "AuthDigestDomain",
        shape: Shape::Each,
        scope: Scope::AUTHCFG,
        usage: "A list of URI's which belong to the same protection space as the current URI",
        doc: "Where the client may use the same user and password unasked",
        apply: domain,
    },
    Directive {
        name: "AuthDigestShmemSize",
        shape: Shape::One,
        scope: Scope::RSRC_CONF,
        usage: "The amount of shared memory to allocate for keeping track of clients",
        doc: "Checked, and without effect: the last 4096 clients are remembered",
        apply: shmem_size,
    },
];

/// Settings of a place.
#[derive(Clone, Debug, Default)]
pub struct DigestDir {
    providers: Vec<Setting<Known>>,
    lifetime: Said<i64>,
    nc_check: Said<bool>,
    domain: Vec<BString>,
}

impl Config for DigestDir {
    /// Apache does not merge these: what is inside takes the place of what is around.
    fn merge(&self, _: &Self) -> Self {
        self.clone()
    }
}

impl DigestDir {
    /// Seconds for which a nonce may be used.
    fn lifetime(&self) -> i64 {
        self.lifetime.value_or(300)
    }

    /// Whether clients have to be told apart.
    fn tracks_clients(&self) -> bool {
        self.nc_check.value_or(false) || self.lifetime() == 0
    }
}

fn provider(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let fits = |provider: &AuthnProvider| match provider.has_realms {
        true => Ok(()),
        false => Err(format!("The '{}' Authn provider doesn't support Digest Authentication", provider.name)),
    };
    providers::add(place, args, |place| &mut place.dir::<DigestDir>().providers, fits)
}

fn qop(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let _ = place;
    if !args.text(0).eq_ignore_ascii_case(b"auth") {
        let mistake = Mistake::new("AuthDigestQop is deprecated: only 'auth' is supported");
        return Err(mistake.id("RX0390").at(args.at(0), "not this one"));
    }
    Ok(())
}

fn lifetime(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let text = args.text(0);
    let Some(seconds) = text.to_str().ok().and_then(|text| text.parse().ok()) else {
        let message = format!("Invalid time in AuthDigestNonceLifetime: {}", text.as_bstr());
        return Err(Mistake::new(message).id("RX0391").at(args.at(0), "a number of seconds"));
    };
    place.dir::<DigestDir>().lifetime = Some(Setting::new(seconds, args.span));
    Ok(())
}

fn nc_check(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.dir::<DigestDir>().nc_check = Some(Setting::new(args.on, args.span));
    Ok(())
}

fn algorithm(_: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let text = args.text(0);
    if !text.eq_ignore_ascii_case(b"MD5") {
        let message = format!("Unsupported algorithm in AuthDigestAlgorithm: {}", text.as_bstr());
        return Err(Mistake::new(message).id("RX0392").at(args.at(0), "only `MD5` is there"));
    }
    Ok(())
}

fn domain(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.dir::<DigestDir>().domain.push(args.text(0).into());
    Ok(())
}

/// Bytes of one client in Apache's table; it refuses room for less than that.
const LEAST_SHMEM: i64 = 88;

fn shmem_size(_: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let text = args.text(0);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    let unit = match text[digits..].to_ascii_uppercase().as_slice() {
        b"" => Some(1),
        b"K" => Some(1 << 10),
        b"M" => Some(1 << 20),
        _ => None,
    };
    let number = text[..digits].to_str().ok().and_then(|text| text.parse::<i64>().ok());
    let size = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    match size {
        Some(size) if size >= LEAST_SHMEM => Ok(()),
        Some(size) => {
            let message = format!("size in AuthDigestShmemSize too small: {size} < {LEAST_SHMEM}");
            Err(Mistake::new(message).id("RX0393").at(args.at(0), "too small"))
        }
        None => {
            let message = format!("Invalid size in AuthDigestShmemSize: {}", text.as_bstr());
            Err(Mistake::new(message).id("RX0393").at(args.at(0), "a number, perhaps with K or M behind it"))
        }
    }
}
