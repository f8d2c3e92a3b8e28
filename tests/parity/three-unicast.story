# Three nodes that know each other by address.
nodes 3
router 51 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 250
    @second priority 130
    @third priority 10
    advert_int 1
    @first unicast_src_ip 10.9.0.1
    @second unicast_src_ip 10.9.0.2
    @third unicast_src_ip 10.9.0.3
    unicast_peer {
        @^first 10.9.0.1
        @^second 10.9.0.2
        @^third 10.9.0.3
    }
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
start 3 -> 1
stop 1 -> 2
kill 2 -> 3
start 1 -> 1
ip 1 link set eth0 down -> 3
stop 3 -> -
