# A page of a server that must prove itself, which starts with the wrong status.

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
    alpha true
    HTTP_GET {
      retry 1
      delay_before_retry 1
      url {
        path /
      }
    }
  }
}

-- events
serve 192.168.50.2:80 http 404
* start
serve 192.168.50.2:80 http 200
stop
