# Pages with patterns that must match, and that must not.

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
    HTTP_GET {
      retry 1
      delay_before_retry 1
      log_all_failures true
      url {
        path /c
        regex "hel+o"
      }
      url {
        path /d
        regex nasty
        regex_no_match
        regex_options caseless
      }
    }
  }
}

-- events
serve 192.168.50.2:80 http 200 hello
* start
serve 192.168.50.2:80 http 200 help
serve 192.168.50.2:80 http 200 hello
serve 192.168.50.2:80 http 200 hello Nasty
serve 192.168.50.2:80 http 200 helllo nice
stop
