//! Services against a kernel that is made up, and that others meddle with.

use std::collections::BTreeMap;

use ipvs_sys::{Flags, Forwarding};
use proptest::prelude::*;

use super::*;

/// What a kernel does of all this.
#[derive(Clone, Debug, Default)]
struct Kernel {
    services: BTreeMap<Key, (Service, BTreeMap<ServerKey, Destination>)>,
    /// Schedulers that it does not have.
    missing: Vec<String>,
    asked: usize,
}

impl Kernel {
    fn answer(&mut self, request: &Request) -> Result<(), Errno> {
        self.asked += 1;
        let lacks = |service: &Service| self.missing.contains(&service.scheduler);
        match request {
            Request::AddService(service) if self.services.contains_key(&service.key) => {
                Err(Errno::EEXIST)
            }
            Request::AddService(service) | Request::SetService(service) if lacks(service) => {
                Err(Errno::ENOENT)
            }
            Request::AddService(service) => {
                self.services.insert(service.key, (service.clone(), BTreeMap::new()));
                Ok(())
            }
            Request::SetService(service) => {
                let (known, _) = self.services.get_mut(&service.key).ok_or(Errno::ESRCH)?;
                *known = service.clone();
                Ok(())
            }
            Request::RemoveService(key) => {
                self.services.remove(key).map(|_| ()).ok_or(Errno::ESRCH)
            }
            Request::AddDestination(key, server) => {
                let (_, servers) = self.services.get_mut(key).ok_or(Errno::ESRCH)?;
                match servers.insert(server_key(server), server.clone()) {
                    Some(before) => {
                        servers.insert(server_key(server), before);
                        Err(Errno::EEXIST)
                    }
                    None => Ok(()),
                }
            }
            Request::SetDestination(key, server) => {
                let (_, servers) = self.services.get_mut(key).ok_or(Errno::ESRCH)?;
                let known = servers.get_mut(&server_key(server)).ok_or(Errno::ENOENT)?;
                *known = server.clone();
                Ok(())
            }
            Request::RemoveDestination(key, server) => {
                let (_, servers) = self.services.get_mut(key).ok_or(Errno::ESRCH)?;
                servers.remove(&server_key(server)).map(|_| ()).ok_or(Errno::ENOENT)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn there(&self, key: Key) -> There {
        match self.services.get(&key) {
            None => There::Nothing,
            Some((service, servers)) => There::This(Wanted {
                service: Rc::new(service.clone()),
                destinations: servers.values().cloned().collect(),
            }),
        }
    }

    /// The weight of all servers.
    fn power(&self, key: Key) -> u64 {
        let servers = self.services.get(&key).map(|(_, servers)| servers);
        servers.into_iter().flat_map(|servers| servers.values()).map(|s| u64::from(s.weight)).sum()
    }
}

/// Has the kernel do what the entry needs. Returns the least power that there was on the way.
fn settle(entry: &mut Entry, kernel: &mut Kernel) -> u64 {
    let mut least = kernel.power(KEY);
    for _ in 0..3 {
        if entry.there == There::Unknown {
            entry.there = kernel.there(KEY);
        }
        let mut requests = Vec::new();
        entry.plan(KEY, &mut requests);
        let mut answers = Vec::new();
        for request in &requests {
            answers.push(kernel.answer(request));
            least = least.min(kernel.power(KEY));
        }
        entry.absorb(&requests, &answers);
        if entry.there != There::Unknown {
            break;
        }
    }
    least
}

const KEY: Key = Key::Mark { mark: 1, ipv6: false };

fn service(scheduler: &str) -> Service {
    Service {
        key: KEY,
        scheduler: scheduler.into(),
        flags: Flags::default(),
        persistence: None,
        engine: None,
    }
}

fn server(number: u8, weight: u32) -> Destination {
    Destination {
        address: [192, 168, 50, number].into(),
        port: 80,
        forwarding: Forwarding::Masquerade,
        weight,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn wanted(scheduler: &str, servers: &[(u8, u32)]) -> Wanted {
    let destinations = servers.iter().map(|&(number, weight)| server(number, weight)).collect();
    Wanted { service: Rc::new(service(scheduler)), destinations }
}

fn entry(wanted: Wanted) -> Entry {
    let mut entry = Entry::new(There::Unknown);
    entry.claim(PoolId(0), wanted);
    entry
}

#[test]
fn what_is_right_already_is_not_touched() {
    let mut kernel = Kernel::default();
    settle(&mut entry(wanted("rr", &[(2, 1), (3, 1)])), &mut kernel);
    assert_eq!(kernel.asked, 3);
    let mut successor = entry(wanted("rr", &[(3, 1), (2, 1)]));
    settle(&mut successor, &mut kernel);
    assert_eq!(kernel.asked, 3, "in whatever order");
    assert!(successor.is_settled());
    // What is wrong is corrected, what is too much goes.
    settle(&mut entry(wanted("wrr", &[(3, 5)])), &mut kernel);
    assert_eq!(kernel.asked, 6);
    assert_eq!(kernel.there(KEY), There::This(wanted("wrr", &[(3, 5)])));
}

#[test]
fn a_service_that_is_refused_is_tried_again() {
    let mut kernel = Kernel { missing: vec!["mh".into()], ..Kernel::default() };
    let mut entry = entry(wanted("mh", &[(2, 1)]));
    settle(&mut entry, &mut kernel);
    let line = "IPVS cmd IP_VS_SO_SET_ADD(1154) error: Scheduler or persistence engine not found(2) (Fwm 1)";
    assert_eq!(entry.refused, [line], "its servers are not worth a line");
    assert!(!entry.is_settled());
    kernel.missing.clear();
    settle(&mut entry, &mut kernel);
    assert!(entry.is_settled() && !entry.is_refused());
    // A change that is refused leaves the service as it is, with its servers changed.
    kernel.missing.push("sh".into());
    entry.claim(PoolId(0), wanted("sh", &[(2, 1), (3, 1)]));
    settle(&mut entry, &mut kernel);
    assert_eq!(kernel.there(KEY), There::This(wanted("mh", &[(2, 1), (3, 1)])));
    assert!(entry.is_refused());
}

#[test]
fn what_several_virtual_servers_share_stays_while_one_needs_it() {
    let mut kernel = Kernel::default();
    let mut entry = entry(wanted("rr", &[(2, 1)]));
    entry.claim(PoolId(1), wanted("wrr", &[(2, 1), (3, 1)]));
    settle(&mut entry, &mut kernel);
    assert_eq!(kernel.there(KEY), There::This(wanted("rr", &[(2, 1), (3, 1)])));
    entry.abandon();
    entry.claim(PoolId(0), wanted("wrr", &[(3, 1)]));
    settle(&mut entry, &mut kernel);
    assert_eq!(kernel.there(KEY), There::This(wanted("wrr", &[(3, 1)])));
    entry.abandon();
    settle(&mut entry, &mut kernel);
    assert!(entry.is_over() && kernel.services.is_empty());
}

fn servers() -> impl Strategy<Value = BTreeMap<u8, u32>> {
    prop::collection::btree_map(0_u8..5, 0_u32..3, 0..5)
}

/// What somebody else does to our service.
#[derive(Clone, Debug)]
enum Meddling {
    Remove,
    Replace(BTreeMap<u8, u32>),
    RemoveServers,
}

fn meddling() -> impl Strategy<Value = Option<Meddling>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Meddling::Remove)),
        1 => Just(Some(Meddling::RemoveServers)),
        1 => servers().prop_map(|servers| Some(Meddling::Replace(servers))),
    ]
}

proptest! {
    /// Whatever is wanted, one thing after the other, and whatever others do in between without our knowing: the kernel
    /// has what is wanted in the end, and where nobody meddles there is always somebody to do the work.
    #[test]
    fn the_kernel_gets_there(
        steps in prop::collection::vec((prop::option::weighted(0.9, (any::<bool>(), servers())), meddling()), 1..12)
    ) {
        let mut kernel = Kernel::default();
        let mut entry = Entry::new(There::Unknown);
        for (step, meddling) in steps {
            let was_unharmed = meddling.is_none();
            match meddling {
                None => {}
                Some(Meddling::Remove) => { kernel.services.remove(&KEY); }
                Some(Meddling::RemoveServers) => {
                    if let Some((_, servers)) = kernel.services.get_mut(&KEY) {
                        servers.clear();
                    }
                }
                Some(Meddling::Replace(servers)) => {
                    let servers = servers.iter().map(|(&number, &weight)| server(number, weight));
                    let servers = servers.map(|server| (server_key(&server), server)).collect();
                    kernel.services.insert(KEY, (service("lc"), servers));
                }
            }
            entry.abandon();
            let expected = step.map(|(is_weighted, servers)| {
                let servers: Vec<(u8, u32)> = servers.into_iter().collect();
                wanted(if is_weighted { "wrr" } else { "rr" }, &servers)
            });
            if let Some(wanted) = &expected {
                entry.claim(PoolId(0), wanted.clone());
            }
            let before = kernel.power(KEY);
            let least = settle(&mut entry, &mut kernel);
            if !was_unharmed {
                // What was changed and not stumbled upon is found by looking.
                entry.there = There::Unknown;
                settle(&mut entry, &mut kernel);
            } else if expected.is_some() && before > 0 && kernel.power(KEY) > 0 {
                prop_assert!(least > 0);
            }
            prop_assert_eq!(kernel.there(KEY), expected.map_or(There::Nothing, There::This));
            prop_assert!(entry.is_settled());
        }
    }
}
