# A name server: right, not found, without an answer, gone.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  real_server 192.168.50.2 53 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    DNS_CHECK {
      type A
      name www.example.org
      retry 1
      delay_before_retry 1
      log_all_failures true
    }
  }
}

-- events
serve 192.168.50.2:53 dns 0
* start
serve 192.168.50.2:53 dns 3
serve 192.168.50.2:53 dns 0
quit 192.168.50.2:53
serve 192.168.50.2:53 dns 0
stop
