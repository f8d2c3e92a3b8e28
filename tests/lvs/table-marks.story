# Firewall marks of either family.

-- config main
virtual_server fwmark 5 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
  }
  real_server 192.168.50.3 {
    lvs_method DR
  }
  real_server 192.168.50.4 81 {
    lvs_method DR
  }
}
virtual_server fwmark 6 {
  lvs_sched rr
  ip_family inet6
  lvs_method TUN
  persistence_timeout 30
  real_server 192.168.50.2 {
  }
  real_server fd00:50::3 {
  }
}
virtual_server fwmark 7 {
  lvs_sched rr
  lvs_method TUN
  real_server 192.168.50.2 {
  }
  real_server fd00:50::3 {
  }
}
virtual_server fwmark 8 {
  lvs_sched rr
  lvs_method TUN
  real_server fd00:50::2 {
  }
  real_server fd00:50::3 {
  }
}
virtual_server fwmark 9 {
  lvs_sched rr
  ops
  lvs_method DR
  real_server fd00:50::2 80 {
  }
}

-- events
start
stop
