# Instances come and go with a reload.
router 51 10.9.0.100
router 52 10.9.0.101

-- config main
vrrp_instance left {
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

-- config two
vrrp_instance left {
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
vrrp_instance right {
    interface eth0
    virtual_router_id 52
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    virtual_ipaddress {
        10.9.0.101/24
    }
}

-- events
start 1 -> 1 -
start 2 -> 1 -
reload 1 two -> 1 1
reload 2 two -> 1 1
reload 1 main -> 1 2
reload 2 main -> 1 -
