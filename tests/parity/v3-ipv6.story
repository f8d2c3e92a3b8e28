# An IPv6 router is of version 3 by itself.
adverts 3
router 53 fe80::100 fd00:9::100

-- config main
vrrp_instance six {
    interface eth0
    virtual_router_id 53
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        fe80::100/64
        fd00:9::100/64
    }
}

-- events
start 1 -> 1
start 2 -> 1
kill 1 -> 2
start 1 -> 1
stop 1 -> 2
start 1 -> 1
ip 1 link set eth0 down -> 2
ip 1 link set eth0 up; addr replace fd00:9::1/64 dev eth0 nodad -> 1
cut 1 -> 1+2
mend 1 -> 1
stop 2 -> 1
stop 1 -> -
