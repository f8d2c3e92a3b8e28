# Schedulers and their flags, one-packet scheduling, persistence, protocols, ports and weights at their ends.

-- config main
virtual_server 10.0.0.2 53 {
  lvs_method DR
  protocol UDP
  ops
  persistence_timeout 120
  persistence_granularity 255.255.255.0
  real_server 192.168.50.2 5353 {
  }
  real_server 192.168.50.3 {
    weight 0
  }
  real_server 192.168.50.4 53 {
    lvs_method NAT
  }
}
virtual_server 10.0.0.2 81 {
  sh-port
  lvs_sched sh
  sh-port
  sh-fallback
  lvs_method DR
  protocol TCP
  real_server 192.168.50.2 81 {
    weight 2147483647
  }
  real_server 192.168.50.3 81 {
    weight 70000
  }
}
virtual_server 10.0.0.2 82 {
  lvs_sched mh
  mh-port
  mh-fallback
  ops
  protocol TCP
  real_server 192.168.50.2 {
  }
}
virtual_server 10.0.0.2 {
  lvs_sched rr
  flag-1
  flag-3
  real_server 192.168.50.2 {
  }
}
virtual_server 10.0.0.3 36412 {
  lvs_sched wlc
  protocol SCTP
  real_server 192.168.50.2 36412 {
  }
}
virtual_server 10.0.0.4 5060 {
  lvs_sched rr
  persistence_engine sip
  persistence_timeout
  protocol UDP
  real_server 192.168.50.2 5060 {
  }
}

-- events
start
stop
