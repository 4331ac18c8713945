"""What people do to captures before they send them. Everything is decided by names, nothing by chance."""
import random
import subprocess
from dataclasses import replace

import captures

# Those that lose packets.
LOSSY = ["10 % lost", "10 % lost, again", "10 % lost, once more", "all at once"]
HOUR_NS = 3_600_000_000_000
FORMATS = {
    "pcap": captures.pcap,
    "pcap, big endian": lambda frames: captures.pcap(frames, ">"),
    "pcap, ns": lambda frames: captures.pcap(frames, nanoseconds=True),
    "pcap, ns, big endian": lambda frames: captures.pcap(frames, ">", True),
    "pcap.gz": captures.packed,
}
TEXTS = {"text": [], "text -v": ["-v"], "text -tttt -vvv": ["-tttt", "-vvv"], "text -e -S -vv": ["-e", "-S", "-vv"]}


def by(frames, key):
    """Frames by node or point, in the order of their first frames."""
    groups = {}
    for frame in frames:
        groups.setdefault(key(frame), []).append(frame)
    return groups


def by_node(frames):
    return by(frames, lambda frame: frame.node)


def by_point(frames):
    return by(frames, lambda frame: frame.point)


def wrong_clocks(frames, rate_ppm=0):
    """Clocks that are hours off, and drift against each other."""
    start = min(frame.time_ns for frame in frames)
    offsets, rates = {}, {}
    for place, node in enumerate(sorted(by_node(frames))):
        offsets[node] = random.Random(node).randint(-12, 12) * HOUR_NS + random.Random(node + "ns").randrange(10**9)
        rates[node] = rate_ppm * (1 if place % 2 else -1)
    moved = lambda it: it.time_ns + offsets[it.node] + (it.time_ns - start) * rates[it.node] // 1_000_000
    return [replace(frame, time_ns=moved(frame)) for frame in frames]


def cut(frames, size=96):
    return [replace(frame, data=frame.data[:size]) for frame in frames]


def lossy(frames, seed):
    chance = random.Random(seed)
    return [frame for frame in frames if chance.random() >= 0.1]


def plain(frames):
    """Without what a filter of ports cannot match."""
    return [frame for frame in frames if not frame.is_tunnelled()]


def without(frames, *names):
    return [frame for frame in frames if not any(frame.node.startswith(name) for name in names)]


def alone(frames, *names):
    return [frame for frame in frames if any(frame.node.startswith(name) for name in names)]


def on_wires(frames):
    """What is captured at the hosts' own network cards, without routers."""
    return [frame for frame in without(frames, "router") if frame.link == captures.ETHERNET and not frame.point.endswith(":lo")]


def printed(frames, options):
    """What tcpdump prints."""
    command = ["tcpdump", "-nn", *options, "-r", "-"]
    ran = subprocess.run(command, input=captures.pcap(frames, nanoseconds=True), capture_output=True, check=True)
    return ran.stdout


def of_nodes(frames):
    return [(node, captures.pcapng(part)) for node, part in by_node(frames).items()]


def of_points(frames, write):
    return [(point.replace(":", "-"), write(part)) for point, part in by_point(frames).items()]


def roles(frames):
    """What the nodes are, by their names in the shipped topologies."""
    kinds = {"client": "client", "lb": "load-balancer", "rs": "server", "router": "router"}
    given = lambda node: [role for name, role in kinds.items() if node.startswith(name)][:1]
    return [f"{node}={role}" for node in by_node(frames) for role in given(node)]


def all_of(name, frames):
    """Each distortion's name, and its files as name and content."""
    yield "per node", of_nodes(frames)
    for form, write in FORMATS.items():
        yield form, of_points(frames, write)
    yield "-i any", [(node, captures.any_device(part)) for node, part in by_node(frames).items()]
    yield "clocks hours off", of_nodes(wrong_clocks(frames))
    yield "clocks drift 50 ppm", of_nodes(wrong_clocks(frames, 50))
    yield "96 bytes", of_nodes(cut(frames))
    for lost in LOSSY[:-1]:
        yield lost, of_nodes(lossy(frames, name + lost))
    yield "tunnels filtered", of_nodes(plain(frames))
    yield "without the client", of_nodes(without(frames, "client"))
    yield "without the balancer", of_nodes(without(frames, "lb"))
    yield "without the servers", of_nodes(without(frames, "rs"))
    yield "without the router", of_nodes(without(frames, "router"))
    yield "client alone", of_nodes(alone(frames, "client"))
    yield "balancer alone", of_nodes(alone(frames, "lb"))
    yield "servers alone", of_nodes(alone(frames, "rs"))
    sent = on_wires(frames)
    yield "network cards", of_points(sent, captures.pcap)
    worst = cut(lossy(plain(wrong_clocks(sent, 50)), name + "worst"))
    yield LOSSY[-1], list(reversed(of_points(worst, captures.packed)))
    for form, options in TEXTS.items():
        yield form, of_points(wrong_clocks(sent), lambda part: printed(part, options))
