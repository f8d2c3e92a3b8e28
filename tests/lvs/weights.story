# Weights by exit status and by files: added up, clipped, and failing.

-- config main
track_file w {
  file $DIR/w
  weight 1
}
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  delay_loop 2
  warmup 0
  real_server 192.168.50.2 80 {
    weight 10
    MISC_CHECK {
      misc_path "$DIR/exit m1"
      misc_timeout 10
      misc_dynamic
      retry 0
    }
    MISC_CHECK {
      misc_path "$DIR/exit m2"
      misc_timeout 10
      misc_dynamic
      retry 0
    }
    FILE_CHECK {
      track_file w
      weight 3 reverse
    }
  }
}

-- events
write m1 0
write m2 0
write w 0
* start
write m1 17
write m2 7
write w 1
write w -2
write m1 1
write m1 12
write w -800000000
write w 800000000
write w 0
* stop
