# All processes are killed: what they leave in the table is taken over.
# C complains of each entry that is there; the sorry server stays beside the real servers, and outlives the daemon.

-- config main
track_file f {
  file $DIR/f
  weight 0
}
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    weight 2
    FILE_CHECK {
      track_file f
    }
  }
  real_server 192.168.50.3 80 {
    weight 3
    inhibit_on_failure
    FILE_CHECK {
      track_file f
    }
  }
}

-- events
write f 1
start
kill all
write f 0
start
stop
