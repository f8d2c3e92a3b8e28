# The owner of the address needs no election.
router 51 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 255
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 2 -> 2
start 1 -> 1
kill 1 -> 2
start 1 -> 1
stop 1 -> 2
