# Two addresses, a password, and a master that is missed after two adverts.
adverts 2
router 56 10.9.0.100 10.9.0.101

-- config main
vrrp_instance old {
    interface eth0
    virtual_router_id 56
    @first priority 150
    @second priority 100
    advert_int 1
    down_timer_adverts 2
    authentication {
        auth_type PASS
        auth_pass s3cret
    }
    virtual_ipaddress {
        10.9.0.100/24 dev eth0
        10.9.0.101/24
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
