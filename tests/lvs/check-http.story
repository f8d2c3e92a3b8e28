# Pages: status codes, digest, two pages in turn, silence.

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
        path /a
        status_code 200-204 301
      }
      url {
        path /b
        digest 5d41402abc4b2a76b9719d911017c592
      }
    }
  }
}

-- events
serve 192.168.50.2:80 http 200 hello
* start
serve 192.168.50.2:80 http 500 hello
serve 192.168.50.2:80 http 200 hello
serve 192.168.50.2:80 http 200 world
serve 192.168.50.2:80 http 201 hello
serve 192.168.50.2:80 silent
quit 192.168.50.2:80
stop
