//! HostnameLookups: whom a name is believed.

use crate::modules::testing_authz::{Server, directory};

/// The status of a request from this address, where only a client is let in who is called localhost.
#[track_caller]
fn check(said: &str, client: &str, expected: u16) {
    let lines = directory("Require expr \"%{REMOTE_HOST} == 'localhost'\"");
    let status = Server::new(&format!("HostnameLookups {said}\n{lines}")).ask_from(client, "GET", "/x.txt").0;
    assert_eq!(status, expected, "HostnameLookups {said}, {client}");
}

// The manual, HostnameLookups: with Double, the forward look-up of the name has to give the client's
// address again. 10.9.8.7 says that it is localhost.
#[test]
fn a_forged_name() {
    check("On", "10.9.8.7", 200);
    check("Double", "10.9.8.7", 403);
    check("On", "127.0.0.1", 200);
    check("Double", "127.0.0.1", 200);
    check("Double", "[::ffff:127.0.0.1]", 200);
    check("Off", "127.0.0.1", 403);
}

// The manual, `Require host`: always two look-ups, whatever HostnameLookups says.
#[test]
fn require_host_asks_twice_always() {
    for said in ["Off", "On", "Double"] {
        let config = format!("HostnameLookups {said}\n{}", directory("Require host localhost"));
        let mut server = Server::new(&config);
        let status = |server: &mut Server, client| server.ask_from(client, "GET", "/x.txt").0;
        assert_eq!([status(&mut server, "10.9.8.7"), status(&mut server, "127.0.0.1")], [403, 200], "{said}");
    }
}
