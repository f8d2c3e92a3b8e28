# A server that fails now and then, but never often enough.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  real_server 192.168.50.2 80 {
    TCP_CHECK {
      retry 8
      delay_before_retry 2
    }
  }
}

-- events
serve 192.168.50.2:80 accept
* start
quit 192.168.50.2:80
wait 5
serve 192.168.50.2:80 accept
wait 3
quit 192.168.50.2:80
wait 5
serve 192.168.50.2:80 accept
wait 3
stop
