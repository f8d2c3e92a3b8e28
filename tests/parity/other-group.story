# Another multicast group, for all instances and for one.
adverts 3
router 70 10.9.0.100
router 71 10.9.0.101

-- config main
global_defs {
    vrrp_mcast_group4 224.0.0.99
    vrrp_garp_master_delay 0
    vrrp_garp_master_repeat 2
}
vrrp_instance general {
    interface eth0
    virtual_router_id 70
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}
vrrp_instance special {
    interface eth0
    virtual_router_id 71
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    @first mcast_src_ip 10.9.0.1
    @second mcast_src_ip 10.9.0.2
    mcast_dst_ip 224.0.0.98
    virtual_ipaddress {
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
