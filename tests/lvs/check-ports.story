# What a server without a port is asked for, and what connect_port, connect_ip and bindto make of it.
# C asks port 0 where the real server has none; we ask the port of the virtual server.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  real_server 192.168.50.2 {
    TCP_CHECK {
      retry 0
    }
  }
}
virtual_server 10.0.0.2 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  real_server 192.168.50.3 80 {
    TCP_CHECK {
      retry 0
      connect_ip 192.168.50.4
      connect_port 81
      bindto 192.168.50.5
    }
  }
}

-- events
serve 192.168.50.2:80 accept
* start
serve 192.168.50.4:81 accept
stop
