# A changed weight changes the weight, and nothing else. Method and tunnel change in place. Thresholds change with us only.
look thresholds

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 2
  }
  real_server 192.168.50.3 80 {
    weight 3
  }
}

-- config weight
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 20
  }
  real_server 192.168.50.3 80 {
    weight 3
  }
}

-- config method
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 2
    lvs_method DR
  }
  real_server 192.168.50.3 80 {
    weight 3
    lvs_method TUN type gre csum
  }
}

-- config thresholds
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 2
    uthreshold 100
    lthreshold 10
  }
  real_server 192.168.50.3 80 {
    weight 3
  }
}

-- config service
virtual_server 10.0.0.1 80 {
  lvs_sched wlc
  lvs_method NAT
  protocol TCP
  persistence_timeout 300
  real_server 192.168.50.2 80 {
    weight 2
  }
  real_server 192.168.50.3 80 {
    weight 3
  }
}

-- events
start
reload weight
reload main
reload method
reload thresholds
reload service
reload main
stop
