//! Apache's setuid wrapper, which runs a program as somebody else, and whether it can be used.
//!
//! Manual: `suexec.html`. The wrapper is Apache's own program and asks nothing of us but its arguments
//! and a caller whose user it was built for (`suexec -V`).

use super::conf::{Said, SaidExt};
use crate::system::{self, System};
use std::fmt;

/// Where the wrapper is (SUEXEC_BIN): where Debian has it, unless this server was built with
/// RACHIS_SUEXEC_BIN.
pub const WRAPPER: &str = match option_env!("RACHIS_SUEXEC_BIN") {
    Some(path) => path,
    None => "/usr/lib/apache2/suexec",
};

/// Why the wrapper cannot be used; its Display is Apache's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such file.
    Missing,
    /// It is not setuid root, or this process may not execute it.
    Mode,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unfit::Missing => "Missing suexec binary",
            Unfit::Mode => "Invalid owner or file mode for",
        })
    }
}

impl Unfit {
    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Unfit::Missing => "It comes with Apache: the package is apache2-suexec-pristine on Debian.",
            Unfit::Mode => {
                "It must belong to root, be setuid, and be executable by the user who starts the server (mode 4750 \
                 or 4754, group www-data on Debian)."
            }
        }
    }
}

/// `Suexec`, and the state of the wrapper when the configuration was read.
#[derive(Clone, Copy, Debug)]
pub struct Suexec {
    /// `Suexec`; on if unsaid.
    pub said: Said<bool>,
    /// Whether the wrapper can be used.
    pub wrapper: Result<(), Unfit>,
}

impl Default for Suexec {
    fn default() -> Self {
        Suexec { said: None, wrapper: Err(Unfit::Missing) }
    }
}

impl Suexec {
    /// Looks at the wrapper.
    pub fn of(system: &dyn System) -> Self {
        let path = system::path(WRAPPER.as_bytes());
        let wrapper = match system.stat(path) {
            Err(_) => Err(Unfit::Missing),
            Ok(stat) if stat.mode & 0o4000 == 0 || stat.uid != 0 => Err(Unfit::Mode),
            Ok(_) if !system.may_execute(path) => Err(Unfit::Mode),
            Ok(_) => Ok(()),
        };
        Suexec { said: None, wrapper }
    }

    /// Whether programs of other users go through the wrapper.
    pub fn enabled(&self) -> bool {
        self.said.value_or(true) && self.wrapper.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Memory;

    #[track_caller]
    fn check(mode: Option<u32>, expected: Result<(), Unfit>) {
        let mut world = Memory::new();
        if let Some(mode) = mode {
            world = world.with(WRAPPER, "");
            world.modes.insert(WRAPPER.into(), mode);
        }
        assert_eq!(Suexec::of(&world).wrapper, expected, "{mode:?}");
    }

    #[test]
    fn only_a_setuid_wrapper_is_one() {
        check(None, Err(Unfit::Missing));
        check(Some(0o755), Err(Unfit::Mode));
        check(Some(0o4644), Err(Unfit::Mode));
        check(Some(0o4755), Ok(()));
    }
}
