//! Digest authentication as a client goes through it (RFC 7616): a challenge is answered, and the
//! answer is taken, or is too old, or was seen before. With `ORACLE=1` Apache is asked the same.

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use md5::{Digest, Md5};
use server::{Kind, Site};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

const CONF: &str = r#"
<Location />
    AuthType Digest
    AuthName "a realm"
    AuthUserFile conf/digests
    Require valid-user
</Location>
<Location /counted>
    AuthDigestNcCheck On
</Location>
<Location /once>
    AuthDigestNonceLifetime 0
</Location>
<Location /short>
    AuthDigestNonceLifetime 1
</Location>
"#;

fn md5(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A server with some files, and the user `amy` with the password `secret`.
struct Tested {
    site: Site,
    kind: Kind,
}

impl Tested {
    fn new(kind: Kind) -> Tested {
        let mut site = Site::new(kind).expect("an empty site");
        let user = format!("amy:a realm:{}\n", md5("amy:a realm:secret"));
        site.write("conf/digests", user.as_bytes(), 0o644).expect("users");
        for name in ["plain", "counted", "once", "short"] {
            site.write(&format!("htdocs/{name}"), b"here", 0o644).expect("a page");
        }
        site.configure(CONF, &["auth".to_owned()]).expect("a configuration");
        if let Err(said) = site.start() {
            panic!("{said}");
        }
        Tested { site, kind }
    }

    /// Status, and the fields of authentication.
    fn ask(&self, method: &str, path: &str, field: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.site.port())).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{field}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it is read");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let field =
            text.lines().find(|line| line.starts_with("WWW-Auth") || line.starts_with("Authentication-"));
        (status, field.unwrap_or_default().to_owned())
    }

    /// The challenge for a path.
    fn challenge(&self, path: &str) -> String {
        let (status, field) = self.ask("GET", path, "");
        assert_eq!(status, 401, "{}: {path}", self.kind.name());
        field
    }

    #[track_caller]
    fn expect(&self, request: &Proof<'_>, status: u16, parts: &[&str]) -> String {
        let (got, field) = self.ask(request.method, request.path, &request.field());
        let right = got == status && parts.iter().all(|part| field.contains(part));
        assert!(right, "{}: {} is {got} with {field}", self.kind.name(), request.path);
        field
    }
}

/// The value of a parameter.
fn parameter(field: &str, name: &str) -> Option<String> {
    let quoted = field.split_once(&format!(" {name}=\""))?.1;
    Some(quoted.split('"').next()?.to_owned())
}

/// What a client sends after a challenge.
#[derive(Clone)]
struct Proof<'a> {
    method: &'a str,
    path: &'a str,
    password: &'a str,
    nonce: String,
    opaque: Option<String>,
    count: u32,
}

impl<'a> Proof<'a> {
    fn new(path: &'a str, challenge: &str) -> Proof<'a> {
        let nonce = parameter(challenge, "nonce").expect("a nonce");
        let opaque = parameter(challenge, "opaque");
        Proof { method: "GET", path, password: "secret", nonce, opaque, count: 1 }
    }

    fn hash(&self, method: &str) -> String {
        let ha1 = md5(&format!("amy:a realm:{}", self.password));
        let ha2 = md5(&format!("{method}:{}", self.path));
        md5(&format!("{ha1}:{}:{:08x}:0a4f113b:auth:{ha2}", self.nonce, self.count))
    }

    fn field(&self) -> String {
        let opaque = self.opaque.as_ref().map(|opaque| format!(", opaque=\"{opaque}\"")).unwrap_or_default();
        format!(
            "Authorization: Digest username=\"amy\", realm=\"a realm\", nonce=\"{}\", uri=\"{}\", \
             response=\"{}\", qop=auth, nc={:08x}, cnonce=\"0a4f113b\"{opaque}\r\n",
            self.nonce,
            self.path,
            self.hash(self.method),
            self.count,
        )
    }

    /// What the server proves in turn.
    fn mutual(&self) -> String {
        format!(
            "Authentication-Info: rspauth=\"{}\", cnonce=\"0a4f113b\", nc={:08x}, qop=auth",
            self.hash(""),
            self.count
        )
    }
}

fn check(test: fn(&Tested)) {
    let run = |kind| {
        let mut tested = Tested::new(kind);
        test(&tested);
        tested.site.stop();
    };
    run(Kind::Rachis);
    if std::env::var_os("ORACLE").is_some() {
        server::demand_apache();
        run(Kind::Apache);
    }
}

#[test]
fn a_proof_is_answered_with_a_proof() {
    check(|site| {
        let proof = Proof::new("/plain", &site.challenge("/plain"));
        site.expect(&proof, 200, &[&proof.mutual()]);
        site.expect(&Proof { method: "HEAD", ..proof.clone() }, 200, &[]);
        let query = Proof { path: "/plain?a=b", ..proof.clone() };
        site.expect(&query, 200, &[&query.mutual()]);
        site.expect(&Proof { count: 7, ..proof.clone() }, 200, &["nc=00000007"]);
        site.expect(&proof, 200, &[&proof.mutual()]);
        let wrong = site.expect(&Proof { password: "wrong", ..proof }, 401, &["WWW-Authenticate: Digest"]);
        assert!(!wrong.contains("stale"));
    });
}

#[test]
fn a_nonce_of_somebody_else_is_stale() {
    check(|site| {
        let mut proof = Proof::new("/plain", &site.challenge("/plain"));
        let end = if proof.nonce.ends_with('0') { '1' } else { '0' };
        proof.nonce.pop();
        proof.nonce.push(end);
        let challenge = site.expect(&proof, 401, &["stale=true"]);
        site.expect(&Proof::new("/plain", &challenge), 200, &[]);
    });
}

#[test]
fn a_counted_request_is_taken_once() {
    check(|site| {
        let proof = Proof::new("/counted", &site.challenge("/counted"));
        site.expect(&proof, 200, &[&proof.mutual()]);
        let refused = site.expect(&proof, 401, &["WWW-Authenticate: Digest"]);
        assert!(!refused.contains("stale"));
        site.expect(&Proof { count: 2, ..proof.clone() }, 200, &[]);
        site.expect(&Proof { opaque: None, count: 3, ..proof.clone() }, 401, &["stale=true"]);
        let challenge =
            site.expect(&Proof { opaque: Some("ffff".into()), count: 4, ..proof }, 401, &["stale=true"]);
        site.expect(&Proof::new("/counted", &challenge), 200, &[]);
    });
}

#[test]
fn a_nonce_that_holds_once() {
    check(|site| {
        let proof = Proof::new("/once", &site.challenge("/once"));
        let next = site.expect(&proof, 200, &["Authentication-Info: rspauth=", "nextnonce="]);
        site.expect(&proof, 401, &["stale=true"]);
        let next = Proof { nonce: parameter(&next, "nextnonce").expect("the next"), ..proof };
        site.expect(&next, 200, &[]);
    });
}

#[test]
fn the_next_of_nonces_that_hold_once() {
    check(|site| {
        let mut proof = Proof::new("/once", &site.challenge("/once"));
        for _ in 0..3 {
            let field = site.expect(&proof, 200, &["nextnonce="]);
            proof.nonce = parameter(&field, "nextnonce").expect("the next");
        }
    });
}

#[test]
fn a_nonce_grows_old() {
    check(|site| {
        let proof = Proof::new("/short", &site.challenge("/short"));
        site.expect(&proof, 200, &["nextnonce="]);
        sleep(Duration::from_millis(1300));
        let challenge = site.expect(&Proof { count: 2, ..proof }, 401, &["stale=true"]);
        site.expect(&Proof::new("/short", &challenge), 200, &[]);
    });
}
