# An address that answers, goes, and comes back.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  real_server 192.168.50.2 80 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    PING_CHECK {
      retry 1
      delay_before_retry 1
      log_all_failures true
    }
  }
}

-- events
* start
ip addr del 192.168.50.2/24 dev d0
ip addr add 192.168.50.2/24 dev d0
stop
