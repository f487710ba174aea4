//! Ed25519 signing, whatever holds the key. Verification is the vault's, which is strict.

/// Something that signs with one Ed25519 key. Implementations must sign exactly the bytes given.
pub trait Signer {
    /// The public key that goes with the signatures.
    fn public_key(&self) -> [u8; 32];
    /// The signature over `message`.
    fn sign_bytes(&self, message: &[u8]) -> [u8; 64];
}

impl Signer for hinet_vault::DeviceKey {
    fn public_key(&self) -> [u8; 32] {
        self.public()
    }

    fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.sign(message)
    }
}

impl Signer for ed25519_dalek::SigningKey {
    fn public_key(&self) -> [u8; 32] {
        self.verifying_key().to_bytes()
    }

    fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        use ed25519_dalek::Signer as _;
        self.sign(message).to_bytes()
    }
}
