# The address of the virtual server is there from the start, and another one is not: what is there is told of.

-- config main
virtual_server 192.168.50.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  ha_suspend
  real_server 192.168.50.2 80 {
    TCP_CHECK {
      retry 0
    }
  }
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  ha_suspend
  real_server 192.168.50.3 80 {
    TCP_CHECK {
      retry 0
    }
  }
}

-- config other
virtual_server 192.168.50.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  ha_suspend
  real_server 192.168.50.2 80 {
    weight 3
    TCP_CHECK {
      retry 0
    }
  }
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  ha_suspend
  real_server 192.168.50.3 80 {
    TCP_CHECK {
      retry 0
    }
  }
}

-- events
serve 192.168.50.2:80 accept
* start
* reload other
stop
