//! What must be held to let something out: a [`Permit`] for bytes that leave, a [`Released`] for what is used inside.
//!
//! Both exist only after their ledger entry is committed, are bound to the hash of their bytes, are not `Clone`, and
//! refuse once the grant was revoked, ran out, or the kill switch was thrown.

use std::fmt;

use hinet_protocol::{Asker, GrantId, Hash};

use crate::{Refusal, live::Lease};

/// Leave to send certain bytes once.
///
/// Only `Consent::permit` builds one; a look-alike does not compile:
///
/// ```compile_fail,E0451
/// let forged = hinet_consent::Permit { asker: unreachable!(), digest: unreachable!(), len: 0, entry: 0, lease: unreachable!() };
/// ```
///
/// It cannot be kept and used twice:
///
/// ```compile_fail,E0277
/// fn copied<T: Clone>() {}
/// copied::<hinet_consent::Permit>();
/// ```
///
/// ```compile_fail,E0382
/// fn twice(permit: hinet_consent::Permit) {
///     let _ = permit.spend(b"once");
///     let _ = permit.spend(b"again");
/// }
/// ```
#[must_use = "a permit that is not spent was written to the ledger for nothing"]
pub struct Permit {
    asker: Asker,
    digest: Hash,
    len: usize,
    entry: u64,
    lease: Lease,
}

impl Permit {
    pub(crate) fn new(asker: Asker, bytes: &[u8], entry: u64, lease: Lease) -> Self {
        Self { asker, digest: digest(bytes), len: bytes.len(), entry, lease }
    }

    /// Uses the permit up. The bytes may be sent when, and only when, this returns them.
    ///
    /// # Errors
    /// [`Refusal::WrongBytes`] where `bytes` are not those that were permitted; [`Refusal::Killed`],
    /// [`Refusal::Revoked`] or [`Refusal::Expired`] where the permit outlived what it stands on. It is used up then too.
    pub fn spend(self, bytes: &[u8]) -> Result<Cleared<'_>, Refusal> {
        self.lease.check()?;
        if bytes.len() != self.len || digest(bytes) != self.digest {
            return Err(Refusal::WrongBytes);
        }
        Ok(Cleared { to: self.asker, bytes, entry: self.entry, grant: self.lease.grant })
    }

    /// The ledger entry that was written for it.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// Who the bytes are for.
    #[must_use]
    pub fn asker(&self) -> &Asker {
        &self.asker
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("entry", &self.entry).field("bytes", &self.len).finish_non_exhaustive()
    }
}

/// Bytes that may leave now. A door that sends takes this and nothing else.
///
/// ```compile_fail,E0451
/// let forged = hinet_consent::Cleared { to: unreachable!(), bytes: b"secret", entry: 0, grant: unreachable!() };
/// ```
pub struct Cleared<'a> {
    to: Asker,
    bytes: &'a [u8],
    entry: u64,
    grant: GrantId,
}

impl<'a> Cleared<'a> {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Who they are for, and nobody else.
    #[must_use]
    pub fn to(&self) -> &Asker {
        &self.to
    }

    /// The ledger entry written before.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// The grant they leave under.
    #[must_use]
    pub fn grant(&self) -> GrantId {
        self.grant
    }
}

impl fmt::Debug for Cleared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleared").field("entry", &self.entry).field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// A value released for one purpose inside, such as a training view.
///
/// Only `Consent::release` builds one, and it is not `Clone`:
///
/// ```compile_fail,E0451
/// let forged = hinet_consent::Released { value: "secret", entry: 0, lease: unreachable!() };
/// ```
///
/// ```compile_fail,E0277
/// fn copied<T: Clone>() {}
/// copied::<hinet_consent::Released<String>>();
/// ```
pub struct Released<T> {
    value: T,
    entry: u64,
    lease: Lease,
}

impl<T> Released<T> {
    pub(crate) fn new(value: T, entry: u64, lease: Lease) -> Self {
        Self { value, entry, lease }
    }

    /// The value, for as long as its release stands.
    ///
    /// # Errors
    /// [`Refusal::Killed`], [`Refusal::Revoked`] or [`Refusal::Expired`].
    pub fn get(&self) -> Result<&T, Refusal> {
        self.lease.check()?;
        Ok(&self.value)
    }

    /// Gives the value up to its use.
    ///
    /// # Errors
    /// As [`Self::get`]; the value is dropped then.
    pub fn spend(self) -> Result<T, Refusal> {
        self.lease.check()?;
        Ok(self.value)
    }

    /// The ledger entry that was written for it.
    #[must_use]
    pub fn entry(&self) -> u64 {
        self.entry
    }
}

impl<T> fmt::Debug for Released<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Released").field("entry", &self.entry).finish_non_exhaustive()
    }
}

pub(crate) fn digest(bytes: &[u8]) -> Hash {
    Hash(*blake3::hash(bytes).as_bytes())
}
