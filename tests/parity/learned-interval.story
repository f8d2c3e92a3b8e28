# A backup follows the interval of its master, not its own.
adverts 3
router 67 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 67
    version 3
    @first priority 150
    @second priority 100
    @first advert_int 0.3
    @second advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
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
