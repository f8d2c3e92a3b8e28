# A script that fails is a fault.
router 51 10.9.0.100

-- config main
vrrp_script probe {
    script "/usr/bin/test -e $DIR/alive"
    interval 0.2
    fall 2
}
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    track_script {
        probe
    }
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
write 1 alive yes -> -
write 2 alive yes -> -
start 1 -> 1
start 2 -> 1
ip 1 link show -> 1
write 1 dead yes -> 1
stop 1 -> 2
