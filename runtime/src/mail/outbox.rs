//! The alerts of a process: where they go, and their conversations in its event loop.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

use log::error;

use super::{Alert, Envelope, MailId, Mailer, Standing};
use crate::global::Global;
use crate::reactor::{Reactor, Readiness, Registration};

/// Mails on their way, and where they go.
#[derive(Debug, Default)]
pub struct Outbox {
    /// `None` when no mail is sent.
    envelope: Option<Envelope>,
    mailer: Mailer,
    registrations: HashMap<MailId, Registration>,
}

impl Outbox {
    /// Sends later mails to where the configuration wants them. Those on their way go on.
    pub fn address(&mut self, global: &Global) {
        self.envelope = Envelope::new(&global.mail);
    }

    /// Has an alert sent, where mails are sent at all.
    pub fn post(&mut self, alert: Alert) {
        if let Some(envelope) = &self.envelope {
            self.mailer.post(envelope, alert);
        }
    }

    /// Begins the conversations that may begin.
    pub fn flush<S, T>(&mut self, reactor: &mut Reactor<S, T>, now: Instant)
    where
        S: Copy + From<MailId>,
        T: Copy + Eq + Hash + From<MailId>,
    {
        while let Some(id) = self.mailer.start(now) {
            let descriptor = self.mailer.descriptor(id);
            let registered =
                descriptor.map(|socket| reactor.register(&socket, S::from(id), Readiness::Both));
            match registered {
                Some(Ok(registration)) => {
                    self.registrations.insert(id, registration);
                    self.serve(id, reactor, now);
                }
                Some(Err(error)) => {
                    error!("cannot watch the connection to the mail server: {error}");
                    self.mailer.forget(id);
                }
                None => {}
            }
        }
    }

    /// Something has happened on a conversation, or it is due.
    pub fn serve<S, T>(&mut self, id: MailId, reactor: &mut Reactor<S, T>, now: Instant)
    where
        S: Copy + From<MailId>,
        T: Copy + Eq + Hash + From<MailId>,
    {
        match self.mailer.serve(id, now) {
            Standing::Until(deadline) => reactor.arm(T::from(id), deadline),
            Standing::Over => {
                reactor.disarm(T::from(id));
                let registration = self.registrations.remove(&id);
                if let (Some(socket), Some(registration)) =
                    (self.mailer.descriptor(id), registration)
                {
                    if let Err(error) = reactor.deregister(&socket, registration) {
                        error!("cannot forget the connection to the mail server: {error}");
                    }
                }
                self.mailer.forget(id);
            }
        }
    }

    /// Whether all has been sent.
    pub fn is_idle(&self) -> bool {
        self.mailer.is_idle()
    }
}
