//! Mails about the states of instances and groups.

use runtime::global::Mail;
use runtime::mail::Alert;

use super::Engine;
use super::notify::News;
use crate::config::instance::{Deleted, Notify};
use crate::config::{GroupId, InstanceId};
use crate::fsm::State;

impl Engine {
    /// Mails that there is news of an instance, unless its last mail said the same.
    pub(super) fn mail_instance(&mut self, id: InstanceId, news: News) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let config = &instance.config;
        let news = as_mailed(news, &config.notify);
        if !config.smtp_alert || instance.mailed == Some(news) {
            return;
        }
        let Some((event, body)) = about_instance(news, &self.global.mail) else { return };
        instance.mailed = Some(news);
        let about = format!("VRRP Instance {}", config.name);
        self.audience.mail(Alert { about, event, body: body.to_owned() });
    }

    /// Mails that there is news of a group, unless its last mail said the same.
    pub(super) fn mail_group(&mut self, id: GroupId, news: News) {
        let Some(running) = self.groups.get_mut(id) else { return };
        let config = &running.config;
        if !config.smtp_alert || running.mailed == Some(news) {
            return;
        }
        let Some((event, body)) = about_group(news, &self.global.mail) else { return };
        running.mailed = Some(news);
        let about = format!("VRRP Group {}", config.name);
        self.audience.mail(Alert { about, event, body: body.to_owned() });
    }
}

/// A deletion that nobody asked to hear about looks like a fault.
fn as_mailed(news: News, notify: &Notify) -> News {
    match (news, &notify.deleted) {
        (News::Deleted, Deleted::AsFault) => News::Entered(State::Fault),
        _ => news,
    }
}

/// Event and body of a mail about an instance; `None` where there is none.
fn about_instance(news: News, settings: &Mail) -> Option<(&'static str, &'static str)> {
    let lost = "=> VRRP Instance is no longer owning VRRP VIPs <=";
    Some(match news {
        News::Entered(State::Master) => {
            (entering(State::Master)?, "=> VRRP Instance is now owning VRRP VIPs <=")
        }
        News::Entered(State::Fault) if settings.no_faults => return None,
        News::Entered(state) => (entering(state)?, lost),
        News::Stopped => ("Stopping", "=> VRRP Instance stopping <="),
        News::Deleted => ("Deleted", "=> VRRP Deleted at reload <="),
        News::LowerPriority => return None,
    })
}

/// Event and body of a mail about a group; `None` where there is none.
fn about_group(news: News, settings: &Mail) -> Option<(&'static str, &'static str)> {
    let body = match news {
        News::Entered(State::Master) => "=> All VRRP group instances are now in MASTER state <=",
        News::Entered(State::Backup) => "=> All VRRP group instances are now in BACKUP state <=",
        News::Entered(State::Fault) if settings.no_faults => return None,
        News::Entered(State::Fault) => "=> All VRRP group instances are now in FAULT state <=",
        News::Stopped => {
            return Some(("Stopping", "=> All VRRP group instances are now stopping <="));
        }
        News::Entered(State::Init) | News::Deleted | News::LowerPriority => return None,
    };
    let News::Entered(state) = news else { return None };
    Some((entering(state)?, body))
}

fn entering(state: State) -> Option<&'static str> {
    match state {
        State::Master => Some("Entering MASTER state"),
        State::Backup => Some("Entering BACKUP state"),
        State::Fault => Some("Entering FAULT state"),
        State::Init => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_not_mailed_where_nobody_wants_them() {
        let settings = Mail { no_faults: true, ..Mail::default() };
        let fault = News::Entered(State::Fault);
        assert_eq!(about_instance(fault, &settings), None);
        assert_eq!(about_group(fault, &settings), None);
        assert!(about_instance(fault, &Mail::default()).is_some());
        assert!(about_group(fault, &Mail::default()).is_some());
        let deleted = as_mailed(News::Deleted, &Notify::default());
        assert_eq!(about_instance(deleted, &settings), None);
    }

    #[test]
    fn every_state_has_its_words() {
        let settings = Mail::default();
        for state in [State::Master, State::Backup, State::Fault] {
            let event = format!("Entering {} state", state.name());
            let news = News::Entered(state);
            assert_eq!(about_instance(news, &settings).unwrap().0, event);
            let (about, body) = about_group(news, &settings).unwrap();
            assert_eq!(about, event);
            assert!(body.contains(&format!("in {} state", state.name())));
        }
        assert_eq!(about_instance(News::Stopped, &settings).unwrap().0, "Stopping");
        assert_eq!(about_instance(News::Deleted, &settings).unwrap().0, "Deleted");
        assert_eq!(about_group(News::Stopped, &settings).unwrap().0, "Stopping");
        assert_eq!(about_instance(News::LowerPriority, &settings), None);
        assert_eq!(about_group(News::Deleted, &settings), None);
    }
}
