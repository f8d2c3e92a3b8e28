# Ranges that go beyond the last octet, or the last group.
# C walks round inside of it: for ever over IPv4, and to wrong addresses over IPv6. Played by ours alone.
ours

-- config main
virtual_server_group G {
  10.0.1.254-10.0.2.1 80
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
virtual_server_group G6 {
  fd00:1::fffe-fd00:1::1:1 80
}
virtual_server group G6 {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server fd00:50::2 80 {
  }
}

-- events
start
stop
