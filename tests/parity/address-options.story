# Addresses with everything that can be said of them.
adverts 3
router 62 10.9.0.100 10.9.1.100 10.9.2.100 10.9.3.100 10.9.5.100 fd00:9:1::100 fd00:9:2::100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 62
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24 dev eth0 scope global label eth0:web
        10.9.1.100/24 brd + noprefixroute
        10.9.2.100/24 broadcast 10.9.2.255
        10.9.3.100/32 scope link no_track
    }
    virtual_ipaddress_excluded {
        fd00:9:1::100/64 preferred_lft 0
        fd00:9:2::100/64 home noprefixroute
        10.9.5.100/24 dev inner0
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
