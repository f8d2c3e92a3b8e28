# Adverts behind an authentication header, whose numbers go on from one master to the next.
adverts 1
router 77 10.9.0.100

-- config main
vrrp_instance old {
    interface eth0
    virtual_router_id 77
    @first priority 150
    @second priority 100
    advert_int 1
    down_timer_adverts 1
    authentication {
        auth_type AH
        auth_pass s3cret
    }
    virtual_ipaddress {
        10.9.0.100/24
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
