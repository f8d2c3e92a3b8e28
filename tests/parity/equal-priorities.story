# Between equals the master stays, and of two masters the higher address wins.
adverts 3
router 65 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 65
    version 3
    priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 2 -> 2
start 1 -> 2
kill 2 -> 1
start 2 -> 1
stop 1 -> 2
start 1 -> 2
ip 2 link set eth0 down -> 1
ip 2 link set eth0 up; addr replace fd00:9::2/64 dev eth0 nodad -> 1
cut 1 -> 1+2
mend 1 -> 2
stop 1 -> 2
stop 2 -> -
