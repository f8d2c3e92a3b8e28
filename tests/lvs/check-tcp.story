# Connections: accepted, refused, without an answer from the network; one retry; mails of check and server.
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
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  real_server 192.168.50.2 80 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    smtp_alert true
    TCP_CHECK {
      retry 2
      delay_before_retry 1
      log_all_failures true
    }
  }
}

-- events
serve 192.168.50.2:80 accept
* start
quit 192.168.50.2:80
serve 192.168.50.2:80 accept
ip addr del 192.168.50.2/24 dev d0
ip addr add 192.168.50.2/24 dev d0
stop
