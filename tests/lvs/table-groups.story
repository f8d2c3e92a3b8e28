# Groups: ranges, a prefix, a mark; two protocols on one group.
# What C gives port 0, a NAT server without port, has the port of the entry with us.

-- config main
virtual_server_group G1 {
  10.1.0.1 80
  10.1.0.10-12 80
  10.1.1.254-10.1.1.255 443
  10.1.2.8/30 8000
  fwmark 100
}
virtual_server group G1 {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 192.168.50.2 {
  }
  real_server 192.168.50.3 80 {
    lvs_method NAT
    weight 4
  }
}
virtual_server_group G2 {
  10.2.0.1 53
  10.2.0.2 53
}
virtual_server group G2 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 5300 {
  }
}
virtual_server group G2 {
  lvs_sched wrr
  lvs_method NAT
  protocol UDP
  real_server 192.168.50.2 5300 {
    weight 3
  }
  real_server 192.168.50.3 {
    weight 3
  }
}

-- events
start
stop
