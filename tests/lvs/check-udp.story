# Datagrams: an answer that fits, one that does not, none, and a port that is closed.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  real_server 192.168.50.2 1000 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    UDP_CHECK {
      payload 68656c6c6f
      require_reply 68656cXX6f
      min_reply_length 2
      max_reply_length 8
      retry 1
      delay_before_retry 1
      log_all_failures true
    }
  }
}

-- events
serve 192.168.50.2:1000 udp
* start
serve 192.168.50.2:1000 udp helXo
serve 192.168.50.2:1000 udp world
serve 192.168.50.2:1000 udp hello
serve 192.168.50.2:1000 udp helloworld
quit 192.168.50.2:1000
serve 192.168.50.2:1000 udp
stop
