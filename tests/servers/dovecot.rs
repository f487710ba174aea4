//! A real mail server for tests: Dovecot with a configuration of its own, on free ports of this machine, for as long as
//! the value lives.
#![allow(dead_code, reason = "each test target uses a part of it")]
#![allow(clippy::disallowed_types, reason = "the tests start a server and look for free ports")]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The server.
pub struct Dovecot {
    dir: tempfile::TempDir,
    child: Child,
    /// Where it speaks in the clear, and TLS once that is asked for.
    pub port: u16,
    /// Where it speaks TLS at once.
    pub tls_port: u16,
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Dovecot {
    /// Starts one whose mailboxes all have this password (without spaces); none where Dovecot is not installed, which is said, and wrong where a build machine runs the tests.
    pub fn start(password: &str) -> Option<Self> {
        let Some(dovecot) = program("dovecot") else {
            assert!(std::env::var_os("CI").is_none(), "Dovecot is missing: tests/servers/install was not run");
            eprintln!("skipped: Dovecot is not installed (tests/servers/install does it)");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("icore-imap-").tempdir().unwrap();
        let (port, tls_port) = (free_port(), free_port());
        let at = |name: &str| dir.path().join(name).display().to_string();
        let key = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=mail.test", "-keyout", &at("key.pem"), "-out", &at("cert.pem")])
            .stderr(Stdio::null())
            .status();
        assert!(key.unwrap().success(), "openssl makes a certificate");
        let root = rustix::process::geteuid().is_root();
        // It refuses to touch mail as root.
        let (uid, gid) = if root {
            (65534, 65534)
        } else {
            (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
        };
        let user = if root { "dovecot".to_owned() } else { std::env::var("USER").unwrap() };
        let login = if root { "dovenull".to_owned() } else { user.clone() };
        let mail = dir.path().join("mail");
        std::fs::create_dir(&mail).unwrap();
        if root {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            std::os::unix::fs::chown(&mail, Some(uid), Some(gid)).unwrap();
        }
        let config = format!(
            "base_dir = {run}\nlog_path = {log}\nprotocols = imap\nlisten = 127.0.0.1\n\
             ssl = yes\nssl_cert = <{cert}\nssl_key = <{key}\ndisable_plaintext_auth = no\nauth_mechanisms = plain login\n\
             mail_location = maildir:{mail}/%u\nfirst_valid_uid = 1\nfirst_valid_gid = 1\nmail_uid = {uid}\nmail_gid = {gid}\n\
             default_internal_user = {user}\ndefault_login_user = {login}\ndefault_internal_group = {user}\n\
             namespace inbox {{\n inbox = yes\n separator = /\n mailbox Trash {{\n special_use = \\Trash\n }}\n}}\n\
             passdb {{\n driver = static\n args = password={password}\n}}\n\
             userdb {{\n driver = static\n args = uid={uid} gid={gid} home={mail}/%u\n}}\n\
             service imap-login {{\n chroot =\n inet_listener imap {{\n port = {port}\n }}\n inet_listener imaps {{\n port = {tls_port}\n ssl = yes\n }}\n}}\n\
             service anvil {{\n chroot =\n}}\nservice stats {{\n chroot =\n}}\n",
            run = at("run"),
            log = at("log"),
            cert = at("cert.pem"),
            key = at("key.pem"),
            mail = mail.display(),
        );
        std::fs::write(dir.path().join("conf"), config).unwrap();
        let child = Command::new(dovecot)
            .args(["-F", "-c", &at("conf")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { dir, child, port, tls_port };
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, tls_port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "Dovecot does not start: {}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    /// Its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    /// What it logged: who asked for what.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Runs `doveadm` and gives what it printed.
    pub fn doveadm(&self, arguments: &[&str]) -> String {
        self.doveadm_with(arguments, "")
    }

    fn doveadm_with(&self, arguments: &[&str], input: &str) -> String {
        use std::io::Write;
        let mut child = Command::new(program("doveadm").unwrap())
            .arg("-c")
            .arg(self.dir.path().join("conf"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "doveadm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Puts a message into a folder, which is made where there is none.
    pub fn put(&self, user: &str, folder: &str, message: &str) {
        let listed = self.doveadm(&["mailbox", "list", "-u", user]);
        if !listed.lines().any(|name| name == folder) {
            self.doveadm(&["mailbox", "create", "-u", user, folder]);
        }
        self.doveadm_with(&["save", "-u", user, "-m", folder], message);
    }

    /// Puts many messages into a folder at once, as another program would leave them there.
    pub fn fill(&self, user: &str, folder: &str, messages: impl IntoIterator<Item = String>) {
        self.put(user, folder, "Subject: the first\n\nSo that the folder is there.\n");
        let root = self.dir.path().join("mail").join(user);
        let folder = if folder == "INBOX" { root } else { root.join(format!(".{}", folder.replace('/', "."))) };
        for (n, message) in messages.into_iter().enumerate() {
            let path = folder.join("new").join(format!("{}.M{n}.test", 1_700_000_000 + n));
            std::fs::write(&path, message).unwrap();
            own(&path, &folder);
        }
    }
}

/// Gives a file to who owns the folder.
fn own(path: &Path, folder: &Path) {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(folder).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(meta.uid()), Some(meta.gid())).unwrap();
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its children end with it when it is asked to, not when it is killed.
        let _ =
            rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM);
        let begun = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
