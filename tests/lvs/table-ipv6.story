# IPv6, with a tunnel over IPv4, and a server whose family does not fit.

-- config main
virtual_server fd00:1::1 80 {
  lvs_sched wlc
  lvs_method NAT
  protocol TCP
  persistence_timeout 600
  persistence_granularity 64
  real_server fd00:50::2 8080 {
  }
  real_server fd00:50::3 8080 {
    weight 7
  }
  real_server fd00:50::4 80 {
    lvs_method DR
  }
  real_server 192.168.50.2 80 {
    lvs_method TUN
  }
  real_server 192.168.50.3 80 {
    lvs_method DR
  }
  sorry_server fd00:50::99 80
}

-- events
start
stop
