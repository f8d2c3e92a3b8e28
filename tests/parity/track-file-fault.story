# A file that says no is a fault of the whole group.
router 51 10.9.0.100
router 52 10.9.0.101

-- config main
track_file switch {
    file $DIR/switch
    weight 0
}
vrrp_sync_group both {
    group {
        left
        right
    }
    track_file {
        switch
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
start 1 -> 1 1
start 2 -> 1 1
write 1 switch 1 -> 2 2
write 2 switch 1 -> - -
write 1 switch 0 -> 1 1
write 2 switch 0 -> 1 1
