# A mail server: present, not available, silent, gone.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  real_server 192.168.50.2 25 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    SMTP_CHECK {
      retry 1
      delay_before_retry 1
      helo_name me.example.org
      log_all_failures true
    }
  }
}

-- events
serve 192.168.50.2:25 smtp
* start
serve 192.168.50.2:25 smtp unavailable
serve 192.168.50.2:25 smtp
serve 192.168.50.2:25 silent
quit 192.168.50.2:25
serve 192.168.50.2:25 smtp
stop
