# Routes follow the master.
router 51 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
    virtual_routes {
        192.0.2.0/24 via 10.9.0.250 dev eth0
        198.51.100.0/24 dev inner0 metric 7
        192.0.2.128/25 via 10.9.0.250 dev eth0 table 100
        blackhole 203.0.113.0/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
stop 1 -> 2
start 1 -> 1
