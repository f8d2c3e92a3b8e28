# Adverts and addresses with the MAC address of the virtual router.
router 51 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    use_vmac vmac51
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
kill 1 -> 2
start 1 -> 1
stop 1 -> 2
stop 2 -> -
