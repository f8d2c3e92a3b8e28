# Both nodes move to another key, one after the other.
recent
unusual checksum
adverts 3
router 79 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 79
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    auth_hmac {
        key 1 0123456789abcdef0123456789abcdef
        active_key 1
    }
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- config both
vrrp_instance web {
    interface eth0
    virtual_router_id 79
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    auth_hmac {
        key 1 0123456789abcdef0123456789abcdef
        key 2 hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
        active_key 1
    }
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- config next
vrrp_instance web {
    interface eth0
    virtual_router_id 79
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    auth_hmac {
        key 1 0123456789abcdef0123456789abcdef
        key 2 hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
        active_key 2
    }
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- config last
vrrp_instance web {
    interface eth0
    virtual_router_id 79
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    auth_hmac {
        key 2 hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
        active_key 2
    }
    virtual_ipaddress {
        10.9.0.100/24
    }
}

-- events
start 1 -> 1
start 2 -> 1
reload 2 both -> 1
reload 1 both -> 1
reload 1 next -> 1
reload 2 next -> 1
reload 2 last -> 1
reload 1 last -> 1
kill 1 -> 2
stop 2 -> -
