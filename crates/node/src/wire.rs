//! Frames on the Unix socket: a length, a keyed hash, a JSON body.
//!
//! After the handshake each frame carries BLAKE3 keyed with a per-connection, per-direction key over its counter and
//! its body, so that a program that got between the ends can neither inject, reorder nor repeat a frame.

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// Largest frame either end accepts, in bytes. An item's text is the largest thing sent.
pub(crate) const FRAME_MAX: usize = 160 << 20;
/// Largest handshake frame, in bytes.
pub(crate) const HELLO_MAX: usize = 4096;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The other end went away.
    #[error("the connection was closed")]
    Closed,
    /// The system refused.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The length is beyond the cap.
    #[error("a message of {0} bytes is larger than this connection allows")]
    TooLarge(usize),
    /// The body is not what the protocol says.
    #[error("a message could not be understood: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The keyed hash is wrong.
    #[error("a message was altered or repeated on its way")]
    Forged,
}

/// One direction's key and frame counter.
pub(crate) struct Lane {
    key: Zeroizing<[u8; 32]>,
    count: u64,
}

impl Lane {
    /// A lane that begins at frame 0.
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key: Zeroizing::new(key), count: 0 }
    }

    fn tag(&mut self, body: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&self.count.to_le_bytes());
        hasher.update(body);
        self.count += 1;
        hasher.finalize()
    }
}

/// Writes one value, tagged if the connection has a lane.
pub(crate) async fn send<T: Serialize>(
    out: &mut (impl AsyncWrite + Unpin),
    lane: Option<&mut Lane>,
    value: &T,
) -> Result<(), WireError> {
    let body = Zeroizing::new(serde_json::to_vec(value)?);
    if body.len() > FRAME_MAX {
        return Err(WireError::TooLarge(body.len()));
    }
    let mut head = Vec::with_capacity(36);
    head.extend_from_slice(&(body.len() as u32).to_le_bytes());
    if let Some(lane) = lane {
        head.extend_from_slice(lane.tag(&body).as_bytes());
    }
    out.write_all(&head).await?;
    out.write_all(&body).await?;
    out.flush().await?;
    Ok(())
}

/// Reads one value of at most `max` bytes, checking its tag if the connection has a lane.
pub(crate) async fn receive<T: DeserializeOwned>(
    input: &mut (impl AsyncRead + Unpin),
    lane: Option<&mut Lane>,
    max: usize,
) -> Result<T, WireError> {
    let mut length = [0u8; 4];
    if let Err(error) = input.read_exact(&mut length).await {
        return Err(match error.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => WireError::Closed,
            _ => error.into(),
        });
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > max {
        return Err(WireError::TooLarge(length));
    }
    let mut tag = [0u8; 32];
    if lane.is_some() {
        input.read_exact(&mut tag).await?;
    }
    // Grown as bytes arrive, so that a length alone cannot make the node reserve memory.
    let mut body = Zeroizing::new(Vec::new());
    let read = input.take(length as u64).read_to_end(&mut body).await?;
    if read != length {
        return Err(WireError::Closed);
    }
    if let Some(lane) = lane
        && lane.tag(&body) != blake3::Hash::from_bytes(tag)
    {
        return Err(WireError::Forged);
    }
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests;
