"""The star by pyroute2: netlink from Python, a NetNS for each node."""

import time

import star

began = time.monotonic()
from pyroute2 import NetNS, __version__, netns

import_seconds = time.monotonic() - began

began = time.monotonic()
router = NetNS("router")
router.link("set", index=1, state="up")
for number, (gateway, address) in enumerate(star.HOSTS, 1):
    with NetNS(f"h{number}") as host:
        host.link("set", index=1, state="up")
        peer = {"ifname": f"r{number}", "net_ns_fd": "router"}
        host.link("add", ifname="eth0", kind="veth", peer=peer)
        (port,) = router.link_lookup(ifname=f"r{number}")
        router.addr("add", index=port, address=gateway, prefixlen=24)
        router.link("set", index=port, state="up")
        (eth0,) = host.link_lookup(ifname="eth0")
        host.addr("add", index=eth0, address=address, prefixlen=24)
        host.link("set", index=eth0, state="up")
        host.route("add", dst="default", gateway=gateway)
netns.pushns("router")
with open("/proc/sys/net/ipv4/ip_forward", "w") as forward:
    forward.write("1")
netns.popns()
build_seconds = time.monotonic() - began

star.report(__version__, import_seconds, build_seconds, "/run/netns/h1", f"/run/netns/h{len(star.HOSTS)}")
router.close()
for name in netns.listnetns():
    netns.remove(name)
