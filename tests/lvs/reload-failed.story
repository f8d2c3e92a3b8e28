# A server that has failed stays failed over a reload that does not change its check, and gets another chance by one that does.
# Ours adds nothing that is there already.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    TCP_CHECK {
      retry 1
      delay_before_retry 1
    }
  }
}

-- config weight
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    weight 5
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    TCP_CHECK {
      retry 1
      delay_before_retry 1
    }
  }
}

-- config check
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    TCP_CHECK {
      retry 1
      connect_timeout 1
      delay_before_retry 1
    }
  }
}

-- config more
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  sorry_server 192.168.50.99 80
  real_server 192.168.50.3 80 {
  }
  real_server 192.168.50.2 80 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    TCP_CHECK {
      retry 1
      delay_before_retry 1
    }
  }
}

-- events
* start
reload main
reload weight
reload more
* reload check
serve 192.168.50.2:80 accept
reload main
stop
