//! Where requests go that the client would have sent elsewhere, had the proxy not kept it: what all
//! connections of a run remember of the fields that were rewritten.
//!
//! A session goes to the host that it was told, a path to the server that it was redirected to. All of it
//! is bounded: what was not used for longest is forgotten. Changes no head and opens no connection.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Upstream;
use super::rewrite::{HostField, Leaks};

/// So many sessions, and so many paths, are remembered.
const KEPT: usize = 4096;

/// A session of which nothing was heard for so long is over.
///
/// MC-BUP §3.2.2.1
const FORGOTTEN: Duration = Duration::from_hours(14 * 24);

/// How clients are kept with the proxy.
#[derive(Debug)]
pub struct Steering {
    pub leaks: Leaks,
    pub host: HostField,
    memory: Mutex<Memory>,
    /// Whether anything is remembered: spares the lock.
    any: AtomicBool,
    hinted: AtomicBool,
}

#[derive(Debug, Default)]
struct Memory {
    sessions: HashMap<String, Route>,
    paths: HashMap<(IpAddr, String), Route>,
}

#[derive(Debug)]
struct Route {
    to: Upstream,
    used: Instant,
    /// So long after the host could not be reached for the first time, the client returns; `None`: never.
    fallback: Option<Duration>,
    failing: Option<Instant>,
    /// Only for the Pings with which a client finds out whether the host is there.
    pings: bool,
}

/// What is asked for, as far as it says where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'w> {
    pub(super) client: IpAddr,
    /// As `header::session_key` has it.
    pub(super) session: Option<&'w str>,
    /// As `place::fold` has it.
    pub(super) path: &'w str,
    pub(super) is_ping: bool,
}

impl Steering {
    /// Makes one that remembers nothing yet.
    pub fn new(leaks: Leaks, host: HostField) -> Self {
        Self {
            leaks,
            host,
            memory: Mutex::default(),
            any: AtomicBool::new(false),
            hinted: AtomicBool::new(false),
        }
    }

    /// Tells whether there is anything to look for in heads.
    pub fn is_idle(&self) -> bool {
        self.leaks == Leaks::Pass && self.host == HostField::Keep
    }

    /// Tells whether requests may have to go elsewhere.
    pub(super) fn remembers(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Returns true once.
    pub(super) fn hints(&self) -> bool {
        !self.hinted.swap(true, Ordering::Relaxed)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that a session goes on at another host, and the Pings for its file too.
    pub(super) fn keep_session(
        &self,
        session: String,
        wanted: (IpAddr, String),
        to: &Upstream,
        fallback: Option<Duration>,
        now: Instant,
    ) {
        let route = |pings| Route {
            to: to.clone(),
            used: now,
            fallback,
            failing: None,
            pings,
        };
        let mut memory = self.memory();
        insert(&mut memory.sessions, session, route(false), now);
        insert(&mut memory.paths, wanted, route(true), now);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Remembers that a client finds a path on another server.
    pub(super) fn keep_path(&self, client: IpAddr, path: String, to: &Upstream, now: Instant) {
        let route = Route {
            to: to.clone(),
            used: now,
            fallback: None,
            failing: None,
            pings: false,
        };
        insert(&mut self.memory().paths, (client, path), route, now);
        self.any.store(true, Ordering::Relaxed);
    }

    /// A client finds a path on the upstream again.
    pub(super) fn forget_path(&self, client: IpAddr, path: &str) {
        if self.remembers() {
            self.memory().paths.remove(&(client, path.to_owned()));
        }
    }

    /// A session is over.
    pub(super) fn forget(&self, session: &str, client: IpAddr, path: &str) -> bool {
        let mut memory = self.memory();
        let key = (client, path.to_owned());
        if memory.paths.get(&key).is_some_and(|route| route.pings) {
            memory.paths.remove(&key);
        }
        memory.sessions.remove(session).is_some()
    }

    /// Says where a request goes; `None`: to the upstream.
    pub(super) fn find(&self, wanted: Wanted<'_>, now: Instant) -> Option<Upstream> {
        let mut memory = self.memory();
        let Wanted { client, path, .. } = wanted;
        if let Some(session) = wanted.session
            && let Some(to) = live(&mut memory.sessions, &session.to_owned(), now, |_| true)
        {
            return Some(to);
        }
        let fits = |route: &Route| !route.pings || wanted.is_ping;
        live(&mut memory.paths, &(client, path.to_owned()), now, fits)
    }

    /// Takes note whether a server could be reached: where the client was given a time after which it
    /// returns to its first host, it is that of this memory that runs.
    pub(super) fn dialled(&self, target: &Upstream, reached: bool, now: Instant) {
        let mut memory = self.memory();
        let Memory { sessions, paths } = &mut *memory;
        for route in sessions.values_mut().chain(paths.values_mut()) {
            if route.to == *target {
                route.failing = if reached {
                    None
                } else {
                    Some(route.failing.unwrap_or(now))
                };
            }
        }
    }
}

fn insert<K: Eq + Hash + Clone>(
    routes: &mut HashMap<K, Route>,
    key: K,
    route: Route,
    now: Instant,
) {
    if routes.len() >= KEPT && !routes.contains_key(&key) {
        routes.retain(|_, route| now.saturating_duration_since(route.used) < FORGOTTEN);
        let oldest = routes.iter().min_by_key(|(_, route)| route.used);
        if let Some(key) = oldest.map(|(key, _)| key.clone())
            && routes.len() >= KEPT
        {
            routes.remove(&key);
        }
    }
    routes.insert(key, route);
}

/// Finds a route that is still to be used, and marks it used.
fn live<K: Eq + Hash>(
    routes: &mut HashMap<K, Route>,
    key: &K,
    now: Instant,
    fits: impl FnOnce(&Route) -> bool,
) -> Option<Upstream> {
    let route = routes.get_mut(key)?;
    let since = |from: Instant| now.saturating_duration_since(from);
    let returned = route.fallback.zip(route.failing);
    if returned.is_some_and(|(after, failing)| since(failing) >= after)
        || since(route.used) >= FORGOTTEN
    {
        routes.remove(key);
        return None;
    }
    if !fits(route) {
        return None;
    }
    route.used = now;
    Some(route.to.clone())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::relay::tap;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn host(name: &str) -> Upstream {
        Upstream {
            tls: false,
            host: name.to_owned(),
            port: 80,
        }
    }

    fn found(
        steering: &Steering,
        session: Option<&str>,
        is_ping: bool,
        now: Instant,
    ) -> Option<Upstream> {
        let wanted = Wanted {
            client: CLIENT,
            session,
            path: "/f",
            is_ping,
        };
        steering.find(wanted, now)
    }

    fn told(fallback: Option<Duration>, now: Instant) -> Steering {
        let steering = Steering::new(Leaks::Rewrite, HostField::Keep);
        let wanted = (CLIENT, "/f".to_owned());
        steering.keep_session("s".to_owned(), wanted, &host("node"), fallback, now);
        steering
    }

    #[test]
    fn a_session_and_its_pings_go_to_the_host_that_was_told() {
        let now = tap::now();
        let steering = told(None, now);
        assert_eq!(found(&steering, Some("s"), false, now), Some(host("node")));
        assert_eq!(found(&steering, None, true, now), Some(host("node")));
        assert_eq!(found(&steering, None, false, now), None, "Create-Session");
        assert_eq!(found(&steering, Some("t"), false, now), None);
        assert!(steering.forget("s", CLIENT, "/f"));
        assert_eq!(found(&steering, Some("s"), true, now), None);
    }

    #[test]
    fn after_the_fallback_time_the_client_is_back_at_its_first_host() {
        let now = tap::now();
        let second = Duration::from_secs(1);
        let steering = told(Some(second * 10), now);
        let target = found(&steering, Some("s"), false, now).unwrap();
        steering.dialled(&target, false, now);
        steering.dialled(&target, false, now + second * 5);
        assert!(found(&steering, Some("s"), false, now + second * 9).is_some());
        steering.dialled(&target, true, now + second * 9);
        assert!(found(&steering, Some("s"), false, now + second * 11).is_some());
        steering.dialled(&target, false, now + second * 12);
        assert_eq!(found(&steering, Some("s"), false, now + second * 22), None);
        assert_eq!(found(&steering, None, true, now + second * 22), None);
    }

    #[test]
    fn without_a_fallback_time_it_never_returns_but_is_forgotten_after_14_days() {
        let now = tap::now();
        let steering = told(None, now);
        let target = found(&steering, Some("s"), false, now).unwrap();
        steering.dialled(&target, false, now);
        let day = Duration::from_hours(24);
        assert!(found(&steering, Some("s"), false, now + day * 13).is_some());
        assert!(found(&steering, Some("s"), false, now + day * 26).is_some());
        assert_eq!(found(&steering, Some("s"), false, now + day * 40), None);
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let now = tap::now();
        let steering = told(None, now);
        for n in 0..KEPT {
            let later = now + Duration::from_millis(1);
            steering.keep_path(CLIENT, format!("/{n}"), &host("cdn"), later);
        }
        let memory = steering.memory();
        assert_eq!(memory.paths.len(), KEPT);
        assert!(!memory.paths.contains_key(&(CLIENT, "/f".to_owned())));
    }
}
