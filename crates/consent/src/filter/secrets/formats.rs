//! Secrets that are known by how they begin. The lengths and letters follow the rules of gitleaks (MIT, copyright 2019
//! Zachary Rice); lengths are taken a little wider, because services change them.

use super::entropy;

/// What follows a beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Hexadecimal digits.
    Hex,
    /// Letters and digits.
    Plain,
    /// Capitals and digits.
    Upper,
    /// Letters, digits, `_`, `-`, `.`, `=`.
    Word,
    /// The letters of base 64.
    Base,
}

use Of::{Base, Hex, Plain, Upper, Word};

/// Beginnings, what follows, and how many signs of it at least and at most.
const FORMATS: &[(&str, Of, usize, usize)] = &[
    ("A3-", Word, 29, 40),
    ("ops_eyJ", Base, 100, 9999),
    ("p8e-", Plain, 32, 32),
    ("AGE-SECRET-KEY-1", Upper, 50, 60),
    ("pat", Word, 75, 90),
    ("LTAI", Plain, 16, 24),
    ("sk-ant-api", Word, 95, 110),
    ("sk-ant-oat", Word, 90, 120),
    ("sk-ant-admin", Word, 95, 110),
    ("sk-proj-", Word, 40, 200),
    ("sk-svcacct-", Word, 40, 200),
    ("sk-admin-", Word, 40, 200),
    ("sk-or-v1-", Hex, 60, 70),
    ("sk-", Plain, 32, 60),
    ("AKCp", Plain, 69, 69),
    ("cmVmd", Plain, 55, 64),
    ("AKIA", Upper, 16, 16),
    ("ASIA", Upper, 16, 16),
    ("ABIA", Upper, 16, 16),
    ("ACCA", Upper, 16, 16),
    ("A3T", Upper, 17, 17),
    ("ABSK", Base, 100, 280),
    ("bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t", Base, 0, 9999),
    ("4b1d", Plain, 38, 38),
    ("CLOJARS_", Plain, 60, 60),
    ("v1.0-", Word, 150, 200),
    ("dapi", Hex, 32, 34),
    ("dnkey-", Word, 60, 100),
    ("doo_v1_", Hex, 60, 70),
    ("dop_v1_", Hex, 60, 70),
    ("dor_v1_", Hex, 60, 70),
    ("dp.pt.", Plain, 40, 46),
    ("dp.st.", Word, 40, 80),
    ("sl.", Word, 100, 1400),
    ("duffel_", Word, 43, 60),
    ("dt0c01.", Word, 80, 100),
    ("EZAK", Plain, 54, 54),
    ("EZTK", Plain, 54, 54),
    ("EAAC", Plain, 100, 9999),
    ("EAAM", Plain, 100, 9999),
    ("EAACEdEose0cBA", Plain, 5, 9999),
    ("FLWSECK", Word, 14, 50),
    ("FLWPUBK", Word, 34, 50),
    ("fo1_", Word, 40, 50),
    ("fm1a_", Base, 100, 9999),
    ("fm1r_", Base, 100, 9999),
    ("fm2_", Base, 100, 9999),
    ("fio-u-", Word, 60, 70),
    ("AIza", Word, 35, 35),
    ("ya29.", Word, 20, 9999),
    ("GOCSPX-", Word, 24, 40),
    ("1//0", Word, 40, 200),
    ("ghp_", Plain, 36, 36),
    ("gho_", Plain, 36, 36),
    ("ghu_", Plain, 36, 36),
    ("ghs_", Plain, 36, 36),
    ("ghr_", Plain, 36, 80),
    ("github_pat_", Word, 60, 100),
    ("glcbt-", Word, 20, 40),
    ("gldt-", Word, 20, 64),
    ("glffct-", Word, 20, 64),
    ("glft-", Word, 20, 64),
    ("glimt-", Word, 20, 64),
    ("glagent-", Word, 40, 64),
    ("gloas-", Word, 60, 70),
    ("glpat-", Word, 20, 320),
    ("glptt-", Hex, 40, 40),
    ("GR1348941", Word, 20, 30),
    ("glrt-", Word, 20, 320),
    ("glrtr-", Word, 20, 320),
    ("glsoat-", Word, 20, 64),
    ("glsa_", Word, 40, 44),
    ("glc_", Base, 32, 410),
    ("sat.", Word, 60, 80),
    ("HRKU-AA", Word, 50, 64),
    ("hf_", Plain, 34, 40),
    ("api_org_", Plain, 34, 40),
    ("ico-", Plain, 32, 32),
    ("s-s4t2ud-", Hex, 64, 64),
    ("s-s4t2af-", Hex, 64, 64),
    ("eyJrIjoi", Base, 70, 410),
    ("ZXlK", Base, 60, 9999),
    ("lin_api_", Plain, 32, 48),
    ("lin_oauth_", Plain, 32, 80),
    ("live_", Word, 35, 46),
    ("test_", Hex, 35, 40),
    ("key-", Hex, 32, 32),
    ("pubkey-", Hex, 32, 32),
    ("pk.eyJ", Word, 60, 120),
    ("sk.eyJ", Word, 60, 120),
    ("NRJS-", Hex, 19, 19),
    ("NRII-", Word, 32, 32),
    ("NRAK-", Plain, 27, 27),
    ("NRRA-", Hex, 42, 42),
    ("ntn_", Plain, 40, 50),
    ("secret_", Plain, 43, 43),
    ("npm_", Plain, 36, 36),
    ("API-", Upper, 26, 26),
    ("sha256~", Word, 43, 43),
    ("pplx-", Plain, 48, 56),
    ("access-sandbox-", Word, 36, 36),
    ("access-development-", Word, 36, 36),
    ("access-production-", Word, 36, 36),
    ("pscale_tkn_", Word, 32, 64),
    ("pscale_oauth_", Word, 32, 64),
    ("pscale_pw_", Word, 32, 64),
    ("PMAK-", Word, 59, 59),
    ("pnu_", Plain, 36, 36),
    ("pul-", Hex, 40, 40),
    ("pypi-AgE", Word, 50, 1000),
    ("rdme_", Plain, 70, 70),
    ("rubygems_", Hex, 48, 48),
    ("tk-us-", Word, 48, 48),
    ("SG.", Word, 60, 70),
    ("xkeysib-", Word, 70, 90),
    ("sntrys_", Base, 80, 500),
    ("sntryu_", Hex, 64, 64),
    ("sm_aat_", Plain, 16, 24),
    ("sm_pat_", Plain, 16, 24),
    ("sm_sat_", Plain, 16, 24),
    ("shippo_live_", Hex, 40, 40),
    ("shippo_test_", Hex, 40, 40),
    ("shpat_", Hex, 32, 32),
    ("shpca_", Hex, 32, 32),
    ("shppa_", Hex, 32, 32),
    ("shpss_", Hex, 32, 32),
    ("xapp-", Word, 30, 200),
    ("xoxb-", Word, 24, 100),
    ("xoxp-", Word, 40, 120),
    ("xoxe.xox", Word, 100, 250),
    ("xoxe-", Word, 40, 200),
    ("xoxo-", Word, 20, 100),
    ("xoxs-", Word, 20, 100),
    ("xoxa-", Word, 8, 60),
    ("xoxr-", Word, 8, 60),
    ("squ_", Plain, 40, 40),
    ("sqp_", Plain, 40, 40),
    ("sqa_", Plain, 40, 40),
    ("sgp_", Word, 40, 60),
    ("EAAA", Word, 50, 64),
    ("sq0atp-", Word, 22, 60),
    ("sq0csp-", Word, 40, 60),
    ("sk_live_", Plain, 10, 99),
    ("sk_test_", Plain, 10, 99),
    ("sk_prod_", Plain, 10, 99),
    ("rk_live_", Plain, 10, 99),
    ("rk_test_", Plain, 10, 99),
    ("rk_prod_", Plain, 10, 99),
    ("pk_live_", Plain, 10, 110),
    ("pk_test_", Plain, 10, 110),
    ("whsec_", Base, 24, 80),
    ("SK", Hex, 32, 32),
    ("tfp_", Word, 59, 60),
    ("hvb.", Word, 100, 300),
    ("hvs.", Word, 80, 130),
    ("hvs.", Plain, 24, 30),
    ("t1.", Word, 90, 400),
    ("AQVN", Word, 35, 40),
    ("gsk_", Plain, 40, 60),
    ("xai-", Plain, 70, 90),
    ("nvapi-", Word, 55, 80),
    ("r8_", Plain, 30, 45),
    ("figd_", Word, 36, 60),
    ("rpa_", Plain, 30, 60),
    ("ATATT3", Word, 100, 250),
    ("ATCTT3", Word, 100, 250),
    ("dckr_pat_", Word, 20, 40),
    ("tskey-", Word, 20, 80),
    ("secret-token:", Word, 8, 200),
];

/// Whether a word is a secret of a known form.
pub(super) fn fits(word: &str) -> bool {
    if word.len() < 14 {
        return false;
    }
    if has_sign_inside(word) {
        return true;
    }
    let word = word.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let first = word.as_bytes().first().copied().unwrap_or_default();
    let begins = FORMATS.iter().any(|(beginning, of, least, most)| {
        beginning.as_bytes()[0] == first
            && word.strip_prefix(beginning).is_some_and(|rest| {
                follows(rest, *of, *least, *most).is_some_and(|rest| beginning.len() > 13 || is_random(rest))
            })
    });
    begins || is_web_token(word)
}

/// What follows a beginning, where it is of these signs and this long.
fn follows(rest: &str, of: Of, least: usize, most: usize) -> Option<&str> {
    let is_in = |b: &u8| match of {
        Hex => b.is_ascii_hexdigit(),
        Plain => b.is_ascii_alphanumeric(),
        Upper => b.is_ascii_uppercase() || b.is_ascii_digit(),
        Word => b.is_ascii_alphanumeric() || b"_-.=".contains(b),
        Base => b.is_ascii_alphanumeric() || b"+/=_-".contains(b),
    };
    let len = rest.bytes().take_while(|b| is_in(b)).count();
    let ends = rest.as_bytes().get(len).is_none_or(|b| !b.is_ascii_alphanumeric() && !b"_-".contains(b));
    ((least..=most).contains(&len) && ends).then(|| &rest[..len])
}

/// Whether a word is drawn rather than written: many different signs for its length, no placeholder.
pub(super) fn is_random(word: &str) -> bool {
    let least = if word.len() < 16 { 2.0 } else { 2.6 };
    let letters = word.len() <= 24 || word.bytes().any(|b| b.is_ascii_alphabetic());
    letters
        && entropy(word) >= least
        && !["XXXXX", "xxxxx", "abcdefghijkl"].iter().any(|placeholder| word.contains(placeholder))
}

/// A JSON web token: two parts in base 64 that begin as JSON does, and a signature or none.
fn is_web_token(word: &str) -> bool {
    let mut parts = word.split('.');
    let is_part = |part: Option<&str>| part.is_some_and(|part| part.starts_with("ey") && part.len() >= 19);
    word.starts_with("ey") && is_part(parts.next()) && is_part(parts.next())
}

/// Forms that are known by something inside: Azure's `Q~`, Terraform's `.atlasv1.`, MaxMind's `_mmk`, Authress' `.acc`.
fn has_sign_inside(word: &str) -> bool {
    let is_word = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.~=-".contains(&b));
    if let Some((head, tail)) = word.split_once("Q~") {
        let digit = head.len() == 4 && head.ends_with(|c: char| c.is_ascii_digit());
        return digit && (31..=34).contains(&tail.len()) && is_word(tail) && is_random(tail);
    }
    if let Some((head, tail)) = word.split_once(".atlasv1.") {
        return head.len() >= 14 && (60..=75).contains(&tail.len()) && is_word(tail) && is_random(tail);
    }
    let mailchimp = word.rsplit_once("-us").is_some_and(|(head, tail)| {
        head.len() == 32
            && head.bytes().all(|b| b.is_ascii_hexdigit())
            && tail.len() <= 2
            && tail.bytes().all(|b| b.is_ascii_digit())
    });
    mailchimp
        || (word.ends_with("_mmk") && word.len() == 40)
        || (word.contains(".acc_") || word.contains(".acc-")) && word.len() > 60
}
