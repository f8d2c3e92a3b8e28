# Servers that are up at the start are told of where that is asked for.

-- config main
global_defs {
  rs_init_notifies true
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
  }
}

-- events
serve 192.168.50.2:80 accept
start
stop
