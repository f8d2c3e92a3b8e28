# Adverts over IPv6 to the one peer.
adverts 3
router 54 fd00:9::100

-- config main
vrrp_instance six {
    interface eth0
    virtual_router_id 54
    @first priority 150
    @second priority 100
    advert_int 0.2
    @first unicast_src_ip fd00:9::1
    @second unicast_src_ip fd00:9::2
    unicast_peer {
        @first fd00:9::2
        @second fd00:9::1
    }
    virtual_ipaddress {
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
