# Sixteen instances from one text.
adverts 3
router 10 10.9.0.110
router 11 10.9.0.111
router 12 10.9.0.112
router 13 10.9.0.113
router 14 10.9.0.114
router 15 10.9.0.115
router 16 10.9.0.116
router 17 10.9.0.117
router 18 10.9.0.118
router 19 10.9.0.119
router 20 10.9.0.120
router 21 10.9.0.121
router 22 10.9.0.122
router 23 10.9.0.123
router 24 10.9.0.124
router 25 10.9.0.125

-- config main
$INSTANCE= \
    vrrp_instance web${N} { \
        interface eth0 \
        virtual_router_id ${N} \
        version 3 \
        @first priority 150 \
        @second priority 100 \
        advert_int 0.2 \
        virtual_ipaddress { \
            10.9.0.1${N}/24 \
        } \
    }
~SEQ(N, 10, 25) $INSTANCE

-- events
start 1 -> 1
start 2 -> 1
kill 1 -> 2
start 1 -> 1
stop 1 -> 2
start 1 -> 1
ip 1 link set eth0 down -> 2
ip 1 link set eth0 up; addr replace fd00:9::1/64 dev eth0 nodad -> 1
cut 1 -> 1+2
mend 1 -> 1
stop 2 -> 1
stop 1 -> -
