//! What authentication asks of the modules that know users: the functions behind the words of
//! AuthBasicProvider and AuthDigestProvider.

use super::{
    answer::{Found, Pending},
    cx::Cx,
    password::Check,
};
use crate::{
    diag::Span,
    policy::{Conf, table::AuthnProvider},
};
use bstr::BString;

/// What a provider says of a user (Apache's authn_status).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authn {
    /// The password is right.
    Granted,
    /// It is not.
    Denied,
    /// The provider does not know the user; the next one is asked.
    NotFound,
    /// It cannot be told; the log says why. The request ends with 500.
    Error,
    /// It can be told once that is known.
    Wait(Pending),
}

/// What a provider says of a user in a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealmHash {
    /// The hash of `user:realm:password`.
    Found(BString),
    /// The provider does not know the user.
    NotFound,
    /// It cannot be told.
    Error,
}

/// What a provider can do; modules put one of these into their [`AuthnProvider`] rows.
#[derive(Clone, Copy, Debug)]
pub struct AuthnFunctions {
    /// Whether the password is this user's; `at` is the directive that named the provider.
    pub password: fn(&mut Cx<'_>, user: &[u8], password: &[u8], at: Span) -> Authn,
    /// The hash of user, realm and password, for providers that have such.
    pub realm: Option<AskRealm>,
}

/// Asks for the hash of a user in a realm.
pub type AskRealm = fn(&mut Cx<'_>, user: &[u8], realm: &[u8], at: Span) -> RealmHash;

/// The functions in a provider's row.
pub fn functions(provider: &AuthnProvider) -> Option<&'static AuthnFunctions> {
    provider.functions.downcast_ref()
}

impl Cx<'_> {
    /// Whether a password fits a hash.
    ///
    /// # Errors
    /// The helpers have to be asked first.
    pub fn password_fits(&self, password: &[u8], hash: &[u8]) -> Result<bool, Pending> {
        let check = Check::new(password, hash);
        if !check.is_slow() {
            return Ok(check.holds());
        }
        let known = self.req.conn.lookups.borrow().password(&check);
        known.ok_or(Pending::Password(check))
    }

    /// Runs `f` where other settings are laid over those that hold.
    pub fn under<R>(&mut self, over: &Conf, f: impl FnOnce(&mut Cx<'_>) -> R) -> R {
        let conf = over.merge(self.conf);
        f(&mut Cx {
            req: self.req,
            engine: self.engine,
            worker: self.worker,
            conf: &conf,
            trace: self.trace,
            module: self.module,
        })
    }

    /// Finds out at once what a look-up waits for, where it cannot wait: in the middle of an
    /// expression that asks what a sub-request would come to.
    pub fn find_out_now(&self, pending: Pending) -> bool {
        let Pending::Password(check) = pending else { return false };
        let holds = check.holds();
        self.req.conn.lookups.borrow_mut().learn(Found::Password(check, holds));
        true
    }
}
