"""The star by Mininet: hosts and a router that are Nodes, without a switch or a controller."""

import resource
import time

import star

began = time.monotonic()
from mininet.log import setLogLevel
from mininet.net import Mininet, VERSION
from mininet.node import Node

import_seconds = time.monotonic() - began


class Router(Node):
    """A node that forwards, as in Mininet's example linuxrouter.py."""

    def config(self, **params):
        super().config(**params)
        self.cmd("sysctl net.ipv4.ip_forward=1")


setLogLevel("critical")
# Mininet raises limits of the whole machine first, which a bench may not. It needs one of its own process.
Mininet.inited = True
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

began = time.monotonic()
net = Mininet(controller=None, build=False)
router = net.addHost("router", cls=Router, ip=None)
for number, (gateway, address) in enumerate(star.HOSTS, 1):
    host = net.addHost(f"h{number}", ip=None, defaultRoute=f"via {gateway}")
    net.addLink(
        host,
        router,
        intfName1=f"h{number}-eth0",
        intfName2=f"r{number}",
        params1={"ip": f"{address}/24"},
        params2={"ip": f"{gateway}/24"},
    )
net.build()
build_seconds = time.monotonic() - began

first, last = net["h1"].pid, net[f"h{len(star.HOSTS)}"].pid
star.report(VERSION, import_seconds, build_seconds, f"/proc/{first}/ns/net", f"/proc/{last}/ns/net")
net.stop()
