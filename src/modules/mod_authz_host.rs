//! mod_authz_host: `Require ip`, `host`, `forward-dns` and `local` (mod_authz_host.html).

use super::{
    client::{self, NoSubnet},
    require_line,
};
use crate::{
    diag::Span,
    engine::{Authz, Cx, Module, Requirement, parsed},
    policy::{
        Mistake, Place,
        expr::{Captures, Expr, eval_string, subnet::Subnet},
        table::{Parsed, Provider},
    },
    syntax::{Text, Words},
};
use bstr::BString;

/// The module.
pub static MODULE: Module = Module {
    name: "mod_authz_host",
    source: "mod_authz_host.c",
    identifier: "authz_host_module",
    authz_providers: &[
        Provider {
            name: "ip",
            doc: "the client's address is one of these or in one of these networks",
            parse: ip,
        },
        Provider {
            name: "host",
            doc: "the client's host is one of these or in one of these domains",
            parse: host,
        },
        Provider {
            name: "forward-dns",
            doc: "one of these names has the client's address",
            parse: forward_dns,
        },
        Provider { name: "local", doc: "the client is on this machine", parse: local },
    ],
    ..Module::NOTHING
};

fn ip(_: &mut Place<'_, '_>, text: &Text) -> Result<Parsed, Mistake> {
    let mut subnets = Vec::new();
    for word in Words::of(text) {
        subnets.push(client::subnet(&word.text).map_err(|error| {
            let message = format!("ip address '{}' appears to be invalid", word.text);
            match error {
                NoSubnet::NotAnAddress => Mistake::new(message).at(word.span, "not an address"),
                _ => Mistake::new(format!("{message}: {}", error.message())).at(word.span, mend(error)),
            }
            .id("RX0411")
        })?);
    }
    if subnets.is_empty() {
        return Err(Mistake::new("'require ip' requires an argument").id("RX0412"));
    }
    Ok(parsed(Ip { subnets }))
}

fn mend(error: NoSubnet) -> &'static str {
    match error {
        NoSubnet::Mask => "a mask is a number of bits from 1 on, or four octets",
        _ => "write a whole address, with /bits behind it for a network, or the first octets alone",
    }
}

#[derive(Debug)]
struct Ip {
    subnets: Vec<Subnet>,
}

impl Requirement for Ip {
    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        let address = client::address(cx);
        Authz::granted_if(self.subnets.iter().any(|subnet| subnet.contains(address)))
    }

    fn why(&self, cx: &Cx<'_>, said: &Authz) -> String {
        let not = if *said == Authz::Granted { "" } else { "not " };
        format!("the client's address {} is {not}among these", client::address(cx))
    }
}

fn local(_: &mut Place<'_, '_>, _: &Text) -> Result<Parsed, Mistake> {
    Ok(parsed(Local))
}

#[derive(Debug)]
struct Local;

impl Requirement for Local {
    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        let address = client::address(cx);
        Authz::granted_if(address.is_loopback() || address == cx.req.conn.local.ip().to_canonical())
    }

    fn why(&self, cx: &Cx<'_>, said: &Authz) -> String {
        let where_ = if *said == Authz::Granted { "this machine's" } else { "another machine's" };
        format!("the client's address {} is {where_}", client::address(cx))
    }
}

fn host(place: &mut Place<'_, '_>, text: &Text) -> Result<Parsed, Mistake> {
    Ok(parsed(Host { names: require_line::names(place, text)?, line: text.bytes().to_owned() }))
}

#[derive(Debug)]
struct Host {
    names: Expr,
    line: BString,
}

impl Requirement for Host {
    fn module(&self) -> &'static str {
        MODULE.name
    }

    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        let host =
            match client::host_name(cx) {
                Err(pending) => return Authz::Wait(pending),
                Ok(Some(host)) => host,
                Ok(None) => {
                    let uri = cx.req.uri.clone();
                    cx.log(3, "AH01753", format_args!(
                    "access check of '{}' to {uri} failed, reason: unable to get the remote host name",
                    self.line
                ));
                    return Authz::Denied;
                }
            };
        match eval_string(&self.names, cx, &mut Captures::new()) {
            Ok(names) => Authz::granted_if(
                require_line::words(&names).iter().any(|name| client::in_domain(name, &host)),
            ),
            Err(error) => {
                cx.log(
                    3,
                    "AH02593",
                    format_args!(
                        "authz_host authorize: require host: Can't evaluate require expression: {error}"
                    ),
                );
                Authz::Denied
            }
        }
    }

    fn why(&self, cx: &Cx<'_>, _: &Authz) -> String {
        match client::host_name(cx) {
            Ok(Some(host)) => format!("the client is {host}"),
            _ => "the client's address has no name, or one that is not its own".to_owned(),
        }
    }
}

fn forward_dns(place: &mut Place<'_, '_>, text: &Text) -> Result<Parsed, Mistake> {
    Ok(parsed(ForwardDns { names: require_line::names(place, text)? }))
}

#[derive(Debug)]
struct ForwardDns {
    names: Expr,
}

impl ForwardDns {
    /// The addresses of all names, or the first look-up that is missing.
    fn look_up(&self, cx: &mut Cx<'_>, names: &[BString]) -> Authz {
        if let Some(pending) = names.iter().find_map(|name| client::addresses(cx, name).err()) {
            return Authz::Wait(pending);
        }
        let client = client::address(cx);
        for name in names {
            let addresses = client::addresses(cx, name).unwrap_or_default();
            if addresses.is_empty() {
                cx.log(4, "AH03356", format_args!("No sockaddr info for \"{name}\""));
            }
            for address in addresses {
                let same = address.to_canonical() == client;
                let word = if same { "yes" } else { "no" };
                cx.log(7, "AH03355", format_args!("access check for {address} as '{name}': {word}"));
                if same {
                    return Authz::Granted;
                }
            }
        }
        Authz::Denied
    }
}

impl Requirement for ForwardDns {
    fn module(&self) -> &'static str {
        MODULE.name
    }

    fn check(&self, cx: &mut Cx<'_>, _: Span) -> Authz {
        match eval_string(&self.names, cx, &mut Captures::new()) {
            Ok(names) => self.look_up(cx, &require_line::words(&names)),
            Err(error) => {
                cx.log(3, "AH03354", format_args!(
                    "authz_host authorize: require forward-dns: Can't evaluate require expression: {error}"
                ));
                Authz::Denied
            }
        }
    }

    fn why(&self, cx: &Cx<'_>, said: &Authz) -> String {
        let what = if *said == Authz::Granted { "one of the names has" } else { "none of the names has" };
        format!("{what} the client's address {}", client::address(cx))
    }
}
