# Adverts with a keyed trailer, and a backup that signs with another key that both know.
recent
unusual checksum
adverts 3
router 78 10.9.0.100

-- config main
vrrp_instance web {
    interface eth0
    virtual_router_id 78
    version 3
    @first priority 150
    @second priority 100
    advert_int 0.2
    auth_hmac {
        key 1 0123456789abcdef0123456789abcdef
        key 2 hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
        @first active_key 1
        @second active_key 2
    }
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
start 1 -> 1
ip 1 link set eth0 down -> 2
ip 1 link set eth0 up -> 1
cut 1 -> 1+2
mend 1 -> 1
stop 2 -> 1
stop 1 -> -
