# Nobody is disturbed by a better one.
nodes 3
router 51 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    @third priority 50
    advert_int 0.2
    state BACKUP
    nopreempt
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 3 -> 3
start 1 -> 3
start 2 -> 3
stop 3 -> 1
start 3 -> 1
kill 1 -> 2
start 1 -> 2
