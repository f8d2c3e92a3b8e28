# A group of a master gets another member: all are backups, and tell so, until both may be master.
nodes 1
router 51 10.9.0.100

-- config main
vrrp_sync_group both {
    group {
        outside
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

-- config more
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
    virtual_ipaddress {
        10.9.0.101/24
    }
}

-- events
start 1 -> 1
reload 1 more -> 1
stop 1 -> -
