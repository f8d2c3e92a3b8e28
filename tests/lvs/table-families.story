# A group of both families, served through tunnels.

-- config main
virtual_server_group GM {
  10.3.0.1 80
  fd00:3::1-3 80
  fd00:3::10/126 81
  fwmark 200 inet
  fwmark 201 inet6
}
virtual_server group GM {
  lvs_sched rr
  lvs_method TUN
  protocol TCP
  real_server 192.168.50.2 {
  }
  real_server fd00:50::3 80 {
  }
}

-- events
start
stop
