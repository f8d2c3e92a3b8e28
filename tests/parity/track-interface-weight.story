# A lost interface costs priority.
router 51 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    track_interface {
        inner0 weight -60
    }
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
ip 1 link set inner0 down -> 2
ip 2 link set inner0 down -> 1
ip 2 link set inner0 up -> 2
ip 1 link set inner0 up -> 1
