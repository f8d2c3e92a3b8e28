# Somebody else changes the table. C does not notice before it needs the entry, and then may fail; we put it right.

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
write f 0
start
ipvs -d -t 10.0.0.1:80 -r 192.168.50.2:80
wait 8
* write f 1
* write f 0
ipvs -D -t 10.0.0.1:80
wait 8
* write f 1
* write f 0
stop
