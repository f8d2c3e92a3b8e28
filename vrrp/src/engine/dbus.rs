//! What the process offers on D-Bus: an object for itself, and one for each instance. They are looked up among what is there
//! when somebody asks, so nothing is kept for D-Bus but calls that wait for an answer.

mod interfaces;
mod paths;

use std::time::Instant;

use log::{error, info, warn};
use runtime::bus::{Answer, Client, Failure, Interface, Objects, Served, Ticket, Value};
use runtime::child::ToParent;
use runtime::dump::Dumping;

use self::interfaces::{INSTANCE, VRRP};
use self::paths::{Object, Paths};
use super::instance::Instance;
use super::notify::News;
use super::report::Dump;
use super::{Engine, Source, Timer};
use crate::config::InstanceId;
use crate::config::instance::Deleted;
use crate::fsm::State;

/// So many calls wait for an answer at once.
const WAITING: usize = 64;

/// The service on the bus, and those who wait for it.
#[derive(Debug, Default)]
pub(super) struct Service {
    client: Option<Client>,
    /// The name that it was started with.
    name: String,
    /// Who wants to know that something is written which is not begun yet.
    asked: Vec<(Dump, Ticket)>,
    /// Who waits for what is being written.
    awaited: Vec<Ticket>,
    /// Who is to be told that it is written.
    answered: Vec<Ticket>,
}

impl Service {
    /// `dump` is being written from now on.
    pub(super) fn begun(&mut self, dump: Dump) {
        let (begun, asked): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.asked).into_iter().partition(|(wanted, _)| *wanted == dump);
        self.asked = asked;
        self.awaited.extend(begun.into_iter().map(|(_, ticket)| ticket));
    }

    /// Answers, unless the client is at work just now.
    fn answer(&mut self) {
        if let Some(client) = &mut self.client {
            for ticket in self.answered.drain(..) {
                client.answer(&ticket, &Ok(Vec::new()));
            }
        }
    }
}

impl Engine {
    /// Starts the service, ends it, or starts it anew, as the configuration wants. It goes on where nothing has changed.
    pub(super) fn offer_service(&mut self, now: Instant) {
        let wanted = &self.global.dbus;
        if !wanted.enabled || self.service.name != wanted.service_name {
            self.stop_service();
        }
        let wanted = &self.global.dbus;
        if !wanted.enabled || self.service.client.is_some() {
            return;
        }
        self.service.name.clone_from(&wanted.service_name);
        match Client::new(wanted.service_name.clone(), now) {
            Ok(client) => self.service.client = Some(client),
            Err(error) => warn!("D-Bus: {error}"),
        }
        self.serve_bus(now);
    }

    /// Does what there is to do for the bus.
    pub(super) fn serve_bus(&mut self, now: Instant) {
        let Some(mut client) = self.service.client.take() else { return };
        let served = client.serve(self, now);
        client.attend(Source::Bus, Timer::Bus, &mut self.reactor);
        self.service.client = Some(client);
        if served == Served::Appeared {
            self.introduce();
        }
        if !self.service.answered.is_empty() {
            self.service.answer();
            self.reactor.again(Source::Bus);
        }
    }

    /// Sends what is to be said at the end of a turn.
    pub(super) fn send_signals(&mut self, now: Instant) {
        if self.service.client.as_ref().is_some_and(Client::has_news) {
            self.serve_bus(now);
        }
    }

    /// Leaves the bus.
    pub(super) fn stop_service(&mut self) {
        self.signal("VrrpStopped");
        if let Some(client) = self.service.client.take() {
            client.close(Timer::Bus, &mut self.reactor);
            info!("Released DBus");
        }
        self.service = Service::default();
    }

    /// Tells those who listen that we are there, and what the states are.
    fn introduce(&mut self) {
        if self.instances.iter().next().is_none() {
            return;
        }
        self.signal("VrrpStarted");
        for id in self.instances.keys() {
            let Some(instance) = self.instances.get(id) else { continue };
            let state = instance.router.state();
            self.signal_state(id, News::Entered(state));
        }
        // They may be born after all else of this turn is sent.
        self.reactor.again(Source::Bus);
    }

    /// Tells those who listen that the configuration was read again.
    pub(super) fn signal_reload(&mut self) {
        self.signal("VrrpReloaded");
    }

    fn signal(&mut self, member: &str) {
        let path = Paths::of(&self.global).vrrp();
        if let Some(client) = &mut self.service.client {
            client.signal(&path, VRRP.name, member, &[]);
        }
    }

    /// Tells those who listen what an instance has become.
    pub(super) fn signal_state(&mut self, id: InstanceId, news: News) {
        let Some(client) = self.service.client.as_mut().filter(|client| client.is_named()) else {
            return;
        };
        let Some(instance) = self.instances.get(id) else { return };
        let (number, word) = match news {
            News::Entered(state) => state_of(state),
            News::Stopped => (98, "Stop"),
            News::Deleted if instance.config.notify.deleted == Deleted::AsFault => {
                state_of(State::Fault)
            }
            News::Deleted => (97, "Deleted"),
            News::LowerPriority => return,
        };
        let path = Paths::of(&self.global).instance(&instance.config);
        client.signal(&path, INSTANCE.name, "VrrpStatusChange", &[Value::Number(number)]);
        signal_change(client, &path, "State", state_value(number, word));
    }

    /// Tells those who listen that an instance is called otherwise than before.
    pub(super) fn signal_name(&mut self, id: InstanceId) {
        let Some(client) = self.service.client.as_mut().filter(|client| client.is_named()) else {
            return;
        };
        let Some(instance) = self.instances.get(id) else { return };
        let path = Paths::of(&self.global).instance(&instance.config);
        signal_change(client, &path, "Name", name_value(instance.name()));
    }

    /// A reload has removed an instance, and its object with it.
    pub(super) fn log_lost_object(&self, id: InstanceId) {
        if self.service.client.as_ref().is_some_and(Client::is_named) {
            if let Some(instance) = self.instances.get(id) {
                info!("Deleted DBus object for instance {}", instance.name());
            }
        }
    }

    /// Answers those who wait for what was being written.
    pub(super) fn answer_dump(&mut self) {
        self.service.answered.append(&mut self.service.awaited);
        self.service.answer();
    }

    fn instance_at(&self, path: &str) -> Option<(InstanceId, &Instance)> {
        let paths = Paths::of(&self.global);
        let object = paths.find(path)?;
        let with_id = self.instances.keys().filter_map(|id| Some((id, self.instances.get(id)?)));
        with_id.into_iter().find(|(_, instance)| paths.leads_to(&object, &instance.config))
    }

    /// Writes something, and answers when it is written.
    fn print(&mut self, dump: Dump, ticket: Ticket) -> Answer {
        if self.service.asked.len() >= WAITING {
            return Answer::Failed(Failure::overloaded());
        }
        match dump {
            Dump::State => info!("Printing VRRP data on DBus request"),
            Dump::Statistics { clear: false } => info!("Printing VRRP stats on DBus request"),
            Dump::Statistics { clear: true } => {
                info!("Printing and clearing VRRP stats on DBus request");
            }
            Dump::Json => {}
        }
        self.service.asked.push((dump, ticket));
        self.dump(dump);
        Answer::Later
    }

    fn ask_for_reload(&self) -> Answer {
        match self.lead.tell(ToParent::Reload) {
            Ok(()) => Answer::Done,
            Err(error) => {
                error!("cannot tell the parent to reload: {error}");
                let name = "org.freedesktop.DBus.Error.Failed";
                Answer::Failed(Failure { name, text: error.to_string() })
            }
        }
    }

    /// Announces the addresses of a master once more.
    fn send_announcements(&mut self, path: &str) -> Answer {
        let now = Instant::now();
        let Some((id, instance)) = self.instance_at(path) else { return Answer::Done };
        info!("Sending garps on {} on DBus request", instance.name());
        if !instance.holds {
            return Answer::Done;
        }
        for target in self.targets(instance) {
            self.announcer.once(id, target, now);
        }
        // They leave at the end of a turn.
        self.reactor.again(Source::Bus);
        Answer::Done
    }
}

impl Objects for Engine {
    fn interface(&self, path: &str) -> Option<&'static Interface> {
        match Paths::of(&self.global).find(path)? {
            Object::Vrrp => Some(&VRRP),
            Object::Instance { .. } => self.instance_at(path).map(|_| &INSTANCE),
        }
    }

    fn paths(&self) -> Vec<String> {
        let paths = Paths::of(&self.global);
        let instances = self.instances.iter().map(|instance| paths.instance(&instance.config));
        std::iter::once(paths.vrrp()).chain(instances).collect()
    }

    fn property(&self, path: &str, name: &str) -> Option<Value> {
        let (_, instance) = self.instance_at(path)?;
        match name {
            "Name" => Some(name_value(instance.name())),
            "State" => {
                let (number, word) = state_of(instance.router.state());
                Some(state_value(number, word))
            }
            _ => None,
        }
    }

    fn call(&mut self, path: &str, method: &str, ticket: Ticket) -> Answer {
        match method {
            "PrintData" => self.print(Dump::State, ticket),
            "PrintStats" => self.print(Dump::Statistics { clear: false }, ticket),
            "PrintStatsClear" => self.print(Dump::Statistics { clear: true }, ticket),
            "ReloadConfig" => self.ask_for_reload(),
            _ => self.send_announcements(path),
        }
    }
}

/// Tells those who keep properties that one has changed.
fn signal_change(client: &mut Client, path: &str, property: &'static str, value: Value) {
    let changed = Value::Named(vec![(property, value)]);
    let arguments = [Value::text(INSTANCE.name), changed, Value::Texts(Vec::new())];
    client.signal(path, "org.freedesktop.DBus.Properties", "PropertiesChanged", &arguments);
}

fn name_value(name: &str) -> Value {
    Value::Struct(vec![Value::text(name)])
}

/// How a state is called here.
fn state_of(state: State) -> (u32, &'static str) {
    let word = match state {
        State::Init => "Init",
        State::Backup => "Backup",
        State::Master => "Master",
        State::Fault => "Fault",
    };
    (state.number().into(), word)
}

fn state_value(number: u32, word: &str) -> Value {
    Value::Struct(vec![Value::Number(number), Value::text(word)])
}
