# The best of those that are there is master.
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
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 3 -> 3
start 2 -> 2
start 1 -> 1
kill 1 -> 2
stop 2 -> 3
start 1 -> 1
start 2 -> 1
cut 1 -> 1+2
mend 1 -> 1
stop 1 -> 2
stop 3 -> 2
