//! mod_access_compat: `Order`, `Allow`, `Deny` and `Satisfy`, the access rules of Apache 2.2
//! (mod_access_compat.html). A section that says any of them forgets all of them that were said
//! around it: the module merges nothing.

use super::client::{self, NoSubnet};
use crate::{
    diag::Span,
    engine::{Cx, Hook, Module, Order as Rank, Pending, Phase, Satisfy, Verdict},
    http::{Method, Status},
    policy::{
        Applied, Args, Conf, Config, Directive, Kind, Mistake, Place, Scope, Setting, Shape,
        expr::subnet::Subnet,
    },
};
use bstr::{BString, ByteSlice};

/// The module.
pub static MODULE: Module = Module {
    name: "mod_access_compat",
    source: "mod_access_compat.c",
    identifier: "access_compat_module",
    configs: &[Kind::of::<AccessDir>()],
    directives: &[
        Directive {
            name: "order",
            shape: Shape::One,
            scope: Scope::LIMIT.or(Scope::ACCESS_CONF),
            usage: "'allow,deny', 'deny,allow', or 'mutual-failure'",
            doc: "Which of Allow and Deny is asked last, and so decides",
            apply: order,
        },
        Directive {
            name: "allow",
            shape: Shape::EachWithFirst,
            scope: Scope::LIMIT.or(Scope::ACCESS_CONF),
            usage: HOSTS,
            doc: "Clients that may, by address, host name or environment",
            apply: |place, args| list(place, args, |conf| &mut conf.allow),
        },
        Directive {
            name: "deny",
            shape: Shape::EachWithFirst,
            scope: Scope::LIMIT.or(Scope::ACCESS_CONF),
            usage: HOSTS,
            doc: "Clients that may not, by address, host name or environment",
            apply: |place, args| list(place, args, |conf| &mut conf.deny),
        },
        Directive {
            name: "Satisfy",
            shape: Shape::One,
            scope: Scope::AUTHCFG.or(Scope::ACCESS_CONF),
            usage: "access policy if both allow and require used ('all' or 'any')",
            doc: "Whether both Allow and Require must let a request in, or one of them is enough",
            apply: satisfy,
        },
    ],
    hooks: &[Hook { phase: Phase::Access, order: Rank::MIDDLE, run: check_access }],
    satisfy: Some(satisfied),
    ..Module::NOTHING
};

const HOSTS: &str = "'from' followed by hostnames or IP-address wildcards";

/// What holds for some methods: a bit for each of Apache's method numbers.
#[derive(Clone, Debug)]
struct For<T> {
    methods: u64,
    said: Setting<T>,
}

impl<T> For<T> {
    fn holds(&self, method: Method) -> bool {
        self.methods >> method.number() & 1 == 1
    }
}

/// `Order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    AllowDeny,
    DenyAllow,
    MutualFailure,
}

/// One word behind `Allow from` or `Deny from`.
#[derive(Clone, Debug)]
enum Who {
    All,
    Env(BString),
    NotEnv(BString),
    Net(Subnet),
    Host(BString),
}

/// What one section says, in its order.
#[derive(Clone, Debug, Default)]
pub struct AccessDir {
    order: Vec<For<Order>>,
    allow: Vec<For<Who>>,
    deny: Vec<For<Who>>,
    satisfy: Vec<For<Satisfy>>,
}

impl Config for AccessDir {
    fn merge(&self, _: &Self) -> Self {
        self.clone()
    }
}

fn last<T: Copy>(said: &[For<T>], method: Method, default: T) -> Setting<T> {
    let found = said.iter().rev().find(|one| one.holds(method));
    found.map_or(Setting::new(default, Span::BUILTIN), |one| one.said)
}

fn order(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let order = match args.text(0).to_ascii_lowercase().as_slice() {
        b"allow,deny" => Order::AllowDeny,
        b"deny,allow" => Order::DenyAllow,
        b"mutual-failure" => Order::MutualFailure,
        _ => {
            let mistake = Mistake::new("unknown order").id("RX0421");
            return Err(mistake.at(args.at(0), "write `deny,allow` or `allow,deny`, without a space"));
        }
    };
    let one = For { methods: place.at.limited, said: Setting::new(order, args.span) };
    place.dir::<AccessDir>().order.push(one);
    Ok(())
}

fn list(
    place: &mut Place<'_, '_>,
    args: &Args<'_>,
    which: fn(&mut AccessDir) -> &mut Vec<For<Who>>,
) -> Applied {
    if !args.text(0).eq_ignore_ascii_case(b"from") {
        let mistake = Mistake::new("allow and deny must be followed by 'from'").id("RX0422");
        return Err(mistake.at(args.at(0), "`from` belongs here"));
    }
    let who = who(args.text(1))
        .map_err(|error| Mistake::new(error.message()).id("RX0423").at(args.at(1), "not an address"))?;
    let one = For { methods: place.at.limited, said: Setting::new(who, args.span) };
    which(place.dir::<AccessDir>()).push(one);
    Ok(())
}

fn who(text: &[u8]) -> Result<Who, NoSubnet> {
    let env = text.get(..4).filter(|start| start.eq_ignore_ascii_case(b"env=")).and(text.get(4..));
    match (env, env.and_then(|name| name.strip_prefix(b"!"))) {
        (_, Some(name)) => return Ok(Who::NotEnv(name.into())),
        (Some(name), None) => return Ok(Who::Env(name.into())),
        (None, None) if text.eq_ignore_ascii_case(b"all") => return Ok(Who::All),
        (None, None) => {}
    }
    match client::subnet(text) {
        Ok(subnet) => Ok(Who::Net(subnet)),
        Err(NoSubnet::NotAnAddress) if !text.contains(&b'/') => Ok(Who::Host(text.into())),
        Err(error) => Err(error),
    }
}

fn satisfy(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let satisfy = match args.text(0).to_ascii_lowercase().as_slice() {
        b"all" => Satisfy::All,
        b"any" => Satisfy::Any,
        _ => return Err(Mistake::new("Satisfy either 'any' or 'all'.").id("RX0424").at(args.at(0), "")),
    };
    let one = For { methods: place.at.limited, said: Setting::new(satisfy, args.span) };
    place.dir::<AccessDir>().satisfy.push(one);
    Ok(())
}

fn satisfied(conf: &Conf, method: Method) -> Setting<Satisfy> {
    let said = conf.find::<AccessDir>().map_or(&[][..], |dir| &dir.satisfy);
    last(said, method, Satisfy::Unsaid)
}

fn check_access(cx: &mut Cx<'_>) -> Verdict {
    let dir: &AccessDir = cx.conf();
    let order = last(&dir.order, cx.req.method, Order::DenyAllow);
    let asked = match order.value {
        Order::AllowDeny => allow_then_deny(cx, dir, order.at),
        Order::DenyAllow => deny_then_allow(cx, dir, order.at),
        Order::MutualFailure => mutual_failure(cx, dir, order.at),
    };
    match asked {
        Ok(true) => Verdict::Ok,
        Ok(false) => {
            let file = cx.req.filename.clone();
            if file.is_empty() {
                let uri = cx.req.uri.clone();
                cx.log(3, "AH01797", format_args!("client denied by server configuration: uri {uri}"));
            } else {
                cx.log(3, "AH01797", format_args!("client denied by server configuration: {file}"));
            }
            Verdict::Status(Status(403))
        }
        Err(pending) => Verdict::Wait(pending),
    }
}

/// Both lists are asked, since Apache asks both; the last that names the client decides.
fn allow_then_deny(cx: &mut Cx<'_>, dir: &AccessDir, order: Span) -> Result<bool, Pending> {
    let (allowed, denied) = (find(cx, &dir.allow)?, find(cx, &dir.deny)?);
    Ok(match (denied, allowed) {
        (Some(at), _) => decide(cx, at, false, "this Deny names the client, and Deny has the last word"),
        (None, Some(at)) => decide(cx, at, true, "this Allow names the client, and no Deny does"),
        (None, None) => decide(cx, order, false, "no Allow names the client"),
    })
}

fn deny_then_allow(cx: &mut Cx<'_>, dir: &AccessDir, order: Span) -> Result<bool, Pending> {
    let (denied, allowed) = (find(cx, &dir.deny)?, find(cx, &dir.allow)?);
    Ok(match (allowed, denied) {
        (Some(at), _) => decide(cx, at, true, "this Allow names the client, and Allow has the last word"),
        (None, Some(at)) => decide(cx, at, false, "this Deny names the client, and no Allow does"),
        (None, None) if order.is_builtin() && dir.deny.is_empty() => true,
        (None, None) => decide(cx, order, true, "no Deny names the client"),
    })
}

fn mutual_failure(cx: &mut Cx<'_>, dir: &AccessDir, order: Span) -> Result<bool, Pending> {
    let (allowed, denied) = (find(cx, &dir.allow)?, find(cx, &dir.deny)?);
    Ok(match (allowed, denied) {
        (Some(at), None) => decide(cx, at, true, "this Allow names the client, and no Deny does"),
        (_, Some(at)) => decide(cx, at, false, "this Deny names the client"),
        (None, None) => decide(cx, order, false, "no Allow names the client"),
    })
}

fn decide(cx: &mut Cx<'_>, at: Span, may: bool, why: &str) -> bool {
    cx.because(at, format_args!("{why}: {}", if may { "allowed" } else { "denied" }));
    may
}

/// The first entry that names the client.
fn find(cx: &Cx<'_>, entries: &[For<Who>]) -> Result<Option<Span>, Pending> {
    for entry in entries.iter().filter(|entry| entry.holds(cx.req.method)) {
        let named = match &entry.said.value {
            Who::All => true,
            Who::Env(name) => cx.req.env.contains(name.as_slice()),
            Who::NotEnv(name) => !cx.req.env.contains(name.as_slice()),
            Who::Net(subnet) => subnet.contains(client::address(cx)),
            Who::Host(domain) => {
                client::host_name(cx)?.is_some_and(|host| client::in_domain(domain, host.as_bytes()))
            }
        };
        if named {
            return Ok(Some(entry.said.at));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::modules::testing_authz::{Server, accepted, answers, directory, log, refused};

    const DENIED: &str = "access_compat AH01797: client denied by server configuration: /site/x.txt";

    #[test]
    fn arguments_of_order_and_satisfy() {
        let usage = "order takes one argument, 'allow,deny', 'deny,allow', or 'mutual-failure'";
        refused("Order", 2, usage);
        refused("Order Allow, Deny", 2, usage);
        refused("Order foo", 2, "unknown order");
        refused("Satisfy foo", 2, "Satisfy either 'any' or 'all'.");
        let usage =
            "Satisfy takes one argument, access policy if both allow and require used ('all' or 'any')";
        refused("Satisfy any x", 2, usage);
        for lines in ["order DENY,ALLOW", "Order mutual-failure", "Satisfy ANY"] {
            accepted(&directory(lines));
        }
    }

    #[test]
    fn arguments_of_allow_and_deny() {
        let usage = "requires at least two arguments, 'from' followed by hostnames or IP-address wildcards";
        refused("Allow all", 2, &format!("allow {usage}"));
        refused("Deny x", 2, &format!("deny {usage}"));
        refused("Allow foo bar", 2, "allow and deny must be followed by 'from'");
        refused("Deny from foo/8", 2, "An IP address was expected");
        refused("Deny from 256.1.1.1", 2, "The specified IP address is invalid.");
        refused("Deny from 10/8", 2, "The specified IP address is invalid.");
        refused("Deny from 10.0.0.0/33", 2, "The specified network mask is invalid.");
        for list in ["all", "env=", "env=!", "10 \"\"", "1x", "::1", "10-11", "Env=a b"] {
            accepted(&directory(&format!("Allow FROM {list}")));
        }
    }

    #[test]
    fn orders() {
        answers("Order deny,allow", 200);
        answers("Order deny,allow\nDeny from all", 403);
        answers("Order deny,allow\nDeny from all\nAllow from 127.0.0.1", 200);
        answers("Order deny,allow\nDeny from 127\nAllow from 10.0.0.0/8", 403);
        answers("Order allow,deny", 403);
        answers("Order allow,deny\nAllow from all", 200);
        answers("Order allow,deny\nAllow from all\nDeny from 127.0.0.0/255.0.0.0", 403);
        answers("Order mutual-failure", 403);
        answers("Order mutual-failure\nAllow from 127.0.0.1", 200);
        answers("Order mutual-failure\nAllow from all\nDeny from 127.0.0.1", 403);
        answers("Deny from 127.0.0.1", 403);
    }

    #[test]
    fn names_and_variables() {
        answers("Order deny,allow\nDeny from nohost localhost", 403);
        answers("Order deny,allow\nDeny from nohost", 200);
        answers("Deny from all\nAllow from env=!one", 200);
        answers("Deny from all\nAllow from env=one", 403);
    }

    #[test]
    fn limits() {
        let mut server = Server::new(&directory("<Limit GET>\nDeny from all\n</Limit>"));
        let statuses = ["GET", "HEAD", "OPTIONS"].map(|method| server.ask(method, "/x.txt").0);
        assert_eq!(statuses, [403, 403, 200]);
    }

    #[test]
    fn satisfy() {
        answers("Require all denied\nAllow from all", 403);
        answers("Require all granted\nDeny from all", 403);
        answers("Require all denied\nOrder allow,deny\nAllow from all\nSatisfy Any", 200);
        answers("Require all denied\nDeny from all\nSatisfy Any", 403);
        let lines = "Deny from all\n<Limit GET>\nSatisfy Any\n</Limit>\nRequire all granted";
        log(
            lines,
            "GET",
            &[
                DENIED,
                "authz_core AH01626: authorization result of Require all granted: granted",
                "authz_core AH01626: authorization result of <RequireAny>: granted",
            ],
        );
        log(lines, "POST", &[DENIED]);
        answers(lines, 200);
    }

    #[test]
    fn an_inner_section_replaces_all_that_is_said_around() {
        let config = directory("Deny from all")
            + "\n<Directory /site/sub>\nSatisfy any\n</Directory>\n<Directory /site/sub/deep>\nOptions None\n</Directory>";
        let mut server = Server::new(&config);
        let statuses = ["/x.txt", "/sub/x.txt", "/sub/deep/x.txt"].map(|url| server.ask("GET", url).0);
        assert_eq!(statuses, [403, 200, 200]);
    }
}
