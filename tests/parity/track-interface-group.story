# An interface of a group is one of all its members.
router 51 10.9.0.100
router 52 10.9.0.101

-- config main
vrrp_sync_group both {
    group {
        left
        right
    }
    track_interface {
        inner0
    }
}
vrrp_instance left {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}
vrrp_instance right {
    interface eth0
    virtual_router_id 52
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.101/24
    }
}

-- events
start 2 -> 2 2
start 1 -> 1 1
ip 1 link set inner1 down -> 2 2
ip 1 link set inner1 up -> 1 1
stop 1 -> 2 2
