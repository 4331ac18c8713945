// The headers of a frame as boxes, outer round inner.
const hex = (byte) => byte.toString(16).padStart(2, "0");

const address = (bytes) => {
  if (bytes.length === 4) return bytes.join(".");
  const words = [];
  for (let i = 0; i < 16; i += 2) words.push(((bytes[i] << 8) | bytes[i + 1]).toString(16));
  // The longest run of two or more zeros is left out (RFC 5952).
  let best = null;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (words[end] === "0") end++;
    if (end - i > 1 && (!best || end - i > best[1] - best[0])) best = [i, end];
  }
  if (!best) return words.join(":");
  return `${words.slice(0, best[0]).join(":")}::${words.slice(best[1]).join(":")}`;
};

const fieldValue = (bytes, [, bit, bits, format]) => {
  const first = bit >> 3, end = (bit + bits + 7) >> 3;
  if (end > bytes.length) return "cut off";
  const own = [...bytes.subarray(first, end)];
  if (format === "mac") return own.map(hex).join(":");
  if (format === "address") return address(own);
  let number = own.reduce((sum, byte) => sum * 256 + byte, 0);
  number = Math.floor(number / 2 ** (end * 8 - bit - bits)) % 2 ** bits;
  const withName = (shown, name) => (name ? `${shown} (${name})` : shown);
  const digits = `0x${number.toString(16).padStart(Math.ceil(bits / 4), "0")}`;
  switch (format) {
    case "words": return `${number * 4} bytes`;
    case "doublewords": return `${number * 8}`;
    case "hex": return digits;
    case "bit": return number ? "yes" : "no";
    case "protocol": return withName(`${number}`, headers.protocols[number]);
    case "ethertype": return withName(digits, headers.ethertypes[number]);
    case "flags": return headers.flags.filter((_, i) => (number >> i) & 1).join(" ") || "none";
    default: return `${number}`;
  }
};

const layersOf = ({ bytes, shape }) => {
  const layers = [];
  for (let i = 0; i < shape.length; i += 2) {
    const [name, isPart, fields] = headers.kinds[shape[i]];
    const start = shape[i + 1], own = bytes.subarray(start, shape[i + 3] ?? bytes.length);
    const values = fields.map((field) => ({ name: field[0], value: fieldValue(own, field) }));
    layers.push({ kind: shape[i], name, isPart, start, bytes: own, values });
  }
  return layers;
};

// For each layer the same one on the hop before: layers are alike from the inside, because what comes and
// goes on the way is outside; the first is the link's, which is outermost always.
const matched = (before, now) => {
  const same = new Map();
  let i = before.length - 1, j = now.length - 1;
  for (; i >= 0 && j >= 0 && before[i].kind === now[j].kind; i--, j--) same.set(now[j], before[i]);
  for (let k = 0; k <= Math.min(i, j) && before[k].kind === now[k].kind; k++) same.set(now[k], before[k]);
  const known = new Set(same.values());
  return { same, gone: before.filter((layer) => !known.has(layer)) };
};

const dump = (layer, old, isText) => {
  const rows = [];
  const isSame = old && old.bytes.length === layer.bytes.length;
  for (let at = 0; at < layer.bytes.length; at += 16) {
    const row = html("span", { class: "row" });
    row.append(html("span", { class: "offset" }, (layer.start + at).toString().padStart(4, "0")));
    let text = "";
    layer.bytes.subarray(at, at + 16).forEach((byte, i) => {
      const isChanged = isSame && old.bytes[at + i] !== byte;
      row.append(i === 8 ? "  " : " ", isChanged ? html("b", {}, hex(byte)) : hex(byte));
      text += byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·";
    });
    if (isText) row.append(html("span", { class: "letters" }, text));
    rows.push(row, "\n");
  }
  return html("pre", { class: "bytes", dir: "ltr" }, rows);
};

const fieldList = (layer, old) => {
  const was = new Map((old?.values ?? []).map(({ name, value }) => [name, value]));
  return html("dl", {}, layer.values.map(({ name, value }) => {
    const before = was.get(name), isChanged = before !== undefined && before !== value;
    return html("div", isChanged ? { class: "changed" } : {},
      html("dt", {}, name),
      html("dd", {}, html("bdi", {}, value),
        isChanged && [" ", html("span", { class: "was" }, "was ", html("bdi", {}, before))]));
  }));
};

const count = (bytes) => (bytes === 1 ? "1 byte" : `${bytes} bytes`);

// A part of a header, such as an option, in a line.
const part = (layer, old, isNew) => {
  const was = old?.values ?? [];
  const values = layer.values.map(({ name, value }, i) => {
    const isChanged = was[i] && was[i].value !== value;
    return [html("span", { class: "name" }, ` ${name} `),
      html("span", isChanged ? { class: "changed" } : {}, value,
        isChanged && [" ", html("span", { class: "was" }, `was ${was[i].value}`)])];
  });
  return html("p", { class: "part" }, html("strong", {}, layer.name),
    isNew && html("span", { class: "new" }, "new on this hop"), values,
    html("code", { dir: "ltr" }, [...layer.bytes].map(hex).join(" ")));
};

const boxes = (frame, before) => {
  const layers = layersOf(frame);
  const { same, gone } = before ? matched(layersOf(before), layers) : { same: new Map(), gone: [] };
  const out = html("div", { class: "boxes" });
  const lost = gone.filter((layer) => !layer.isPart);
  if (lost.length) {
    const names = lost.map((layer) => {
      const destination = layer.values.find(({ name }) => name === "destination");
      return destination ? `${layer.name} to ${destination.value}` : layer.name;
    });
    out.append(html("p", { class: "gone" }, `Taken off since the hop before: ${names.join(", ")}`));
  }
  let inside = out, current = null;
  layers.forEach((layer) => {
    const old = same.get(layer), isNew = before && !old;
    const isData = layer.values.length === 0 && !layer.isPart;
    if (layer.isPart && current) {
      current.append(part(layer, old, isNew));
      return;
    }
    const size = `${count(layer.bytes.length)} at ${layer.start}`;
    const head = html("p", { class: "kind" }, html("strong", {}, layer.name), ` ${size}`,
      isNew && html("span", { class: "new" }, "new on this hop"));
    const body = html("div", { class: "body" },
      layer.values.length > 0 && fieldList(layer, old), dump(layer, old, isData));
    const box = html("div", { class: isNew ? "box put" : "box" }, head, body);
    inside.append(box);
    inside = current = box;
  });
  if (frame.length > frame.bytes.length) {
    const left = frame.length - frame.bytes.length;
    out.append(html("p", { class: "quiet" }, `${count(left)} more of this frame: not in the page, but in capture.pcapng.`));
  }
  if (frame.note) out.append(html("p", { class: "note" }, `Note: ${frame.note}.`));
  return out;
};
