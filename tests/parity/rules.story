# Policy rules follow the master.
router 51 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
    virtual_rules {
        from 192.0.2.0/24 table 100 priority 1000
        to 198.51.100.0/24 iif inner0 table 101 priority 1001
        fwmark 7 table 102 priority 1002
    }
}

-- events
start 1 -> 1
start 2 -> 1
stop 1 -> 2
start 1 -> 1
