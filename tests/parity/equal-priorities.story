# Among equals whoever is there stays, and of two masters the higher address wins.
router 51 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
stop 1 -> 2
start 1 -> 2
kill 2 -> 1
start 2 -> 1
cut 1 -> 1+2
mend 1 -> 2
