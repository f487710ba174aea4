//! How much of a stranger's file is taken.

const MIB: u64 = 1 << 20;

/// Caps on everything that a file could make large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadLimits {
    /// A text, code, HTML or DOCX file larger than this is not opened.
    pub max_file_bytes: u64,
    /// A PDF, a book or an OpenDocument file larger than this is not opened. Most of it is pictures, so it may be larger
    /// than a text.
    pub max_pdf_bytes: u64,
    /// A document whose text is larger than this is refused.
    pub max_text_bytes: u64,
    /// Folders nested deeper than this below the root are not entered.
    pub max_depth: usize,
    /// A DOCX, OpenDocument file or book with more parts than this is refused.
    pub max_zip_entries: usize,
    /// A part of these that unpacks to more than this many times its packed size is refused. Deflate itself ends at
    /// about 1032; WordprocessingML is repetitive and reaches 30 to 60 in honest files.
    pub max_zip_ratio: u64,
    /// The parts of one of these that are read may unpack to this many bytes together.
    pub max_zip_bytes: u64,
    /// Elements of XML nested deeper than this are refused; Word itself stays below 100.
    pub max_xml_depth: usize,
    /// A mail message is taken up to this many bytes; what comes after them is left out and said.
    pub max_message_bytes: u64,
    /// Messages attached to messages are opened this deep.
    pub max_attached: usize,
    /// One conversation or message of a chat export may take this many bytes.
    pub max_element_bytes: u64,
    /// An archive with more files than this is refused.
    pub max_archive_entries: usize,
    /// The files of an archive that are read may unpack to this many bytes together.
    pub max_archive_bytes: u64,
    /// Of a git repository the newest commits up to this many are read.
    pub max_commits: usize,
    /// Seconds, of the clock and of the processor, that the extracting child may take.
    pub child_seconds: u64,
    /// Address space the extracting child may have.
    pub child_memory_bytes: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_file_bytes: 64 * MIB,
            max_pdf_bytes: 128 * MIB,
            max_text_bytes: 64 * MIB,
            max_depth: 64,
            max_zip_entries: 10_000,
            max_zip_ratio: 300,
            max_zip_bytes: 256 * MIB,
            max_xml_depth: 512,
            max_message_bytes: 64 * MIB,
            max_attached: 8,
            max_element_bytes: 64 * MIB,
            max_archive_entries: 200_000,
            max_archive_bytes: 64 * 1024 * MIB,
            max_commits: 5000,
            child_seconds: 30,
            child_memory_bytes: 1024 * MIB,
        }
    }
}
