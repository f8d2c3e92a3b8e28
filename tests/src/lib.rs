//! The lab: network namespaces, peers, captures; simulations, conformance, benches and fuzzing.
