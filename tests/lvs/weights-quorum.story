# The quorum counts weights, and so follows them; what falls below nothing counts nothing.

-- config main
track_file w {
  file $DIR/w
  weight 1
}
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  protocol TCP
  lvs_method DR
  quorum 20
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    weight 10
    FILE_CHECK {
      track_file w
    }
  }
  real_server 192.168.50.3 80 {
    weight 12
  }
}

-- events
write w 0
start
write w -2
write w -3
write w -50
write w 5
stop
