//! HTTP itself: how long connections are kept. The protocol is the exchange's work.

use super::core::{leading_number, number_and_rest, rows};
use crate::{
    engine::Module,
    policy::{Applied, Args, CoreServer, Mistake, Place, Setting},
};
use std::time::Duration;

/// The module.
pub static MODULE: Module = Module {
    name: "http_core",
    source: "http_core.c",
    identifier: "http_module",
    always: true,
    directives: rows! {
        "KeepAliveTimeout" One SERVER keep_alive_timeout, "Keep-Alive timeout duration (sec)",
            "how long an idle connection is kept";
        "MaxKeepAliveRequests" One SERVER max_keep_alive_requests,
            "Maximum number of Keep-Alive requests per connection, or 0 for infinite",
            "how many requests one connection may bring";
        "KeepAlive" Flag SERVER keep_alive, "Whether persistent connections should be On or Off",
            "whether a connection may bring more than one request";
    },
    ..Module::NOTHING
};

fn keep_alive(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    place.server::<CoreServer>().keep_alive = Some(Setting::new(args.on, args.span));
    Ok(())
}

fn max_keep_alive_requests(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let most = u32::try_from(leading_number(args.text(0))).unwrap_or(0);
    place.server::<CoreServer>().keep_alive_max = Some(Setting::new(most, args.span));
    Ok(())
}

fn keep_alive_timeout(place: &mut Place<'_, '_>, args: &Args<'_>) -> Applied {
    let Some(timeout) = timeout(args.text(0)) else {
        let mistake = Mistake::new("KeepAliveTimeout has wrong format").id("RX0609");
        return Err(mistake.at(args.at(0), "a number, then nothing, s, ms, min or h"));
    };
    place.server::<CoreServer>().keep_alive_timeout = Some(Setting::new(timeout, args.span));
    Ok(())
}

/// A number with a unit (ap_timeout_parameter_parse); seconds without one.
pub fn timeout(word: &[u8]) -> Option<Duration> {
    let (number, unit) = number_and_rest(word).unwrap_or((0, word));
    let number = u64::try_from(number).ok()?;
    let lower = unit.to_ascii_lowercase();
    match lower.as_slice() {
        [] | [b's', ..] => Some(Duration::from_secs(number)),
        [b'h', ..] => Some(Duration::from_secs(number.saturating_mul(3600))),
        [b'm', b's', ..] => Some(Duration::from_millis(number)),
        [b'm', b'i', ..] => Some(Duration::from_secs(number.saturating_mul(60))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::timeout;
    use std::time::Duration;

    #[track_caller]
    fn check(text: &str, expected: Option<Duration>) {
        assert_eq!(timeout(text.as_bytes()), expected);
    }

    #[test]
    fn units() {
        check("5", Some(Duration::from_secs(5)));
        check("5s", Some(Duration::from_secs(5)));
        check("5ms", Some(Duration::from_millis(5)));
        check("5mi", Some(Duration::from_secs(300)));
        check("5h", Some(Duration::from_secs(18_000)));
    }

    #[test]
    fn what_apache_refuses() {
        check("abc", None);
        check("-1", None);
        check("5m", None);
        check("5q", None);
    }
}
