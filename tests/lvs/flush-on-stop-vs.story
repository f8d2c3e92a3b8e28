# Services go with their servers at the end.

-- config main
global_defs {
  lvs_flush_on_stop VS
}
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 10
  }
  real_server 192.168.50.3 80 {
    weight 20
  }
}
virtual_server_group G {
  10.0.1.1-2 80
  fwmark 9
}
virtual_server group G {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
  }
}

-- events
ipvs -A -u 10.9.9.9:53 -s wlc
ipvs -a -u 10.9.9.9:53 -r 192.168.50.2:53 -m
start
stop
