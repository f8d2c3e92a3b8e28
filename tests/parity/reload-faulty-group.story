# A faulty group whose faulty member becomes another virtual router.
nodes 1
router 51 10.9.0.100

-- config main
vrrp_sync_group both {
    group {
        outside
        inside
    }
}
vrrp_instance outside {
    interface eth0
    virtual_router_id 51
    version 3
    priority 150
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}
vrrp_instance inside {
    interface eth0
    virtual_router_id 52
    version 3
    priority 150
    advert_int 0.2
    track_interface {
        inner0
    }
    virtual_ipaddress {
        10.9.0.101/24
    }
}

-- config renumbered
vrrp_sync_group both {
    group {
        outside
        inside
    }
}
vrrp_instance outside {
    interface eth0
    virtual_router_id 51
    version 3
    priority 150
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}
vrrp_instance inside {
    interface eth0
    virtual_router_id 53
    version 3
    priority 150
    advert_int 0.2
    track_interface {
        inner0
    }
    virtual_ipaddress {
        10.9.0.101/24
    }
}

-- events
start 1 -> 1
ip 1 link set inner0 down -> -
reload 1 renumbered -> -
ip 1 link set inner0 up -> 1
stop 1 -> -
