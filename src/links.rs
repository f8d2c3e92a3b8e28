//! What joins the children with each other and with the kernel: made once, so that it outlives each of them.

use std::io;
use std::os::fd::OwnedFd;

use log::debug;
use runtime::bfd_event::{self, Trackers};
use runtime::child::Links;
use runtime::process_events;

use crate::child::Kind;

/// All links. Of each end every child of its kind is given a copy.
#[derive(Debug)]
pub(crate) struct Joints {
    process_events: Option<OwnedFd>,
    bfd_to_vrrp: (OwnedFd, OwnedFd),
    bfd_to_checker: (OwnedFd, OwnedFd),
}

impl Joints {
    /// Makes them. Process events are heard in the first network namespace only: this must happen before the daemon
    /// goes into another one.
    pub(crate) fn new() -> io::Result<Self> {
        let process_events = process_events::open();
        Ok(Self {
            process_events: process_events
                .inspect_err(|error| debug!("no process events: {error}"))
                .ok(),
            bfd_to_vrrp: bfd_event::channel()?,
            bfd_to_checker: bfd_event::channel()?,
        })
    }

    /// What a new child of this kind is given.
    pub(crate) fn of(&self, kind: Kind) -> io::Result<Links> {
        let (to_vrrp, vrrp) = &self.bfd_to_vrrp;
        let (to_checker, checker) = &self.bfd_to_checker;
        Ok(match kind {
            Kind::Vrrp => Links {
                process_events: self.process_events.as_ref().map(OwnedFd::try_clone).transpose()?,
                bfd_events: Some(vrrp.try_clone()?),
                ..Links::default()
            },
            Kind::Checker => Links { bfd_events: Some(checker.try_clone()?), ..Links::default() },
            Kind::Bfd => Links {
                bfd_trackers: Trackers {
                    vrrp: Some(to_vrrp.try_clone()?),
                    checker: Some(to_checker.try_clone()?),
                },
                ..Links::default()
            },
        })
    }
}
