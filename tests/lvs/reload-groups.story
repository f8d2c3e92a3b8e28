# Entries of a group come and go: addresses, ranges, marks.
# The C daemon crashes in each of these reloads.

-- config main
virtual_server_group G {
  10.0.1.1 80
  10.0.1.5-6 80
  fwmark 9
}
virtual_server group G {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 192.168.50.2 {
  }
  real_server 192.168.50.3 {
    weight 3
  }
}

-- config one
virtual_server_group G {
  10.0.1.1 80
  10.0.1.5-7 80
  fwmark 9
  fwmark 10
}
virtual_server group G {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 192.168.50.2 {
  }
  real_server 192.168.50.3 {
    weight 3
  }
}

-- config two
virtual_server_group G {
  10.0.1.2 80
  fwmark 10
}
virtual_server group G {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 192.168.50.2 {
  }
  real_server 192.168.50.3 {
    weight 3
  }
}

-- events
start
reload one
reload two
reload main
stop
