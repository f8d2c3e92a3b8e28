# The table outlives the daemon where that is asked for (-I), and the next one takes it over.
# C complains of each entry that is there; we do not.

-- config main
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
start -I
stop
start
stop
