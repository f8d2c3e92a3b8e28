# NAT, persistence, thresholds; the sorry server is not in the table.
look thresholds

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  persistence_timeout 50
  sorry_server 192.168.50.200 80
  real_server 192.168.50.2 8080 {
    weight 3
  }
  real_server 192.168.50.3 8080 {
    weight 5
    inhibit_on_failure
    uthreshold 100
    lthreshold 50
  }
}

-- events
start
stop
