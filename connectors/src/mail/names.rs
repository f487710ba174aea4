//! Names of folders as IMAP servers write them, on the wire and, many of them, on their disks: "modified UTF-7" (RFC 3501, section 5.1.3), where `&` begins UTF-16 in a base64
//! of its own and `-` ends it.

use base64::{
    Engine,
    alphabet::IMAP_MUTF7,
    engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::NO_PAD},
};

const CONFIG: GeneralPurposeConfig = NO_PAD.with_decode_allow_trailing_bits(true);
const SHIFTED: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, CONFIG);

/// The name as people write it; one that is not written by the rules is left as it is.
pub(crate) fn readable(name: &str) -> String {
    decode(name).unwrap_or_else(|| name.to_owned())
}

fn decode(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (shifted, after) = after.split_once('-')?;
        if shifted.is_empty() {
            out.push('&');
        } else {
            let bytes = SHIFTED.decode(shifted).ok()?;
            let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            out.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn folder_names_as_people_write_them() {
        assert_eq!(readable("Entw&APw-rfe"), "Entwürfe");
        assert_eq!(readable("~peter/mail/&U,BTFw-/&ZeVnLIqe-"), "~peter/mail/台北/日本語");
        assert_eq!(readable("Tom &- Ana"), "Tom & Ana");
        assert_eq!(readable("&2D3eAA-"), "😀");
        // Not by the rules, and so as it stands.
        for odd in ["AT&T", "&AP", "Entwürfe", "&!!-"] {
            assert_eq!(readable(odd), odd);
        }
    }
}
