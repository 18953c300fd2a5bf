//! Passwords whose hashes are slow hold up nobody else: they are checked beside the event loops
//! (docs/architecture.md, invariant 8).

#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use server::{Kind, Site};
use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

/// `amy` with the password `secret`, by 4096 rounds of bcrypt.
const USERS: &[u8] = b"amy:$2y$12$7amLUHZgx9w9z7t2YC49k.TcYPtD4NHGZBn6kh0vk7MvS9C5lEMjm\n";

const CONF: &str = r#"
<Location /slow>
    AuthType Basic
    AuthName slow
    AuthUserFile conf/users
    Require valid-user
</Location>
"#;

fn get(port: u16, path: &str, field: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{field}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it is read");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn others_are_answered_meanwhile() {
    let mut site = Site::new(Kind::Rachis).expect("an empty site");
    site.write("conf/users", USERS, 0o644).expect("users");
    site.write("htdocs/slow", b"at last", 0o644).expect("a page");
    site.write("htdocs/fast", b"at once", 0o644).expect("a page");
    site.configure(CONF, &["auth".to_owned()]).expect("a configuration");
    site.start().expect("it starts");
    let port = site.port();
    // One more than there are helpers, so that the last has to wait for its turn.
    let slow: Vec<_> = (0..5)
        .map(|_| thread::spawn(move || get(port, "/slow", "Authorization: Basic YW15OnNlY3JldA==\r\n")))
        .collect();
    thread::sleep(Duration::from_millis(50));
    for _ in 0..8 {
        assert!(get(port, "/fast", "").ends_with("at once"));
    }
    assert!(slow.iter().any(|thread| !thread.is_finished()), "the hashes are not slow enough to tell");
    for thread in slow {
        let answer = thread.join().expect("an answer");
        assert!(answer.ends_with("at last"), "{answer}");
    }
    site.stop();
}
