# Listeners hear of priorities too.
router 51 10.9.0.100

-- config main
track_file level {
    file $DIR/level
    weight 1
}
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    notify_priority_changes true
    track_file {
        level
    }
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
write 1 level -20 -> 1
write 1 level -70 -> 2
write 1 level 0 -> 1
