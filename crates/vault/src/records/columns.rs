//! How ids, hashes and the protocol's small enums lie in columns.

use crate::VaultError;
use hinet_protocol::{
    DeltaKind, GrantId, Hash, ItemId, MessageId, Role, SessionId, SourceId, SourceKind, SourceState, Thumb, Trust,
};
use rusqlite::Row;
use rusqlite::types::Type;
use uuid::Uuid;

/// An id that is a UUID, stored as its 16 bytes.
pub(super) trait Id: Sized {
    fn of(uuid: Uuid) -> Self;
    fn raw(&self) -> &[u8; 16];
}

macro_rules! ids {
    ($($name:ident),*) => {
        $(impl Id for $name {
            fn of(uuid: Uuid) -> Self {
                Self(uuid)
            }

            fn raw(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        })*
    };
}
ids!(ItemId, SourceId, SessionId, MessageId, GrantId);

/// The id in a column.
pub(super) fn id<T: Id>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    Ok(T::of(Uuid::from_bytes(row.get(at)?)))
}

/// The id in a column that may be empty.
pub(super) fn id_or_none<T: Id>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<[u8; 16]>>(at)?.map(|bytes| T::of(Uuid::from_bytes(bytes))))
}

/// The hash in a column.
pub(super) fn hash(row: &Row<'_>, at: usize) -> rusqlite::Result<Hash> {
    row.get(at).map(Hash)
}

/// A count or place in a column; SQLite's integers are signed.
pub(super) fn size(row: &Row<'_>, at: usize) -> rusqlite::Result<usize> {
    usize::try_from(row.get::<_, i64>(at)?).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, 0))
}

/// A count in a column.
pub(super) fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    size(row, at).map(|n| n as u64)
}

/// A place as SQLite's integer.
pub(super) fn int(n: usize) -> Result<i64, VaultError> {
    i64::try_from(n).map_err(|_| VaultError::row("a place out of reach"))
}

macro_rules! words {
    ($name:ident, $read:ident, $($variant:ident = $text:literal),*) => {
        impl Word for $name {
            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),*
                }
            }
        }

        pub(super) fn $read(row: &Row<'_>, at: usize) -> rusqlite::Result<$name> {
            let text: String = row.get(at)?;
            match text.as_str() {
                $($text => Ok($name::$variant),)*
                _ => Err(rusqlite::Error::InvalidColumnType(at, stringify!($name).to_owned(), Type::Text)),
            }
        }
    };
}

/// A value stored as one word.
pub(super) trait Word {
    fn word(self) -> &'static str;
}

words!(SourceKind, source_kind, Folder = "folder", Import = "import", Account = "account");
words!(SourceState, source_state, Active = "active", Paused = "paused", Missing = "missing");
words!(Trust, trust, Untrusted = "untrusted", Own = "own");
words!(Thumb, thumb, Up = "up", Down = "down");
words!(Role, role, User = "user", Assistant = "assistant");
words!(DeltaKind, delta_kind, Imported = "imported", Private = "private", Public = "public");
