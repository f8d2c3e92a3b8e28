# Adverts sent to the one peer, without multicast.
adverts 3
router 52 10.9.0.100 10.9.0.101

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 52
    version 3
    @first priority 200
    @second priority 199
    advert_int 0.2
    @first unicast_src_ip 10.9.0.1
    @second unicast_src_ip 10.9.0.2
    unicast_peer {
        @first 10.9.0.2
        @second 10.9.0.1
    }
    virtual_ipaddress {
        10.9.0.100/24
        10.9.0.101/24
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
