//! What can go wrong with the index.

use std::path::PathBuf;

/// What can go wrong with the index. Nothing here loses anything: the vault holds the truth.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The vault could not be read or written.
    #[error("the vault could not be read: {0}")]
    Vault(#[from] hinet_vault::VaultError),
    /// The embedder failed.
    #[error("the text could not be embedded: {0}")]
    Embed(#[from] hinet_model::ModelError),
    /// A file of the index is damaged, missing or not the one that was written.
    #[error("the search index is damaged ({source}); it can be made again from the vault")]
    Damaged {
        /// What the search engine or the seal said.
        source: tantivy::TantivyError,
    },
    /// The disk is full.
    #[error("there is no space left on the disk for the search index; what is remembered is safe")]
    Full,
    /// The search engine failed without damage being the reason.
    #[error("the search index could not be used: {source}")]
    Engine {
        /// What it said.
        source: tantivy::TantivyError,
    },
    /// The index folder could not be used.
    #[error("the index folder {} could not be used: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A vector has another dimension than the embedder's.
    #[error("a vector of {got} numbers was given where the embedder makes {expected}")]
    Dimension {
        /// What the index holds.
        expected: usize,
        /// What was given.
        got: usize,
    },
    /// A vector that holds no direction: empty, too long, or with a number that is not finite.
    #[error("a vector could not be stored, because it is empty, too long or not finite")]
    NotAVector,
    /// A merge or clean-up left files behind that should be gone.
    #[error("{left} file(s) of the search index could not be removed; forgetting is not finished")]
    Remains {
        /// How many.
        left: usize,
    },
    /// A job was stopped before it ended.
    #[error("stopped before it was done; it goes on where it stopped")]
    Cancelled,
}

impl From<tantivy::TantivyError> for IndexError {
    fn from(source: tantivy::TantivyError) -> Self {
        use tantivy::TantivyError as T;
        use tantivy::directory::error::OpenWriteError;
        match source {
            T::IoError(ref io) | T::OpenWriteError(OpenWriteError::IoError { io_error: ref io, .. })
                if io.kind() == std::io::ErrorKind::StorageFull =>
            {
                Self::Full
            }
            T::DataCorruption(_) | T::OpenReadError(_) | T::IncompatibleIndex(_) | T::SchemaError(_) => {
                Self::Damaged { source }
            }
            T::IoError(ref io)
                if matches!(io.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) =>
            {
                Self::Damaged { source }
            }
            _ => Self::Engine { source },
        }
    }
}

impl From<std::io::Error> for IndexError {
    fn from(source: std::io::Error) -> Self {
        tantivy::TantivyError::from(source).into()
    }
}
