"""Reads labs' captures, and writes them as other programs would have written them."""
import gzip
import struct
from dataclasses import dataclass, replace

ETHERNET, RAW, LINUX_ANY = 1, 101, 276
INBOUND = 1


@dataclass(frozen=True)
class Frame:
    """A captured frame. `length` is what it had on the wire."""

    point: str
    link: int
    time_ns: int
    length: int
    data: bytes
    direction: int

    @property
    def node(self):
        return self.point.partition(":")[0]

    def ip(self):
        """The frame from its IP header on; nothing if it is no IP packet."""
        if self.link == RAW:
            return self.data
        return self.data[14:] if self.data[12:14] in (b"\x08\x00", b"\x86\xdd") else b""

    def carries(self):
        """Protocol number and what the outermost IP header carries."""
        ip = self.ip()
        if not ip:
            return None, b""
        if ip[0] >> 4 == 4:
            return ip[9], ip[(ip[0] & 15) * 4 :]
        # A Fragment header stands before what a fragment carries.
        return ip[6], ip[40:]

    def is_tunnelled(self):
        protocol, payload = self.carries()
        is_gue = protocol == 17 and payload[2:4] == (6080).to_bytes(2, "big")
        return protocol in (4, 41, 47) or is_gue


def option(data, at, end, code):
    """The value of a block's option."""
    while at < end:
        found, size = struct.unpack_from("<HH", data, at)
        if found == code:
            return data[at + 4 : at + 4 + size]
        at += 4 + (size + 3) // 4 * 4
    raise ValueError(f"a block has no option {code}")


def read(path):
    """The frames of a pcapng file that labsim wrote on this machine, in its order."""
    data, at, points, frames = path.read_bytes(), 0, [], []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 1:
            link = struct.unpack_from("<H", data, at + 8)[0]
            points.append((option(data, at + 16, at + length - 4, 2).decode(), link))
        elif kind == 6:
            point, high, low, size, whole = struct.unpack_from("<IIIII", data, at + 8)
            packet = data[at + 28 : at + 28 + size]
            options = at + 28 + (size + 3) // 4 * 4
            flags = option(data, options, at + length - 4, 2)
            direction = struct.unpack("<I", flags)[0] & 3
            frames.append(Frame(*points[point], (high << 32) + low, whole, packet, direction))
        at += length
    return frames


def pcap(frames, order="<", nanoseconds=False):
    """A classic file; all frames have the link layer of the first."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    parts = [struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 262144, frames[0].link)]
    unit = 1 if nanoseconds else 1000
    for frame in frames:
        seconds, rest = divmod(frame.time_ns, 1_000_000_000)
        parts.append(struct.pack(f"{order}IIII", seconds, rest // unit, len(frame.data), frame.length) + frame.data)
    return b"".join(parts)


def packed(frames):
    return gzip.compress(pcap(frames), mtime=0)


def pcapng(frames):
    """A file with an interface for each point."""

    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    def pack(code, value):
        return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)

    points = list(dict.fromkeys((frame.point, frame.link) for frame in frames))
    parts = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    for point, link in points:
        name = point.partition(":")[2].encode()
        options = pack(2, name) + pack(9, b"\x09") + pack(0, b"")
        parts.append(block(1, struct.pack("<HHI", link, 0, 262144) + options))
    for frame in frames:
        place = points.index((frame.point, frame.link))
        head = struct.pack("<IIIII", place, frame.time_ns >> 32, frame.time_ns & 0xFFFFFFFF, len(frame.data), frame.length)
        options = pack(2, struct.pack("<I", frame.direction)) + pack(0, b"")
        parts.append(block(6, head + frame.data + bytes(-len(frame.data) % 4) + options))
    return b"".join(parts)


def any_device(frames):
    """What `tcpdump -i any` writes of a node: Linux' cooked header, version 2 (LINUX_SLL2)."""
    devices = {}
    cooked = []
    for frame in frames:
        device = devices.setdefault(frame.point, len(devices) + 1)
        is_raw = frame.link == RAW
        version = frame.data[0] >> 4 if frame.data else 4
        protocol = (b"\x86\xdd" if version == 6 else b"\x08\x00") if is_raw else frame.data[12:14]
        body = frame.data if is_raw else frame.data[14:]
        kind = 0 if frame.direction == INBOUND else 4
        head = protocol + struct.pack(">HIHBB", 0, device, 778 if is_raw else 1, kind, 6) + bytes(8)
        cooked.append(replace(frame, link=LINUX_ANY, length=frame.length - len(frame.data) + len(head + body), data=head + body))
    return pcap(cooked)
