# Pages over TLS: a pattern, a digest, the names in the handshake; a certificate that nobody has signed.
# The middle page fits the pattern, not the digest: whichever URL is asked for next, that is what fails.

-- config main
virtual_server 10.0.0.1 443 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  delay_loop 1
  connect_timeout 5
  warmup 0
  real_server 192.168.50.2 443 {
    notify_up "$DIR/notify up"
    notify_down "$DIR/notify down"
    SSL_GET {
      retry 1
      delay_before_retry 1
      log_all_failures true
      http_protocol 1.1
      enable_sni
      virtualhost www.example.org
      url {
        path /
        regex hel+o
      }
      url {
        path /
        digest 5d41402abc4b2a76b9719d911017c592
      }
    }
  }
}

-- events
page 192.168.50.2 hello
* start
page 192.168.50.2 helo
page 192.168.50.2 hello
page 192.168.50.2
serve 192.168.50.2:443 accept
quit 192.168.50.2:443
page 192.168.50.2 hello
stop
