# What is in the table already. C leaves it as it is, and says so; we bring what is ours in line, and leave what is not.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
    weight 10
  }
  real_server 192.168.50.3 80 {
    weight 20
  }
}
virtual_server_group G {
  10.0.1.1-2 80
  fwmark 9
}
virtual_server group G {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.2 80 {
  }
}

-- events
ipvs -A -t 10.0.0.1:80 -s lc -p 33
ipvs -a -t 10.0.0.1:80 -r 192.168.50.2:80 -i -w 77
ipvs -a -t 10.0.0.1:80 -r 192.168.50.9:80 -m
ipvs -A -u 10.9.9.9:53 -s wlc
ipvs -a -u 10.9.9.9:53 -r 192.168.50.2:53 -m
start
stop
