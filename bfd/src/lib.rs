//! Bidirectional Forwarding Detection sessions.
