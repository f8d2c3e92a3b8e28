# The sorry server comes, changes and goes, while it is in use and while it is not.
# Ours keeps down what a file holds down, without a word in between.

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
    FILE_CHECK {
      track_file f
    }
  }
}

-- config none
track_file f {
  file $DIR/f
  weight 0
}
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 2
    FILE_CHECK {
      track_file f
    }
  }
  real_server 192.168.50.3 80 {
    weight 3
    FILE_CHECK {
      track_file f
    }
  }
}

-- config other
track_file f {
  file $DIR/f
  weight 0
}
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  sorry_server 192.168.50.98 80
  real_server 192.168.50.2 80 {
    weight 2
    FILE_CHECK {
      track_file f
    }
  }
  real_server 192.168.50.3 80 {
    weight 3
    FILE_CHECK {
      track_file f
    }
  }
}

-- config inhibit
track_file f {
  file $DIR/f
  weight 0
}
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  sorry_server 192.168.50.98 80
  sorry_server_inhibit
  real_server 192.168.50.2 80 {
    weight 2
    FILE_CHECK {
      track_file f
    }
  }
  real_server 192.168.50.3 80 {
    weight 3
    FILE_CHECK {
      track_file f
    }
  }
}

-- events
write f 0
start
reload other
* write f 1
reload main
reload none
reload inhibit
* write f 0
reload none
stop
