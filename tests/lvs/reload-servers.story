# Virtual and real servers come, go and change; weights by files go on; timeouts come back.
# C lets a server that a file holds down flap, and does not change thresholds; we do neither.
look timeouts thresholds

-- config main
global_defs {
  lvs_timeouts tcp 100 tcpfin 20 udp 30
}
track_file f2 {
  file $DIR/f2
  weight 0
}
track_file w3 {
  file $DIR/w3
  weight 1
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 10
    FILE_CHECK {
      track_file f2
    }
  }
  real_server 192.168.50.3 80 {
    weight 10
    FILE_CHECK {
      track_file w3
    }
  }
  real_server 192.168.50.4 80 {
    weight 10
    uthreshold 50
  }
  real_server 192.168.50.5 80 {
  }
}
virtual_server 10.0.0.2 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
  }
}
virtual_server 10.0.0.3 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
  }
}

-- config one
global_defs {
  lvs_timeouts tcp 101
}
track_file f2 {
  file $DIR/f2
  weight 0
}
track_file w3 {
  file $DIR/w3
  weight 1
}
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  persistence_timeout 77
  lvs_method NAT
  protocol TCP
  quorum 3
  real_server 192.168.50.2 80 {
    weight 20
    FILE_CHECK {
      track_file f2
    }
  }
  real_server 192.168.50.3 80 {
    weight 20
    FILE_CHECK {
      track_file w3
    }
  }
  real_server 192.168.50.4 80 {
    weight 10
    uthreshold 60
    lthreshold 20
  }
  real_server 192.168.50.6 80 {
    weight 6
  }
}
virtual_server 10.0.0.2 80 {
  lvs_sched rr
  lvs_method DR
  protocol TCP
  sorry_server 192.168.50.99
  real_server 192.168.50.2 80 {
  }
}
virtual_server 10.0.0.4 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
  }
}

-- config two
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 20
  }
  real_server 192.168.50.3 80 {
    weight 20
    inhibit_on_failure
  }
}

-- events
write f2 0
write w3 3
start
write w3 5
write f2 1
write w3 -20
write w3 5
reload one
write f2 0
reload two
* stop
