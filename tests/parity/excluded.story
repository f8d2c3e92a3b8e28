# Addresses that are carried but not announced in adverts, of both families.
adverts 3
router 60 10.9.0.100 10.9.0.101 10.9.0.102 fd00:9::102 fd00:9::103

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 60
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
    virtual_ipaddress_excluded {
        10.9.0.101/24
        10.9.0.102/32
        fd00:9::102/64
        fd00:9::103/64 -nodad
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
