//! What the server hands out: nonces, which prove themselves by a hash over a secret of this
//! process, and numbers of clients whose nonces are counted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bstr::{BString, ByteSlice};
use sha1::{Digest, Sha1};
use std::{
    collections::VecDeque,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Characters of a nonce that say when it was made.
pub const TIME: usize = 12;

/// Most clients that are kept track of.
const CLIENTS: usize = 4096;

/// Most nonces of one client whose use is remembered.
const NONCES: usize = 4;

/// Makes a nonce: eight bytes in base64, microseconds since the epoch or a running number, and the
/// hash that no one else can make.
pub fn make(secret: &[u8], realm: &[u8], opaque: Option<&[u8]>, time: i64) -> BString {
    let time = STANDARD.encode(time.to_le_bytes());
    let hash = hash(secret, realm, opaque, time.as_bytes());
    format!("{time}{hash}").into()
}

/// The hash that a nonce must have.
pub fn hash(secret: &[u8], realm: &[u8], opaque: Option<&[u8]>, time: &[u8]) -> String {
    let mut sum = Sha1::new().chain_update(secret).chain_update(realm).chain_update([0]).chain_update(time);
    if let Some(opaque) = opaque {
        sum.update(opaque);
    }
    hex(&sum.finalize())
}

/// When it says that it was made; `None` if it says nothing.
pub fn time(nonce: &[u8]) -> Option<i64> {
    let bytes = STANDARD.decode(nonce.get(..TIME)?).ok()?;
    Some(i64::from_le_bytes(bytes.try_into().ok()?))
}

/// Microseconds since the epoch.
pub fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The clients, the newest last.
#[derive(Debug, Default)]
pub struct Clients {
    known: VecDeque<Client>,
    made: u64,
}

/// A client, and how often it used which nonces.
#[derive(Debug)]
pub struct Client {
    opaque: BString,
    used: VecDeque<Use>,
}

#[derive(Debug)]
struct Use {
    nonce: BString,
    count: u64,
    /// The request that did: number of the connection, and of the request on it.
    by: Option<(u64, u32)>,
}

impl Clients {
    /// A running number, for nonces that hold once.
    pub fn number(&mut self) -> i64 {
        self.made += 1;
        i64::try_from(self.made).unwrap_or(i64::MAX)
    }

    /// A new client; gives its name.
    pub fn add(&mut self) -> BString {
        let opaque = BString::from(format!("{:x}", self.number()));
        if self.known.len() >= CLIENTS {
            self.known.pop_front();
        }
        self.known.push_back(Client { opaque: opaque.clone(), used: VecDeque::new() });
        opaque
    }

    /// The client of this name.
    pub fn find(&mut self, opaque: &[u8]) -> Option<&mut Client> {
        self.known.iter_mut().rev().find(|client| client.opaque == opaque)
    }
}

/// What became of a nonce's use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    /// It is new.
    Anew,
    /// It was used as often already.
    Replayed(u64),
    /// It was not given to this client, or so long ago that it is forgotten.
    Unknown,
}

impl Client {
    /// A nonce was given to it.
    pub fn give(&mut self, nonce: &[u8]) {
        if self.used.len() >= NONCES {
            self.used.pop_front();
        }
        self.used.push_back(Use { nonce: nonce.into(), count: 0, by: None });
    }

    /// Whether the nonce was used fewer than `count` times. What one request looks up counts once.
    pub fn check(&self, nonce: &[u8], count: u64, by: (u64, u32)) -> Used {
        match self.used.iter().find(|used| used.nonce == nonce) {
            None => Used::Unknown,
            Some(used) if count > used.count || used.by == Some(by) => Used::Anew,
            Some(used) => Used::Replayed(used.count),
        }
    }

    /// The same, and it is used by this request now.
    pub fn take(&mut self, nonce: &[u8], count: u64, by: (u64, u32)) -> Used {
        let said = self.check(nonce, count, by);
        if let Some(used) = self.used.iter_mut().find(|used| used.nonce == nonce && said == Used::Anew) {
            (used.count, used.by) = (count.max(used.count), Some(by));
        }
        said
    }
}

/// A count as the client writes it: hexadecimal digits.
pub fn count(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(text.to_str().ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_proves_itself() {
        let nonce = make(b"secret", b"realm", Some(b"1"), 1_700_000_000_000_000);
        assert_eq!(nonce.len(), TIME + 40);
        assert_eq!(time(&nonce), Some(1_700_000_000_000_000));
        assert_eq!(hash(b"secret", b"realm", Some(b"1"), &nonce[..TIME]).as_bytes(), &nonce[TIME..]);
        for other in [
            hash(b"x", b"realm", Some(b"1"), &nonce[..TIME]),
            hash(b"secret", b"realm", None, &nonce[..TIME]),
        ] {
            assert_ne!(other.as_bytes(), &nonce[TIME..]);
        }
        assert_eq!(time(b"short"), None);
    }

    #[test]
    fn a_count_is_taken_once() {
        let mut clients = Clients::default();
        let name = clients.add();
        let client = clients.find(&name).expect("just added");
        assert_eq!(client.check(b"n", 1, (1, 0)), Used::Unknown);
        client.give(b"n");
        assert_eq!(client.check(b"n", 1, (1, 0)), Used::Anew);
        assert_eq!(client.take(b"n", 1, (1, 0)), Used::Anew);
        assert_eq!(client.check(b"n", 1, (1, 0)), Used::Anew, "a look-up of the same request");
        assert_eq!(client.check(b"n", 1, (1, 1)), Used::Replayed(1));
        assert_eq!(client.check(b"n", 5, (1, 1)), Used::Anew);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut clients = Clients::default();
        let first = clients.add();
        (0..CLIENTS).for_each(|_| drop(clients.add()));
        assert!(clients.find(&first).is_none());
    }
}
