# Addresses come and go with a reload. Until both have been reloaded, 2.2 does not listen to who has others.
recent
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

-- config more
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.100/24
        10.9.0.110/24
        10.9.1.1/24 dev inner0
    }
}

-- events
start 1 -> 1
start 2 -> 1
reload 1 more -> 1
reload 2 more -> 1
stop 1 -> 2
reload 2 main -> 2
