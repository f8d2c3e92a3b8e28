# An address that somebody else deletes comes back.
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
}

-- events
start 1 -> 1
start 2 -> 1
ip 1 addr del 10.9.0.100/24 dev eth0 -> 1
stop 1 -> 2
