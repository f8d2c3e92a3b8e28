# Another method for servers that have failed, one of them inhibited, and for one that the sorry server stands in for.
# C puts them into the table by that, with their weights, and they get traffic.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  real_server 192.168.50.2 80 {
    TCP_CHECK {
      retry 0
    }
  }
  real_server 192.168.50.3 80 {
  }
  real_server 192.168.50.4 80 {
    inhibit_on_failure
    TCP_CHECK {
      retry 0
    }
  }
}

-- config direct
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method DR
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  real_server 192.168.50.2 80 {
    TCP_CHECK {
      retry 0
    }
  }
  real_server 192.168.50.3 80 {
  }
  real_server 192.168.50.4 80 {
    inhibit_on_failure
    TCP_CHECK {
      retry 0
    }
  }
}

-- config sorry
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method DR
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  quorum 2
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    TCP_CHECK {
      retry 0
    }
  }
  real_server 192.168.50.3 80 {
  }
  real_server 192.168.50.4 80 {
    inhibit_on_failure
    TCP_CHECK {
      retry 0
    }
  }
}

-- config back
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  quorum 2
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    TCP_CHECK {
      retry 0
    }
  }
  real_server 192.168.50.3 80 {
  }
  real_server 192.168.50.4 80 {
    inhibit_on_failure
    TCP_CHECK {
      retry 0
    }
  }
}

-- events
* start
reload direct
reload sorry
reload back
serve 192.168.50.2:80 accept
serve 192.168.50.4:80 accept
stop
