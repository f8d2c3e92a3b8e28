# Tunnels of all kinds, of either family.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method TUN
  protocol TCP
  real_server 192.168.50.2 80 {
  }
  real_server 192.168.50.3 80 {
    lvs_method TUN type gue port 6080
  }
  real_server 192.168.50.4 80 {
    lvs_method TUN type gue port 6080 csum
  }
  real_server 192.168.50.5 80 {
    lvs_method TUN type gue port 6080 remcsum
  }
  real_server 192.168.50.6 80 {
    lvs_method TUN type gre
  }
  real_server 192.168.50.7 80 {
    lvs_method TUN type gre csum
  }
  real_server fd00:50::8 80 {
    lvs_method TUN type ipip
  }
  real_server 192.168.50.9 80 {
    lvs_method DR
  }
}

-- events
start
stop
