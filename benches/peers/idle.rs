//! What thousands of idle keep-alive connections cost, and whether they harm new requests.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Result;
use crate::load::{Driver, Workload};
use crate::servers::Contender;
use crate::site::{SMALL, say};

/// Title of the table.
pub const TITLE: &str = "10,000 idle keep-alive connections";

/// How many stay connected and ask nothing.
pub const CONNECTIONS: u64 = 10_000;

/// How long a connection may take to be served; a server that holds fewer does not answer the next.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found of one server.
pub struct Idle {
    /// As in the tables.
    pub name: &'static str,
    /// Proportional set size that each of the connections added, in bytes.
    pub each: f64,
    /// Requests per second without them, and beside them.
    pub rates: [f64; 2],
    /// 99th percentile of the time to an answer beside them, in milliseconds.
    pub p99: f64,
}

/// Measures one server. Each connection has one answer first, as a browser's has.
///
/// # Errors
/// The server does not hold so many connections.
pub fn measure(driver: &Driver, busy: &Workload, contender: &Contender) -> Result<Idle> {
    let rate = |[requests, micros, failures, p99]: [f64; 4]| match failures {
        0.0 => Ok((requests / micros * 1e6, p99 / 1e3)),
        _ => Err(format!("{failures} requests failed")),
    };
    let (without, _) = rate(driver.drive(busy, contender)?)?;
    contender.settle(PATIENCE)?;
    let before = contender.memory().ok_or("the kernel does not say how much memory it has")?;
    let mut held = Vec::new();
    for n in 0..CONNECTIONS {
        held.push(connect(contender).map_err(say(&format!("holds {n} connections and no more")))?);
    }
    contender.settle(PATIENCE)?;
    let after = contender.memory().ok_or("the kernel does not say how much memory it has")?;
    let (beside, p99) = rate(driver.drive(busy, contender)?)?;
    let each = after.saturating_sub(before) as f64 / CONNECTIONS as f64;
    drop(held);
    contender.settle(PATIENCE)?;
    Ok(Idle { name: contender.name, each, rates: [without, beside], p99 })
}

fn connect(contender: &Contender) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&contender.address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /1k.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut part = [0; 4 * SMALL];
    // The file is of one letter, which no header field has that often.
    while !answer.ends_with(&[b'x'; SMALL]) {
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => answer.extend(part.iter().take(count)),
        }
    }
    Ok(stream)
}
