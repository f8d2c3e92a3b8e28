# Services of a group go with their servers at the end, whoever of those is in the table.
# C counts real servers only, and leaves services behind whose sorry server is in use beside an inhibited one.

-- config main
global_defs {
  lvs_flush_on_stop VS
}
track_file f {
  file $DIR/f
  weight 0
}
virtual_server_group G {
  10.0.1.1-2 80
}
virtual_server group G {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    inhibit_on_failure
    FILE_CHECK {
      track_file f
    }
  }
}

-- events
write f 1
start
stop
