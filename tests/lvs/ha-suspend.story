# Checks rest while the address of the virtual server is somewhere else.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 2
  warmup 0
  ha_suspend
  real_server 192.168.50.2 80 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    TCP_CHECK {
      retry 0
    }
  }
}

-- events
* start
ip addr add 10.0.0.1/32 dev d0
serve 192.168.50.2:80 accept
ip addr del 10.0.0.1/32 dev d0
quit 192.168.50.2:80
ip addr add 10.0.0.1/32 dev d0
stop
