# Virtual link-layer addresses, which move with the master.
adverts 3
router 75 10.9.0.100 10.9.5.100
router 75 fe80::100 fd00:9::100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 75
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    use_vmac
    virtual_ipaddress {
        10.9.0.100/24
    }
    virtual_ipaddress_excluded {
        10.9.5.100/24 dev inner0
    }
}

vrrp_instance web6 {
    interface eth0
    virtual_router_id 75
    @first priority 150
    @second priority 100
    advert_int 0.2
    use_vmac
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
