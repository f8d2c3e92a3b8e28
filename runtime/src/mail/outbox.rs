//! The alerts of a process: where they go, and their conversations in its event loop.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

use log::error;

use super::{Alert, Envelope, MailId, Mailer, Standing};
use crate::audience::{Due, Member};
use crate::global::Global;
use crate::reactor::{Reactor, Readiness, Registration};

/// Mails on their way, and where they go.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// `None` when no mail is sent.
    envelope: Option<Envelope>,
    mailer: Mailer,
    registrations: HashMap<MailId, Registration>,
}

impl Outbox {
    /// Sends later mails to where the configuration wants them. Those on their way go on.
    pub(crate) fn address(&mut self, global: &Global) {
        self.envelope = Envelope::new(&global.mail);
    }

    /// Has an alert sent, where mails are sent at all.
    pub(crate) fn post(&mut self, alert: Alert) {
        if let Some(envelope) = &self.envelope {
            self.mailer.post(envelope, alert);
        }
    }

    /// Begins the conversations that may begin.
    pub(crate) fn flush<S, T>(&mut self, reactor: &mut Reactor<S, T>, now: Instant)
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash + From<Due>,
    {
        while let Some(id) = self.mailer.start(now) {
            let descriptor = self.mailer.descriptor(id);
            let registered = descriptor.map(|socket| {
                reactor.register(&socket, S::from(Member::Mail(id)), Readiness::Both)
            });
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
    pub(crate) fn serve<S, T>(&mut self, id: MailId, reactor: &mut Reactor<S, T>, now: Instant)
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash + From<Due>,
    {
        match self.mailer.serve(id, now) {
            Standing::Until(deadline) => reactor.arm(T::from(Due::Mail(id)), deadline),
            Standing::Over => {
                reactor.disarm(T::from(Due::Mail(id)));
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

    /// Something may have happened on any of them.
    pub(crate) fn serve_all<S, T>(&mut self, reactor: &mut Reactor<S, T>, now: Instant)
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash + From<Due>,
    {
        let all: Vec<MailId> = self.registrations.keys().copied().collect();
        all.into_iter().for_each(|id| self.serve(id, reactor, now));
    }

    /// Whether all has been sent.
    pub(crate) fn is_idle(&self) -> bool {
        self.mailer.is_idle()
    }
}
