# A reload gives a failed server another check, and with that another chance: the sorry server gives back.
# C leaves the sorry server in the table beside the real server.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  delay_loop 30
  warmup 0
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    TCP_CHECK {
      retry 0
      connect_timeout 2
    }
  }
}

-- config other
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  delay_loop 30
  warmup 0
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    TCP_CHECK {
      retry 0
      connect_timeout 3
    }
  }
}

-- events
* start
serve 192.168.50.2:80 accept
* reload other
stop
