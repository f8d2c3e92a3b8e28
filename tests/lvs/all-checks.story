# One server for each kind of check: proven, failing, and back again.

-- config main
global_defs {
  checker_log_all_failures true
}
virtual_server 10.0.0.1 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  delay_before_retry 1
  retry 2
  connect_timeout 1
  warmup 0
  alpha
  real_server 192.168.50.2 80 {
    TCP_CHECK {
    }
  }
  real_server 192.168.50.3 80 {
    HTTP_GET {
      url {
        path /a
      }
    }
  }
  real_server 192.168.50.5 25 {
    SMTP_CHECK {
    }
  }
  real_server 192.168.50.6 53 {
    DNS_CHECK {
      type A
      name www.example.org
    }
  }
  real_server 192.168.50.7 1000 {
    UDP_CHECK {
      require_reply 6b65
    }
  }
  real_server 192.168.50.8 80 {
    PING_CHECK {
    }
  }
  real_server 192.168.50.9 80 {
    weight 10
    MISC_CHECK {
      misc_path "$DIR/exit m"
      misc_timeout 15
      misc_dynamic
    }
  }
}

-- events
serve 192.168.50.2:80 accept
serve 192.168.50.3:80 http 200
serve 192.168.50.5:25 smtp
serve 192.168.50.6:53 dns 0
serve 192.168.50.7:1000 udp keep
write m 0
* start
quit 192.168.50.2:80
quit 192.168.50.3:80
quit 192.168.50.5:25
quit 192.168.50.6:53
quit 192.168.50.7:1000
write m 1
serve 192.168.50.2:80 accept
serve 192.168.50.3:80 http 200
serve 192.168.50.5:25 smtp
serve 192.168.50.6:53 dns 0
serve 192.168.50.7:1000 udp keep
write m 22
* stop
