//! What a mail server says.
#![allow(clippy::disallowed_types, reason = "the target plays a server")]

use super::{Room, leave::leave_at, pieces, taken::Taken};
use hinet_connectors::{Key, Place, Reading, read_account};
use hinet_protocol::{AccountKind, AccountPlan, Secret, Transport};
use std::{
    io::{self, Write},
    net::{Ipv4Addr, Shutdown, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// A server that says the same to whoever comes, whatever they ask, and hangs up.
pub struct Server {
    plan: AccountPlan,
    place: Place,
    reading: Reading,
    script: Arc<Mutex<Vec<u8>>>,
    /// Whoever talks to it.
    busy: Mutex<()>,
}

impl Server {
    /// Begins to listen.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let script: Arc<Mutex<Vec<u8>>> = Arc::default();
        let said = Arc::clone(&script);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let script = held(&said).clone();
                let _ = stream.write_all(&script).and_then(|()| stream.shutdown(Shutdown::Write));
                // What was asked is read to its end, so that nothing that was said is lost.
                let _ = io::copy(&mut stream, &mut io::sink());
            }
        });
        let plan = AccountPlan {
            kind: AccountKind::Imap,
            user: "maya".into(),
            server: Some(format!("127.0.0.1:{port}")),
            transport: Transport::Plain,
            certificate: None,
            folders: Vec::new(),
            since: None,
            oauth: None,
        };
        let place = Place::of(&plan);
        // Leave lasts without the home that gave it.
        let (reading, _, _) = leave_at(place.as_str());
        Self { plan, place, reading, script, busy: Mutex::new(()) }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All that a mail server says, from its greeting on. The commands it is asked are `A0001 LOGIN`, `A0002 LIST`, and for
/// each folder `EXAMINE`, `UID SEARCH` and `UID FETCH`.
pub fn imap(room: &Room, input: &[u8]) {
    let server = room.server();
    let _alone = held(&server.busy);
    *held(&server.script) = input.to_vec();
    let mut taken = Taken::default();
    let mut key = Key::Password(Secret::new("secret".into()));
    let done = read_account(&server.reading, &server.plan, &mut key, &room.limits, &room.extractor, &mut taken);
    if let Err(why) = done {
        let why = why.to_string();
        assert!(!why.is_empty() && why.len() <= 8000, "a sentence of {} bytes", why.len());
    }
    taken.check(server.place.as_str(), &room.limits, input.len(), pieces::reach(input));
}
