//! The real keychain of the system the tests run on. Not run by itself, since a test machine need not have one:
//! `dbus-run-session -- sh -c 'echo | gnome-keyring-daemon --unlock --components=secrets && cargo test -p hinet-vault
//! --test os_keychain -- --ignored'`.

use hinet_vault::{Keychain, OsKeychain, Secret, Vault, Words};

#[test]
#[ignore = "needs a keychain that is open"]
fn a_key_is_kept_replaced_and_forgotten() {
    let home = format!("hinet-test-{}", std::process::id());
    assert_eq!(OsKeychain.get(&home).unwrap(), None);
    OsKeychain.delete(&home).unwrap();
    for key in [[1u8; 32], [2; 32]] {
        OsKeychain.set(&home, &key).unwrap();
        assert_eq!(OsKeychain.get(&home).unwrap().unwrap().as_slice(), key);
    }
    OsKeychain.delete(&home).unwrap();
    assert_eq!(OsKeychain.get(&home).unwrap(), None);
}

#[test]
#[ignore = "needs a keychain that is open"]
fn a_home_opens_with_the_keychain_alone() {
    let dir = tempfile::tempdir().unwrap();
    let home = hinet_vault::Home::at(dir.path().join("home"));
    let words = Words::generate();
    let vault = Vault::create(&home, "Maya", &words, &[Secret::Keychain], 0).unwrap();
    let id = vault.home_id();
    drop(vault);
    drop(Vault::open(&home, &Secret::Keychain).unwrap());
    OsKeychain.delete(&id).unwrap();
    let error = Vault::open(&home, &Secret::Keychain).unwrap_err();
    assert_eq!(error.to_string(), "this home has no keyslot for the OS keychain (it has no key for it)");
    drop(Vault::open(&home, &Secret::Words(words)).unwrap());
}
