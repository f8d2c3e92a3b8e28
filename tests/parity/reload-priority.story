# A reload that changes priorities changes the master.
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
}

-- config low
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 50
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- config high
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 200
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
reload 1 low -> 2
reload 1 main -> 1
reload 2 high -> 2
