# Who has the address keeps it, whoever comes back.
adverts 3
router 58 10.9.0.100

-- config main
vrrp_instance web {
    state BACKUP
    interface eth0
    virtual_router_id 58
    version 3
    @first priority 150
    @second priority 100
    nopreempt
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
kill 1 -> 2
start 1 -> 2
stop 2 -> 1
start 2 -> 1
ip 1 link set eth0 down -> 2
ip 1 link set eth0 up; addr replace fd00:9::1/64 dev eth0 nodad -> 2
cut 2 -> 1+2
mend 2 -> 1
stop 2 -> 1
stop 1 -> -
