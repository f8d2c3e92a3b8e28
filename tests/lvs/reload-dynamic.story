# Weights by exit status go on over a reload; those of status 0 are as configured.
# C takes the configured weight away from a server whose script has said 0, until the script says something else.

-- config main
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  warmup 0
  real_server 192.168.50.2 80 {
    weight 10
    MISC_CHECK {
      misc_path "$DIR/exit m1"
      misc_timeout 10
      misc_dynamic
    }
  }
  real_server 192.168.50.3 80 {
    weight 10
    MISC_CHECK {
      misc_path "$DIR/exit m2"
      misc_timeout 10
      misc_dynamic
    }
  }
}

-- config other
virtual_server 10.0.0.1 80 {
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  warmup 0
  quorum 3
  real_server 192.168.50.2 80 {
    weight 20
    MISC_CHECK {
      misc_path "$DIR/exit m1"
      misc_timeout 10
      misc_dynamic
    }
  }
  real_server 192.168.50.3 80 {
    weight 20
    MISC_CHECK {
      misc_path "$DIR/exit m2"
      misc_timeout 10
      misc_dynamic
    }
  }
}

-- events
write m1 0
write m2 7
* start
reload main
reload other
stop
