//! The VRRP engine: elections, virtual addresses, announcements.
