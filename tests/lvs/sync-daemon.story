# The synchronisation daemons without an instance of VRRP.
# C starts them again at each reload, which the kernel refuses, and leaves them running when the line is removed; we let them
# be, and stop them.
look daemons

-- config main
global_defs {
  lvs_sync_daemon d0 id 7 maxlen 1400 port 8850 ttl 3 group 224.0.1.99
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  real_server 192.168.50.2 80 {
    
  }
}

-- config none
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  real_server 192.168.50.2 80 {
    
  }
}

-- events
start
reload main
reload none
stop
