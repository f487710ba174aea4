//! Beginnings of conversations that are known already, so that nobody reads them again.
//!
//! A full page is found by a hash over everything that decides what is in it: the model's weights and shape, the
//! kernels, how numbers are kept, which deltas are active, and all tokens up to its end. [`Prefixes`] is a bounded shelf
//! of such pages, which sessions and batches share when they are told to; nothing is on it otherwise. A [`Prefix`] is one
//! beginning on its own: it can be written to bytes and read again after a restart, which is checked strictly. Sealing
//! those bytes is the business of whoever stores them.

use crate::{
    Anchor, ModelError,
    kv::{KvKind, PAGE, Page, PageTable},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use zeroize::{Zeroize, Zeroizing};

/// Changes whenever the arithmetic does, so that keys and values of other arithmetic are not taken for these.
const ARITHMETIC: u32 = 1;
/// How the bytes of a prefix begin.
const MAGIC: &[u8; 8] = b"HINETKV\x01";
/// Bytes before the tokens: the magic, the fingerprint, the kind, and the number of pages.
const HEADER: usize = 8 + 32 + 1 + 4;
/// Bytes after the pages: a hash over all before.
const TRAILER: usize = 32;

/// A hash that begins, or continues, the chain of a sequence's pages.
pub(crate) type Link = [u8; 32];

/// Where the chain of a sequence begins: everything but its tokens that decides what its pages hold.
///
/// `deltas` identifies the active deltas and their gates; empty for the anchor alone.
pub(crate) fn fingerprint(anchor: &Anchor, kind: KvKind, deltas: &[u8]) -> Link {
    let mut hasher = blake3::Hasher::new_derive_key("hinet 2026 keys and values of a sequence");
    hasher.update(&ARITHMETIC.to_le_bytes());
    hasher.update(anchor.passport().weights.to_string().as_bytes());
    if let Some(root) = anchor.passport().root {
        hasher.update(&root.0);
    }
    for part in [format!("{:?}", anchor.config()).as_str(), kind.name(), anchor.kernel().name()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(&(PAGE as u64).to_le_bytes());
    hasher.update(deltas);
    hasher.finalize().into()
}

/// The next link after a page of tokens.
pub(crate) fn link(before: &Link, tokens: &[u32]) -> Link {
    let mut hasher = blake3::Hasher::new_keyed(before);
    for token in tokens {
        hasher.update(&token.to_le_bytes());
    }
    hasher.finalize().into()
}

/// A bounded shelf of known pages. Cloning gives another handle on the same shelf.
#[derive(Clone)]
pub struct Prefixes(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    limit: usize,
    bytes: usize,
    clock: u64,
    known: HashMap<Link, Known>,
}

struct Known {
    page: Arc<Page>,
    bytes: usize,
    /// Pages before it.
    depth: usize,
    /// When it was last of use.
    used: u64,
}

/// What a shelf holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixUsage {
    /// Pages.
    pub pages: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Bytes they may take.
    pub limit: usize,
}

impl std::fmt::Debug for Prefixes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.usage().fmt(f)
    }
}

impl Shelf {
    /// Removes the page that was not of use for the longest time among those that may go, the later page of a chain
    /// before the earlier one: a page is of no use without those before it, which were of use whenever it was.
    fn drop_one(&mut self, may_go: impl Fn(&Known) -> bool) -> bool {
        let oldest = self.known.iter().filter(|(_, known)| may_go(known));
        let oldest = oldest.min_by_key(|(_, known)| (known.used, std::cmp::Reverse(known.depth)));
        let Some(link) = oldest.map(|(link, _)| *link) else { return false };
        if let Some(known) = self.known.remove(&link) {
            self.bytes -= known.bytes;
        }
        true
    }
}

impl Prefixes {
    /// An empty shelf for up to `limit` bytes of pages.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Mutex::new(Shelf { limit, ..Shelf::default() })))
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // A page more or less is never wrong, so a panic elsewhere does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pages and bytes on the shelf.
    #[must_use]
    pub fn usage(&self) -> PrefixUsage {
        let shelf = self.shelf();
        PrefixUsage { pages: shelf.known.len(), bytes: shelf.bytes, limit: shelf.limit }
    }

    /// Forgets everything. Pages that a sequence still uses are overwritten when it lets go of them.
    pub fn clear(&self) {
        let mut shelf = self.shelf();
        shelf.known = HashMap::new();
        shelf.bytes = 0;
    }

    /// Puts a prefix on the shelf, as far as there is room.
    pub fn insert(&self, prefix: &Prefix) {
        let mut links = Vec::with_capacity(prefix.pages.len());
        for tokens in prefix.tokens.chunks_exact(PAGE) {
            links.push(link(links.last().unwrap_or(&prefix.fingerprint), tokens));
        }
        self.keep(&links, &prefix.pages, prefix.page_bytes);
    }

    /// Puts the pages of a chain on the shelf, from its beginning as far as there is room.
    pub(crate) fn keep(&self, links: &[Link], pages: &[Arc<Page>], bytes: usize) {
        let mut shelf = self.shelf();
        shelf.clock += 1;
        let used = shelf.clock;
        for (depth, (link, page)) in links.iter().zip(pages).enumerate() {
            if let Some(known) = shelf.known.get_mut(link) {
                known.used = used;
                continue;
            }
            while shelf.bytes + bytes > shelf.limit {
                // What is left then are the pages before this one.
                if !shelf.drop_one(|known| known.used != used) {
                    return;
                }
            }
            shelf.bytes += bytes;
            shelf.known.insert(*link, Known { page: Arc::clone(page), bytes, depth, used });
        }
    }

    /// The known pages of some tokens, with their links.
    pub(crate) fn find(&self, fingerprint: Link, tokens: &[u32]) -> (Vec<Arc<Page>>, Vec<Link>) {
        let mut shelf = self.shelf();
        shelf.clock += 1;
        let used = shelf.clock;
        let (mut pages, mut links, mut chain) = (Vec::new(), Vec::new(), fingerprint);
        for tokens in tokens.chunks_exact(PAGE) {
            chain = link(&chain, tokens);
            let Some(known) = shelf.known.get_mut(&chain) else { break };
            known.used = used;
            pages.push(Arc::clone(&known.page));
            links.push(chain);
        }
        (pages, links)
    }

    /// Gives up a page that nobody else holds; whether there was one.
    pub(crate) fn give_up_one(&self) -> bool {
        self.shelf().drop_one(|known| Arc::strong_count(&known.page) == 1)
    }
}

/// The keys and values of a beginning, by whole pages.
pub struct Prefix {
    fingerprint: Link,
    kind: KvKind,
    tokens: Vec<u32>,
    pages: Vec<Arc<Page>>,
    page_bytes: usize,
}

impl std::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prefix({} tokens, {})", self.tokens.len(), self.kind.name())
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        self.tokens.zeroize();
    }
}

impl Prefix {
    /// As many whole pages as `tokens` fill.
    pub(crate) fn of(anchor: &Anchor, fingerprint: Link, table: &PageTable, tokens: &[u32]) -> Self {
        let count = (tokens.len() / PAGE).min(table.pages().len());
        Self {
            fingerprint,
            kind: table.kind(),
            tokens: tokens[..count * PAGE].to_vec(),
            pages: table.pages()[..count].to_vec(),
            page_bytes: anchor.kv_pool().page_bytes(table.kind()),
        }
    }

    /// The tokens whose keys and values it has.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Everything, to be sealed and stored. The bytes are overwritten when they are dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let size = HEADER + 4 * self.tokens.len() + self.pages.len() * self.page_bytes + TRAILER;
        let mut out = Zeroizing::new(Vec::with_capacity(size));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.fingerprint);
        out.push(self.kind as u8);
        out.extend_from_slice(&u32::try_from(self.pages.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.tokens.iter().for_each(|token| out.extend_from_slice(&token.to_le_bytes()));
        self.pages.iter().for_each(|page| page.write_to(&mut out));
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        out
    }

    /// Reads what [`Prefix::to_bytes`] wrote, for the same model, kernels and deltas.
    pub fn from_bytes(anchor: &Anchor, bytes: &[u8]) -> Result<Self, ModelError> {
        let bad = |problem| ModelError::BadPrefix { problem };
        let short = bad("is cut short");
        let Some(body) = bytes.len().checked_sub(TRAILER).filter(|body| *body >= HEADER) else { return Err(short) };
        let (body, trailer) = bytes.split_at(body);
        let (header, body_rest) = body.split_at(HEADER);
        if &header[..8] != MAGIC {
            return Err(bad("has another format"));
        }
        let kind = match header[40] {
            0 => KvKind::F16,
            1 => KvKind::Int8,
            _ => return Err(bad("has another format")),
        };
        let mut fingerprint = Link::default();
        fingerprint.copy_from_slice(&header[8..40]);
        if fingerprint != self::fingerprint(anchor, kind, &[]) {
            return Err(bad("belongs to another model"));
        }
        let count = header[41..].iter().rev().fold(0, |count, byte| count << 8 | usize::from(*byte));
        let page_bytes = anchor.kv_pool().page_bytes(kind);
        let size = count.checked_mul(4 * PAGE + page_bytes);
        if size != Some(body_rest.len()) || count * PAGE > anchor.context() {
            return Err(bad("has another size than it says"));
        }
        if blake3::hash(body).as_bytes() != trailer {
            return Err(bad("was damaged"));
        }
        let (tokens, pages) = body_rest.split_at(4 * PAGE * count);
        let tokens = tokens.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        let mut prefix = Self { fingerprint, kind, tokens, pages: Vec::with_capacity(count), page_bytes };
        let vocabulary = anchor.config().vocabulary;
        if prefix.tokens.iter().any(|token| *token as usize >= vocabulary) {
            return Err(bad("has tokens outside the vocabulary"));
        }
        for bytes in pages.chunks_exact(page_bytes) {
            let mut page = anchor.kv_pool().take(kind)?;
            page.read_from(bytes)?;
            prefix.pages.push(Arc::new(page));
        }
        Ok(prefix)
    }
}
