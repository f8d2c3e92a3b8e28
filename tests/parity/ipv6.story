# Addresses of version 6.
router 51 fe80::100
router 51 fd00:9::100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        fe80::100/64
        fd00:9::100/64
    }
}

-- events
start 1 -> 1 1
start 2 -> 1 1
stop 1 -> 2 2
kill 2 -> - -
start 1 -> 1 1
