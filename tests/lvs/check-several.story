# Several checks of one server: it is up while none of them fails; mails only for changes of the server.
look mails

-- config main
global_defs {
  no_checker_emails true
}
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
    TCP_CHECK {
      retry 0
    }
    TCP_CHECK {
      connect_port 81
      retry 0
    }
  }
}

-- events
serve 192.168.50.2:80 accept
serve 192.168.50.2:81 accept
* start
quit 192.168.50.2:81
quit 192.168.50.2:80
serve 192.168.50.2:81 accept
serve 192.168.50.2:80 accept
stop
