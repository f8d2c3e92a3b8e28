# Nobody is disturbed by a better one. Skew times are far enough apart for a busy machine: who is first stays.
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
