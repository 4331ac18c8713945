// Names and places of fields, by kind of header.
const headers = JSON.parse(document.getElementById("headers").textContent);

const unpack = async (text) => {
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) packed[i] = letters.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

// The packets of a scenario; see data.rs for what is stored.
const load = async (id) => {
  const own = JSON.parse(document.getElementById(`${id}-data`).textContent);
  const all = await unpack(own.packets);
  const end = all.indexOf(10);
  const data = JSON.parse(new TextDecoder().decode(all.subarray(0, end)));
  const { nodes, points, frames } = data;
  let at = end + 1;
  const bytes = frames.kept.map((kept) => all.subarray(at, (at += kept)));
  const point = (number) => {
    if (!number) return null;
    const [node, device, isWire] = points[number - 1];
    return { node: nodes[node] ?? "?", device, isWire };
  };
  let number = 0, time = 0;
  const { hops: columns } = data;
  const hops = columns.number.map((step, i) => {
    number += step;
    time += columns.time[i];
    const frame = columns.frame[i];
    return {
      number, time, frame,
      arrived: columns.arrived[i] ? number + columns.arrived[i] : 0,
      from: point(columns.from[i]), to: point(columns.to[i]),
      text: data.texts[frames.text[frame]],
    };
  });
  const packets = [], hopOf = new Map();
  hops.forEach((hop, i) => {
    hopOf.set(hop.number, i);
    if (hop.arrived) hopOf.set(hop.arrived, i);
  });
  const packetOf = new Map();
  data.flows.forEach((flow, f) => flow.packets.forEach(([reply, sending, sendings, ...steps]) => {
    let hop = 0;
    const way = steps.map((step) => (hop += step));
    const packet = { flow: f, isReply: reply === 1, sending, sendings, hops: way, causes: [] };
    way.forEach((hop) => packetOf.has(hop) || packetOf.set(hop, packet));
    packets.push(packet);
  }));
  own.causes.forEach((cause) => cause.frames.forEach((number) => {
    const hop = hopOf.get(number), packet = packetOf.get(hop);
    if (packet && !packet.causes.some((it) => it.cause === cause)) packet.causes.push({ cause, hop });
  }));
  packets.forEach((packet) => (packet.end = wayEnd(packet, hops)));
  return {
    id, name: own.name, steps: own.steps, began: own.began, nodes, hops, packets, hopOf, packetOf, left: data.left,
    flows: data.flows.map((flow) => flow.name),
    frame: (i) => ({
      bytes: bytes[i], length: frames.length[i], note: frames.notes[i],
      shape: data.shapes[frames.shape[i]],
    }),
  };
};

// Where and why a way ends before its time, as far as that is known.
const wayEnd = (packet, hops) => {
  const place = packet.hops[packet.hops.length - 1], last = hops[place];
  const node = (last.to ?? last.from).node;
  const found = packet.causes.find(({ hop }) => hop === place);
  if (found) return { node: found.cause.node ?? node, cause: found.cause };
  const isLost = last.from?.isWire && !last.to;
  return isLost ? { node, cause: null } : null;
};

const milliseconds = (hop) => `${(hop.time / 1000).toFixed(3)} ms`;
const named = (point) => (point ? `${point.node}:${point.device}` : "");
const hopName = ({ from, to }) => {
  if (from && to) return `${from.node} → ${to.node}`;
  if (from) return from.isWire ? `${from.node} → nobody` : `${from.node}: into ${from.device}`;
  return to.isWire ? `→ ${to.node}` : `${to.node}: out of ${to.device}`;
};
