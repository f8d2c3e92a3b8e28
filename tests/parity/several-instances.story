# Two routers share the load: each is master of some addresses, of both families, with one number for two families.
adverts 3
router 1 10.9.0.101
router 2 10.9.0.102
router 1 fe80::101 fd00:9::101

-- config main
vrrp_instance one {
    interface eth0
    virtual_router_id 1
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.101/24
    }
}
vrrp_instance two {
    interface eth0
    virtual_router_id 2
    version 3
    @first priority 100
    @second priority 150
    advert_int 0.25
    virtual_ipaddress {
        10.9.0.102/24
    }
}
vrrp_instance six {
    interface eth0
    virtual_router_id 1
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        fe80::101/64
        fd00:9::101/64
    }
}

-- events
start 1 -> 1 1 1
start 2 -> 1 2 1
kill 1 -> 2 2 2
start 1 -> 1 2 1
stop 1 -> 2 2 2
start 1 -> 1 2 1
ip 1 link set eth0 down -> 2 2 2
ip 1 link set eth0 up; addr replace fd00:9::1/64 dev eth0 nodad -> 1 2 1
kill 2 -> 1 1 1
start 2 -> 1 2 1
cut 1 -> 1+2 1+2 1+2
mend 1 -> 1 2 1
stop 2 -> 1 1 1
stop 1 -> - - -
