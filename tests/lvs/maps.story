# Marks by maps of nftables: ranges, prefixes, both families; a reload changes elements and keeps marks.
# Ours makes the maps in another order, and says what comes into a group with maps too.
look maps

-- config main
global_defs {
  nftables_ipvs
  nftables_counters
}
virtual_server_group G {
  10.0.1.1 80
  10.0.1.10-20 8080
  10.0.2.0/24 443
}
virtual_server group G {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 2
  }
  real_server 192.168.50.3 {
    lvs_method NAT
  }
}
virtual_server group G {
  lvs_sched wlc
  lvs_method NAT
  protocol UDP
  real_server 192.168.50.2 5300 {
  }
}
virtual_server_group G6 {
  fd00:1::1 80
  fd00:1::10-20 81
}
virtual_server group G6 {
  lvs_sched rr
  lvs_method NAT
  protocol SCTP
  real_server fd00:50::2 80 {
  }
}
virtual_server_group GM {
  10.0.5.1 80
  fd00:5::1 80
}
virtual_server group GM {
  lvs_sched rr
  lvs_method TUN
  protocol TCP
  real_server 192.168.50.2 {
  }
  real_server fd00:50::2 {
  }
}
virtual_server_group GF {
  10.0.6.1 80
  fwmark 77
}
virtual_server group GF {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 192.168.50.2 {
  }
}

-- config other
global_defs {
  nftables_ipvs
  nftables_counters
}
virtual_server_group G {
  10.0.1.1 80
  10.0.1.10-30 8080
  10.0.3.1 443
}
virtual_server group G {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 2
  }
  real_server 192.168.50.3 {
    lvs_method NAT
  }
}
virtual_server group G {
  lvs_sched wlc
  lvs_method NAT
  protocol UDP
  real_server 192.168.50.2 5300 {
  }
}
virtual_server_group G6 {
  fd00:1::1 80
  fd00:1::10-20 81
}
virtual_server group G6 {
  lvs_sched rr
  lvs_method NAT
  protocol SCTP
  real_server fd00:50::2 80 {
  }
}
virtual_server_group GM {
  10.0.5.1 80
  fd00:5::1 80
}
virtual_server group GM {
  lvs_sched rr
  lvs_method TUN
  protocol TCP
  real_server 192.168.50.2 {
  }
  real_server fd00:50::2 {
  }
}
virtual_server_group GF {
  10.0.6.1 80
  fwmark 77
}
virtual_server group GF {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 192.168.50.2 {
  }
}

-- events
start
reload other
stop
