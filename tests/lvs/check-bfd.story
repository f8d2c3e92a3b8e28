# Sessions of BFD: one whose other end comes and goes, and one that has none.
# C says at its start, and after each reload, that all sessions are down; ours gives them the time to come up.

-- config main
bfd_instance near {
  source_ip 10.9.0.1
  neighbor_ip 10.9.0.2
  min_rx 700
  min_tx 700
  multiplier 5
}
bfd_instance nobody {
  source_ip 10.9.0.1
  neighbor_ip 10.9.0.3
  min_rx 700
  min_tx 700
  multiplier 5
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    notify_up "$DIR/notify rs2 up"
    notify_down "$DIR/notify rs2 down"
    BFD_CHECK {
      name near
      alpha
    }
  }
  real_server 192.168.50.3 80 {
    notify_up "$DIR/notify rs3 up"
    notify_down "$DIR/notify rs3 down"
    BFD_CHECK {
      name near
    }
  }
  real_server 192.168.50.4 80 {
    notify_up "$DIR/notify rs4 up"
    notify_down "$DIR/notify rs4 down"
    BFD_CHECK {
      name nobody
    }
  }
}

-- config weight
bfd_instance near {
  source_ip 10.9.0.1
  neighbor_ip 10.9.0.2
  min_rx 700
  min_tx 700
  multiplier 5
}
bfd_instance nobody {
  source_ip 10.9.0.1
  neighbor_ip 10.9.0.3
  min_rx 700
  min_tx 700
  multiplier 5
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  quorum_up "$DIR/notify quorum up"
  quorum_down "$DIR/notify quorum down"
  sorry_server 192.168.50.99 80
  real_server 192.168.50.2 80 {
    weight 5
    notify_up "$DIR/notify rs2 up"
    notify_down "$DIR/notify rs2 down"
    BFD_CHECK {
      name near
      alpha
    }
  }
  real_server 192.168.50.3 80 {
    notify_up "$DIR/notify rs3 up"
    notify_down "$DIR/notify rs3 down"
    BFD_CHECK {
      name near
    }
  }
  real_server 192.168.50.4 80 {
    notify_up "$DIR/notify rs4 up"
    notify_down "$DIR/notify rs4 down"
    BFD_CHECK {
      name nobody
    }
  }
}

-- events
neighbour comes
* start
* neighbour goes
* neighbour comes
* reload weight
* neighbour goes
* stop
