# Servers that must prove themselves, with and without inhibit; a server of weight 0; one that is there twice.
# Where all weights are 0, C never gains its quorum; with us any live real server will do.
# Ours takes the hysteresis of a quorum of 0 for 0, not for 4294967295.

-- config main
virtual_server 10.0.0.6 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  quorum_up "$DIR/notify up"
  quorum_down "$DIR/notify down"
  sorry_server 192.168.50.99 80
  real_server 192.168.50.3 80 {
    weight 0
  }
}
virtual_server 10.0.0.7 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  alpha
  delay_loop 2
  sorry_server 192.168.50.99 80
  real_server 192.168.50.3 80 {
    inhibit_on_failure
    TCP_CHECK {
      connect_timeout 1
      warmup 0
    }
  }
  real_server 192.168.50.2 80 {
    weight 5
    TCP_CHECK {
      connect_timeout 1
      warmup 3
    }
  }
}
virtual_server 10.0.0.8 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 2
  omega
  sorry_server 192.168.50.99 80
  real_server 192.168.50.3 80 {
    TCP_CHECK {
      connect_timeout 1
      warmup 0
    }
  }
  real_server 192.168.50.3 80 {
  }
}

-- events
serve 192.168.50.2:80 accept
* start
quit 192.168.50.2:80
* serve 192.168.50.3:80 accept
serve 192.168.50.2:80 accept
* stop
