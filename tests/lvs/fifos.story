# The FIFO for all is told what the one for virtual servers is told; where both are one, each line comes once.
# C writes it twice until the first reload. Ours keeps down what a file holds down.
look general

-- config both
global_defs {
  notify_fifo $DIR/general
}
track_file f {
  file $DIR/f
  weight 0
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  omega
  real_server 192.168.50.2 80 {
    FILE_CHECK {
      track_file f
    }
  }
}

-- config main
global_defs {
  notify_fifo $DIR/fifo
}
track_file f {
  file $DIR/f
  weight 0
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  omega
  real_server 192.168.50.2 80 {
    FILE_CHECK {
      track_file f
    }
  }
}

-- config one
track_file f {
  file $DIR/f
  weight 0
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  omega
  real_server 192.168.50.2 80 {
    FILE_CHECK {
      track_file f
    }
  }
}

-- events
write f 0
start
write f 1
reload both
write f 0
reload one
write f 1
reload main
write f 0
stop
