# Addresses with the virtual MAC address, adverts with that of the machine.
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
    vmac_xmit_base
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
ip 1 link set eth0 down -> 2
ip 1 link set eth0 up -> 1
stop 1 -> 2
