# All real servers are replaced by others.
# C says that the virtual server is down, and never again that it is up.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  real_server 192.168.50.2 80 {
  }
  real_server 192.168.50.3 80 {
  }
}

-- config others
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  real_server 192.168.50.4 80 {
  }
}

-- events
start
reload others
reload main
stop
