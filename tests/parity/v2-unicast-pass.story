# A password with a blank in it, to the one peer.
adverts 1
router 57 10.9.0.100

-- config main
vrrp_instance old {
    interface eth0
    virtual_router_id 57
    @first priority 150
    @second priority 100
    advert_int 1
    down_timer_adverts 1
    authentication {
        auth_type PASS
        auth_pass "two words"
    }
    @first unicast_src_ip 10.9.0.1
    @second unicast_src_ip 10.9.0.2
    unicast_peer {
        @first 10.9.0.2
        @second 10.9.0.1
    }
    virtual_ipaddress {
        10.9.0.100
    }
}

-- events
start 1 -> 1
start 2 -> 1
kill 1 -> 2
start 1 -> 1
stop 1 -> 2
start 1 -> 1
stop 2 -> 1
stop 1 -> -
