# A program: its exit status, and back.
look mails

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  smtp_alert true
  real_server 192.168.50.2 80 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    MISC_CHECK {
      misc_path "$DIR/exit m1"
      misc_timeout 6
      retry 1
      delay_before_retry 1
    }
    MISC_CHECK {
      misc_path "$DIR/exit m2"
      misc_timeout 10
      retry 0
    }
  }
}

-- events
write m1 0
write m2 0
* start
write m1 1
write m1 0
write m2 3
write m2 0
stop
