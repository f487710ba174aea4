//! An open vault: reading, writing, and the order of things that makes a commit durable and signed.
//!
//! A write is: transaction, next head written beside its place and synced, commit (synced), head renamed into place.
//! What [`Vault::write`] returned `Ok` for is on disk and covered by the signed head.

use crate::check::Finding;
use crate::db::{self, Inside, Readers, lock};
use crate::head::{Head, Position};
use crate::home::Home;
use crate::keychain::{Keychain, OsKeychain};
use crate::keys::{DeviceKey, Key};
use crate::records::{Reader, Tx};
use crate::sealed::SealKey;
use crate::slots::{Keyring, PassphraseCost, SlotFile};
use crate::{Evidence, Part, VaultError, Words, schema, wal};
use hinet_protocol::Hash;
use rusqlite::{Connection, TransactionBehavior};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use zeroize::Zeroizing;

const ATTACH: &str = "hinet/attach/v1";

/// What unlocks a home.
#[derive(Clone)]
pub enum Secret {
    /// The owner's passphrase.
    Passphrase(Zeroizing<String>),
    /// The 24 recovery words.
    Words(Words),
    /// The key the OS keychain holds.
    Keychain,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Passphrase(…)",
            Self::Words(_) => "Words(…)",
            Self::Keychain => "Keychain",
        })
    }
}

/// How a vault meets the machine it runs on.
#[derive(Clone)]
pub struct Options {
    /// What a new passphrase keyslot costs to open.
    pub cost: PassphraseCost,
    /// The keychain that [`Secret::Keychain`] means.
    pub keychain: Arc<dyn Keychain>,
}

impl Default for Options {
    fn default() -> Self {
        Self { cost: PassphraseCost::default(), keychain: Arc::new(OsKeychain) }
    }
}

/// Which ways of unlocking a home has besides its recovery words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotKinds {
    /// A passphrase.
    pub passphrase: bool,
    /// The OS keychain.
    pub keychain: bool,
}

/// Which ways of unlocking `home` has besides its recovery words. Needs no secret.
///
/// # Errors
/// When there is no home or its keyslots cannot be read.
pub fn slot_kinds(home: &Home) -> Result<SlotKinds, VaultError> {
    let (passphrase, keychain) = SlotFile::load(home)?.file.kinds();
    Ok(SlotKinds { passphrase, keychain })
}

/// The key a client answers the attach challenge and gives owner's proof with, without opening the database.
///
/// # Errors
/// A wrong secret, or damaged keyslots.
pub fn attach_key(home: &Home, secret: &Secret) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    attach_key_with(home, secret, &Options::default())
}

/// [`attach_key`] with another keychain.
///
/// # Errors
/// A wrong secret, or damaged keyslots.
pub fn attach_key_with(home: &Home, secret: &Secret, options: &Options) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let ring = SlotFile::load(home)?.file.unlock(secret, options.keychain.as_ref())?;
    Ok(ring.master().derive(ATTACH))
}

/// The one writing connection and what it must do before the next write.
pub(crate) struct Writer {
    pub(crate) db: Connection,
    /// The head in place is behind the database, because it could not be replaced.
    pub(crate) head_behind: bool,
}

/// An open home. Share it as `Arc<Vault>`.
pub struct Vault {
    pub(crate) home: Home,
    pub(crate) options: Options,
    pub(crate) keys: RwLock<Keyring>,
    pub(crate) device: DeviceKey,
    pub(crate) identity: [u8; 32],
    owner: String,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) readers: Readers,
    pub(crate) head: Mutex<Head>,
    pub(crate) notices: Vec<String>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("home", &self.home).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens a home, after holding keyslots, head and database against each other.
    ///
    /// # Errors
    /// A wrong secret, damage, an old file put back, a newer schema: each named, and nothing changed.
    pub fn open(home: &Home, secret: &Secret) -> Result<Self, VaultError> {
        Self::open_with(home, secret, Options::default())
    }

    /// [`Vault::open`] with another keychain or cost.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_with(home: &Home, secret: &Secret, options: Options) -> Result<Self, VaultError> {
        Self::enter(home, secret, options, false)
    }

    /// Opens a home whose head does not fit its database, and signs a new head for the database as it is.
    ///
    /// For the owner to decide, after being told what [`Vault::open`] found: it means believing the database.
    ///
    /// # Errors
    /// As [`Vault::open`], except for what the head shows.
    pub fn open_believing_database(home: &Home, secret: &Secret, options: Options) -> Result<Self, VaultError> {
        Self::enter(home, secret, options, true)
    }

    fn enter(home: &Home, secret: &Secret, options: Options, believe: bool) -> Result<Self, VaultError> {
        let loaded = SlotFile::load(home)?;
        let ring = loaded.file.unlock(secret, options.keychain.as_ref())?;
        let identity = ring.file().identity();
        let bundle = &ring.bundle;
        let device = DeviceKey::from_seed(&bundle.device, bundle.certificate.clone(), &identity)
            .ok_or(Evidence::DeviceForged)?;
        let head = match Head::load(home, &device) {
            Err(VaultError::Tampered { what }) if believe => Err(what),
            other => Ok(other?),
        };
        if let Ok(head) = &head {
            not_older(&ring, head.keyslots)?;
        }
        if !home.db().exists() {
            return Err(Evidence::DatabaseMissing.into());
        }
        let log = wal::scan(&home.log())?;
        let (db, key_at) = db::connect_any(&home.db(), bundle.database.iter().map(|v| &v.key))?;
        let found = schema::check(&db)?;
        let at = position(&db)?;
        if at.home != ring.file().home() {
            return Err(Evidence::OtherHome.into());
        }
        not_older(&ring, at.keyslots)?;
        let mut notices = Vec::new();
        let compared = match &head {
            Ok(head) => head.compare(&at, ledger_hash_before(&db, head.entries)?),
            Err(what) => Err((*what).into()),
        };
        let head_behind = match compared {
            Err(VaultError::Tampered { what }) if believe => {
                notices.push(format!("The owner chose to believe the database although {what}."));
                true
            }
            other => other?,
        };
        // A change of keyslots writes the file first, so a crash may leave the file one ahead.
        let (file, recorded) = (ring.file().counter(), at.keyslots);
        if file > recorded + 1 && !believe {
            return Err(Evidence::KeyslotsAhead { file, recorded }.into());
        }
        if let wal::LogState::Broken { at } = log {
            notices.push(format!(
                "The database's log did not check out from frame {at} on; nothing that was acknowledged is missing."
            ));
        }
        db::make_writer(&db)?;
        if matches!(log, wal::LogState::Broken { .. }) {
            // What a crash cut short is no frame; with the rest in the database, it goes with the log. Where a reader
            // holds the log, a later checkpoint takes it.
            let _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
        let owner = db.query_row("SELECT owner FROM state", [], |row| row.get(0))?;
        let vault = Self {
            home: home.clone(),
            options,
            identity,
            owner,
            readers: Readers::new(home.db(), bundle.database[key_at].key.clone()),
            writer: Mutex::new(Writer { db, head_behind }),
            head: Mutex::new(head.unwrap_or_else(|_| Head::sign(at, &device))),
            keys: RwLock::new(ring),
            device,
            notices,
        };
        vault.settle(found, key_at, loaded.notice)
    }

    /// What opening leaves to be mended once everything is believed.
    fn settle(mut self, schema: u32, key_at: usize, slots: Option<&'static str>) -> Result<Self, VaultError> {
        self.with_writer(|_, _| Ok::<_, VaultError>(()))?;
        if schema < schema::VERSION {
            self.write(|tx| schema::migrate(tx.connection(), schema::VERSION))?;
        }
        self.sync_counter()?;
        if let Some(what) = slots {
            let mended = self.keyring().rewrite(&self.home);
            self.notices.push(match mended {
                Ok(()) => format!("When the home was opened, {what}; it was written again from the good one."),
                Err(error) => format!("When the home was opened, {what}, and writing it again failed: {error}."),
            });
        }
        // What a creation killed at its very end left.
        let _ = std::fs::remove_dir_all(self.home.cradle());
        let open_with = self.keyring().bundle.database[key_at].version;
        if self.keyring().bundle.database.len() > 1 {
            // A rekey that was committed may still be in the log alone, over pages of the key before.
            self.checkpoint()?;
            self.finish_rotation(open_with)?;
        }
        Ok(self)
    }

    /// What was found and mended when this vault was opened, as sentences for the owner.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The home's id, which is also the keychain's name for it.
    #[must_use]
    pub fn home_id(&self) -> String {
        self.keyring().file().home().to_owned()
    }

    /// The owner's name.
    #[must_use]
    pub fn owner(&self) -> String {
        self.owner.clone()
    }

    /// The owner's public identity.
    #[must_use]
    pub fn identity(&self) -> [u8; 32] {
        self.identity
    }

    /// This device's key.
    #[must_use]
    pub fn device(&self) -> &DeviceKey {
        &self.device
    }

    /// The head as it was signed last.
    #[must_use]
    pub fn head(&self) -> Head {
        lock(&self.head).clone()
    }

    pub(crate) fn keyring(&self) -> std::sync::RwLockReadGuard<'_, Keyring> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key for one purpose that stays the same for the life of the home, key rotations included: for keyed hashes
    /// of names and the like, which must still be found afterwards. Files are sealed with [`Vault::seal_key`].
    #[must_use]
    pub fn derive_key(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let ring = self.keyring();
        let first = ring.bundle.sealing.first().expect("a bundle without sealing keys is refused when it is opened");
        derived(&first.key, &format!("lasting/{label}"))
    }

    /// The sealing keys for one purpose, all versions: files are sealed with the newest and opened with their own.
    #[must_use]
    pub fn seal_key(&self, label: &str) -> SealKey {
        let ring = self.keyring();
        SealKey::versions(ring.bundle.sealing.iter().map(|v| (v.version, derived(&v.key, label))))
    }

    /// The key that [`attach_key`] gives a client.
    #[must_use]
    pub fn attach_key(&self) -> Zeroizing<[u8; 32]> {
        self.keyring().master().derive(ATTACH)
    }

    /// Ways of unlocking besides the words.
    #[must_use]
    pub fn slot_kinds(&self) -> SlotKinds {
        let (passphrase, keychain) = self.keyring().file().kinds();
        SlotKinds { passphrase, keychain }
    }

    /// Runs `f` with the writing connection, the head in place having caught up with the database first.
    pub(crate) fn with_writer<T, E: From<VaultError>>(
        &self,
        f: impl FnOnce(&Self, &mut Writer) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = lock(&self.writer);
        let _inside = Inside::enter();
        if writer.head_behind {
            let head = Head::sign(position(&writer.db)?, &self.device);
            head.prepare(&self.home)?.publish()?;
            *lock(&self.head) = head;
            writer.head_behind = false;
        }
        f(self, &mut writer)
    }

    /// Runs `f` in the one writing transaction. On `Ok` everything is on disk and signed for; on `Err`, and when `f`
    /// panics, nothing happened. Must not be called within itself.
    ///
    /// # Errors
    /// What `f` says, or why the commit failed.
    pub fn write<T, E: From<VaultError>>(&self, f: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.with_writer(|vault, writer| vault.commit(writer, f))
    }

    fn commit<T, E: From<VaultError>>(
        &self,
        writer: &mut Writer,
        f: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let before = writer.db.total_changes();
        let schema_before = schema::version(&writer.db)?;
        let tx = writer.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(VaultError::from)?;
        let out = f(&Tx::new(&tx, &self.head))?;
        if tx.total_changes() == before && schema::version(&tx)? == schema_before {
            // Nothing was written: no commit, no new head.
            return Ok(out);
        }
        tx.execute("UPDATE state SET vault_seq = vault_seq + 1", []).map_err(VaultError::from)?;
        let head = Head::sign(position(&tx)?, &self.device);
        let prepared = head.prepare(&self.home)?;
        tx.commit().map_err(VaultError::from)?;
        if let Err(source) = prepared.publish() {
            writer.head_behind = true;
            return Err(VaultError::HeadNotReplaced { source: Box::new(source) }.into());
        }
        *lock(&self.head) = head;
        Ok(out)
    }

    /// Runs `f` on a snapshot of everything committed so far. Reads run beside each other and beside a write.
    ///
    /// # Errors
    /// What `f` says, or why the database could not be read.
    pub fn read<T, E: From<VaultError>>(&self, f: impl FnOnce(&Reader<'_>) -> Result<T, E>) -> Result<T, E> {
        let lease = self.readers.lease()?;
        let snapshot = lease.unchecked_transaction().map_err(VaultError::from)?;
        f(&Reader::new(&snapshot, &self.head))
    }

    /// What was found wrong, and what is well. See [`Finding`].
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        crate::check::check(self)
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        // A clean end: the log goes into the database. Should it fail, the next opening does it.
        drop(self.readers.close());
        let writer = lock(&self.writer);
        let _ = writer.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let _ = writer.db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
    }
}

fn derived(key: &Key, label: &str) -> Zeroizing<[u8; 32]> {
    key.derive(&format!("hinet/derived/v1/{label}"))
}

/// Whether the keyslots are at least as new as something that was recorded later knows them to be.
fn not_older(ring: &Keyring, recorded: u64) -> Result<(), VaultError> {
    let file = ring.file().counter();
    if file < recorded { Err(Evidence::KeyslotsOld { file, recorded }.into()) } else { Ok(()) }
}

/// What the database says about itself. The tables it asks are the same in every schema version.
pub(crate) fn position(db: &Connection) -> Result<Position, VaultError> {
    let mut state = db.prepare_cached("SELECT home, vault_seq, keyslots FROM state")?;
    let (home, vault_seq, keyslots) =
        state.query_row([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    let last = ledger_last(db)?;
    Ok(Position {
        home,
        vault_seq: u64::try_from(vault_seq).map_err(|_| Part::Row("a commit number"))?,
        keyslots: u64::try_from(keyslots).map_err(|_| Part::Row("a keyslots number"))?,
        entries: last.map_or(0, |(seq, _)| seq + 1),
        ledger_hash: last.map_or(Hash::default(), |(_, hash)| hash),
    })
}

/// Number and hash of the last ledger entry.
pub(crate) fn ledger_last(db: &Connection) -> Result<Option<(u64, Hash)>, VaultError> {
    let mut last = db.prepare_cached("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1")?;
    let mut rows = last.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let seq = u64::try_from(row.get::<_, i64>(0)?).map_err(|_| Part::Row("a ledger number"))?;
    Ok(Some((seq, Hash(row.get(1)?))))
}

/// Hash of the last of the first `entries` ledger entries.
fn ledger_hash_before(db: &Connection, entries: u64) -> Result<Option<Hash>, VaultError> {
    let Some(seq) = entries.checked_sub(1).and_then(|seq| i64::try_from(seq).ok()) else { return Ok(None) };
    let mut at = db.prepare_cached("SELECT hash FROM ledger WHERE seq = ?1")?;
    let mut rows = at.query([seq])?;
    Ok(rows.next()?.map(|row| row.get(0).map(Hash)).transpose()?)
}
