# The same without a sorry server: who is alive is in the table, quorum or not.

-- config main
track_file f2 {
  file $DIR/f2
  weight 0
}
track_file f3 {
  file $DIR/f3
  weight 0
}
track_file f4 {
  file $DIR/f4
  weight 0
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  quorum 2
  hysteresis 1
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  real_server 192.168.50.2 80 {
    notify_up "$DIR/notify rs2 up"
    notify_down "$DIR/notify rs2 down"
    FILE_CHECK {
      track_file f2
    }
  }
  real_server 192.168.50.3 80 {
    inhibit_on_failure
    notify_up "$DIR/notify rs3 up"
    notify_down "$DIR/notify rs3 down"
    FILE_CHECK {
      track_file f3
    }
  }
  real_server 192.168.50.4 80 {
    notify_up "$DIR/notify rs4 up"
    notify_down "$DIR/notify rs4 down"
    FILE_CHECK {
      track_file f4
    }
  }
}

-- events
write f2 0
write f3 0
write f4 0
start
write f2 1
write f3 1
write f4 1
write f2 0
write f3 0
write f4 0
stop
